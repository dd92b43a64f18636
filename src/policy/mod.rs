//! The policy: a YAML file, read into closed types, checked to the last key, compiled once.
//!
//! A key is enforced or it is refused by name; nothing is accepted and then forgotten. A file
//! goes through `yaml` (bounds, grammar), `check` (the table of `schema`, every problem
//! with its place), `document` (the types) and `compiled` (what calls are judged by).

mod about;
mod allowlist;
mod check;
mod compiled;
mod document;
mod error;
mod json_schema;
mod lint;
mod load;
mod neutral;
mod pattern;
mod schema;
mod shape;
mod tree;
mod unbuilt;
mod verdict;
mod words;
mod yaml;

pub use allowlist::{Allowlist, MalformedEntry, MatchKind};
pub use compiled::Policy;
pub use document::{Mode, Retention};
pub use error::{PolicyError, Problem};
pub use verdict::{Effect, Ruling, Verdict};

#[cfg(test)]
mod tests;
