//! Hops: functions behind the same steps as a tool call.

mod approved;
#[cfg(feature = "hops")]
mod attributes;
mod context;
mod invoked;
mod judged;
mod place;
mod processes;
pub(crate) mod support;
mod sync;
