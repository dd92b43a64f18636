//! Escalations that another system decides on: a hosted service, a control plane of one's own, a
//! chat. What such a backend says permits nothing by itself; whoever acts on it trusts it.
//!
//! [`EscalationReporter`] opens an escalation there, [`EscalationResolver`] reads and decides it, and
//! [`EscalationManager`] does both, and waits.

mod answer;
mod finding;

mod create;

mod backend;

mod cause;
mod error;

mod resolution;

mod hooks;
mod options;

mod guarded;

mod env;
mod report;

mod wait;

mod shared;

mod manage;

mod local;

#[cfg(test)]
mod tests;

pub use answer::{BackendAnswer, BackendError, Created, Details, Resolve};
pub use backend::{EscalationReporter, EscalationResolver};
pub use cause::Cause;
pub use create::{Create, Metadata};
pub use env::{DEFAULT_REPORTER_TIMEOUT, escalation_timeout, reporter_timeout};
pub use error::{EscalationError, EscalationErrorClass};
pub use finding::{Finding, FindingLocation, FindingSource};
pub use local::LocalApprovals;
pub use manage::EscalationManager;
pub use options::{ManagerOptions, WaitOptions};
pub use report::{HttpStatus, NotReported, report_within};
pub use resolution::{Resolution, ResolutionMetadata, ResolutionStatus};
