//! Who is asked, and for what: `escalate_on`, `human_escalation` and `approval_sets`.
//!
//! `read` takes them from the file, each with its place; `people` and `terms` are what comes out of
//! it, and `asks` finds the terms for a tool and says which denials become questions.

mod asks;
mod escalates;
mod lint;
mod level;
mod overlap;
mod people;
mod read;
mod sets;
mod terms;
mod why;

pub(super) use asks::Asking;
pub use people::{ApprovalSet, Approver};
pub(super) use read::read;
pub use terms::{ApprovalStrategy, EscalationTerms, TimeoutAction};
pub use why::WouldAsk;
