//! Reading a log back: lines, chain, tree and checkpoints in one pass, and proofs for single lines.
//! `docs/spec/audit-log.md` says what a verifier must check.

mod keys;
mod source;
mod totals;

mod seals;
mod tail;

mod pass;
mod prove;
mod unchained;
mod verifier;

pub(super) use source::{Source, streams};
pub(super) use tail::TailCheck;

pub use prove::{ProveError, Proven, prove};
pub use totals::Totals;
pub use unchained::verify_line;
pub use verifier::{ApprovalCheck, Verifier, verify_dir};
