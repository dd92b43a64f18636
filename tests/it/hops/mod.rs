//! Hops: functions behind the same steps as a tool call.

mod context;
mod judged;
mod place;
mod support;
mod sync;
