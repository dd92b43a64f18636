//! The call's way: one tower layer per step, in the order in which a call passes them.
#![doc = include_str!("../../docs/stack.md")]

mod keeping; // Where idempotency keys are.
mod lists; // What lists of tools leave out.
mod lock; // The server is the one in its lock file.
mod reloading; // Where a newer policy comes from.
mod regime; // A policy, and what is counted under it.
mod reporting; // Who else is told of escalations.
mod own_thread; // Waits on a thread that is no runtime's.
mod unpanicking; // A store's panic is its error.
mod connected; // The user at the other end of the connection.
mod hold; // How many calls wait for somebody.
mod approvals; // Where approvals are, and what the log has of them.
mod keeper; // Looks after those for which no call waits.
mod shared; // The state that the steps share.
mod gauges; // How a layer stands, for metrics.
mod circuit; // Whether a tool is left alone for a while.
mod expose; // Judges what lists of tools show.
mod step; // The shape that they share.
mod future; // The future that they share.
mod reload; // A newer policy, while calls are judged.
mod guard; // The certainty of a record, held from entry to end.
mod own_key; // The key in the audit directory.
mod options; // What an author may set.
mod start; // What becomes of it.
mod trace; // Opens the span, closes it with the outcome.
mod record; // Exactly one record per call.
mod settle; // Every fault below becomes an answer.
mod presented; // The grant that a call presents.
mod identify; // Who calls.
mod limit; // How often, how large, how long.
mod verify; // The tool is the tool that was frozen.
mod authorize; // What the policy says.
// inspect: the arguments on the way in, the result on the way out.
mod exact; // Tells apart what a digest does not.
mod dedupe; // A repeated key gets its stored result.
mod report; // Tells others of an escalation.
mod terms; // By which rules a call is decided.
mod seek; // How a call gets its approval.
mod ask_user; // How the connected user is asked.
mod rounds; // A call that comes again with an answer.
mod approve; // What a human says.
mod reserve; // The intent is recorded.
mod invoke; // The handler runs.
mod layer; // All of them, as one layer.

pub use approve::{Approve, ApproveFuture, ApproveLayer, Permitted};
pub use authorize::{Authorize, AuthorizeLayer, Judged};
pub use dedupe::{Dedupe, DedupeFuture, DedupeLayer};
pub use future::StepFuture;
pub use identify::{Identified, Identify, IdentifyLayer};
pub use invoke::{Invoke, InvokeFuture, InvokeLayer};
pub use layer::{Sec0SecurityLayer, Secured, Steps};
pub use limit::{Limit, LimitFuture, LimitLayer};
pub use options::Sec0Options;
pub use record::{Entered, Record, RecordFuture, RecordLayer};
pub use reload::{Reload, ReloadError};
pub use reserve::{Reserve, ReserveLayer, Reserved};
pub use settle::{Settle, SettleFuture, SettleLayer};
pub use start::StartError;
pub use trace::{Trace, TraceFuture, TraceLayer};
pub use verify::{Intact, Verify, VerifyLayer};
