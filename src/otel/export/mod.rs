//! OTLP over HTTP: the only files that name OpenTelemetry.

mod caller;
pub(super) mod bridge;
mod counted;
mod client;
mod span;
mod instruments;
mod pipeline;

pub(super) use caller::Caller;
pub(super) use pipeline::Pipeline;
