//! The policy: a YAML file, read into closed types, checked to the last key, compiled once.
//!
//! A key is enforced or it is refused by name; nothing is accepted and then forgotten. A file
//! goes through `yaml` (bounds, grammar), `check` (the table of `schema`, every problem
//! with its place), `document` (the types) and `compiled` (what calls are judged by). `operation`
//! says what a call does, `places` where its arguments lead, `rule` holds it against the policy,
//! `rules` its arguments, `asking` who decides where the policy asks, and `explain` says why. `source` is
//! where newer versions come from.

mod about;
mod allowlist;
mod asking;
mod check;
mod compiled;
mod coverage;
mod document;
mod enforced;
mod entry;
mod error;
mod explain;
mod expose;
mod fixed;
mod fixture;
mod heuristic;
mod idle;
mod json_schema;
mod limits;
mod lint;
mod load;
mod named;
mod observability;
mod neutral;
mod operation;
mod pattern;
mod places;
mod question;
mod rates;
pub(crate) mod reading;
mod rule;
mod rules;
mod schema;
mod shape;
mod source;
mod tree;
mod unbuilt;
mod verdict;
mod why;
mod words;
mod yaml;

pub use allowlist::{Allowlist, MalformedEntry};
pub use asking::{
    ApprovalSet, ApprovalStrategy, Approver, EscalationTerms, TimeoutAction, WouldAsk,
};
pub use compiled::Policy;
pub use document::{Mode, Retention};
pub use enforced::Enforced;
pub use error::{PolicyError, Problem};
pub use explain::Explanation;
pub use expose::Expose;
pub use fixture::{Case, Expected, Fixture};
pub use named::{MalformedTool, NamedTool};
pub use observability::Observability;
pub use operation::Evidence;
pub use pattern::MatchKind;
pub use places::{Disk, LocalDisk, NoDisk, Places, Seen};
pub use question::Question;
pub use rates::Rates;
pub use rule::Asked;
#[doc(hidden)]
pub use rules::{Glob, OpName, Operator, Reading};
pub use source::{PolicyFile, PolicySource, PolicyVersion};
pub use verdict::{Effect, Ruling, Verdict};
pub use why::{LookedAt, OnMatch};

#[cfg(test)]
mod tests;
