//! Where telemetry is to go. The export itself is not built yet: spans go to `tracing`.

mod options;

pub use options::{IncompleteOtel, Otel};
