//! Limits: how large the arguments may be, how long a call may take.

mod deadline;

pub use deadline::Deadline;

/// No call has larger arguments than this many bytes of canonical JSON, whatever the policy says.
/// Options may set another bound; there is always one.
pub const HARD_MAX_ARGUMENTS: usize = 16 * 1024 * 1024;
