//! Telemetry: spans and metrics of calls, and their places in traces.
//!
//! The span of a call and its record have one pair of ids, so each is found from the other. With
//! feature `otlp`, [`Otel`] has them exported (OTLP over HTTP); `docs/otel.md` has every name.
//! [`TraceContext`] is what a handler hands on to whom it calls, also without the feature.

mod context;
mod error;
mod gauges;
mod options;
mod ratio;
mod settings;
mod text;
mod told;
mod live;

#[cfg(feature = "otlp")]
mod export;
#[cfg(not(feature = "otlp"))]
mod silent;

mod telemetry;

pub(crate) use context::Place;
pub use context::{Carried, TraceContext, inject, inject_headers};
pub use error::{IncompleteOtel, OtelError};
pub use gauges::{CircuitReading, Gauges, Reading};
pub(crate) use live::Live;
pub use options::Otel;
pub use telemetry::Telemetry;
pub(crate) use told::Told;
