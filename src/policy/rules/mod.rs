//! Rules on arguments: the entries of `rules`.
//!
//! A `pointer` finds the argument, an `operator` reads it, and `judge` says what follows for the
//! call. `index` finds the entries that are for a tool, so that the others cost nothing.

mod always;
mod fit;
mod glob;
mod index;
mod judge;
mod lint;
mod number;
mod operator;
mod pattern;
mod pointer;
mod read;
mod rule;
mod seen;
mod shadow;
mod shape;
mod value;
mod why;

pub(super) use fit::Schemed;
pub use glob::Glob;
pub(super) use index::ByTool;
pub(super) use judge::Rules;
pub use operator::{OpName, Operator, Reading};
pub(super) use read::read;

#[cfg(test)]
mod tests;
