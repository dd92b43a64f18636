//! Limits: how large the arguments may be, how long a call may take, how often a caller may call,
//! and when a tool that fails is left alone. What needs the time is given it.

mod breaker;
mod deadline;
mod rate;
mod retry;

pub use breaker::{Circuits, Passage, Probe, Sample};
pub use deadline::Deadline;
pub use rate::{Quota, Rates};
pub use retry::Backoff;

/// No call has larger arguments than this many bytes of canonical JSON, whatever the policy says.
/// Options may set another bound; there is always one.
pub const HARD_MAX_ARGUMENTS: usize = 16 * 1024 * 1024;

/// A wait as callers are told it: a part of a millisecond counts as a whole one, so that nobody
/// comes back too early.
fn whole_millis(wait: std::time::Duration) -> std::time::Duration {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
