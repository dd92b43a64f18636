//! A human decides on exactly this call: what is asked, who may answer, and what the answers come
//! to. Values and plain functions: time, randomness and keys come as parameters, and nothing here
//! is kept.
//!
//! An [`Escalation`] holds the call, the terms and the people as they were when it was asked. A
//! [`Vote`] is a statement about it that an approver has signed. [`tally`] works out what votes and
//! time come to, [`spendable`] whether that permits a call which is presented now. Whoever asks
//! either gives the terms of the *policy*: what a store says of terms, status or people decides
//! nothing.
//!
//! Besides, for escalations that another system decides on: [`EscalationReporter`],
//! [`EscalationResolver`] and the [`EscalationManager`], which asks them and waits.

mod form;
mod id;
mod words;

mod user;

mod binding;
mod set;
mod shown;
mod terms;

mod escalation;

mod question;

mod statement;
mod vote;

mod moment;
mod tally;

mod spend;

mod bounds;
mod round;

mod caller;
mod store;

mod automaton;
mod evidence;
mod masked;
mod waiting;

mod memory;

mod manager;

#[cfg(test)]
pub(crate) mod tests;

pub use automaton::{Change, MAX_VOTES, NewLine, Taken, opened, settled, spent, voted};
pub use binding::{Binding, CallKey};
pub use bounds::{ApprovalBounds, Used};
pub use caller::{Caller, Connected, Waiting};
pub use escalation::{Asked, Escalation, MAX_ESCALATION, NotAnEscalation};
pub use evidence::{Evidence, EvidenceFault};
pub use id::{EscalationId, NotAnId};
pub use manager::*;
pub use masked::Visible;
pub use memory::MemoryApprovals;
pub use moment::Moment;
pub use question::question;
pub use round::{NextRound, Round, RoundAbout, RoundId, TakenRound};
pub use set::{ApprovalSet, Member};
pub use shown::Shown;
pub use spend::{Presented, Unspendable, spendable};
pub use statement::{FIRST_LINE, Statement};
pub use store::{
    Answer, ApprovalStore, Asking, Kept, Line, LineAbout, Opened, Overdue, Presentation, Spent,
    StoreError, Voted,
};
pub use tally::{Case, History, Uncounted, Verdict, tally};
pub use terms::Terms;
pub use user::{Reach, Said, User};
pub use vote::{Cast, MAX_NOTE, NotAVote, Vote};
#[cfg(feature = "sqlite")]
pub(crate) use waiting::Waiters;
pub use words::{Choice, Finalization, Status, Strategy, TimeoutAction};
