//! A repeated idempotency key gets its stored result: the key, what may happen to it, and where it
//! is kept.
#![doc = include_str!("../../docs/dedupe.md")]

mod key;
mod options;
mod error;
mod state;
mod store;
mod memory;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::walk;

pub use error::StoreError;
pub use key::{About, Asked, DedupeKey, Scope, Share};
pub use memory::MemoryStore;
pub use options::{Bounds, DedupeOptions, Used};
pub use state::{Finding, Holding, judge};
pub use store::{Answer, Begun, DedupeStore, Ending, Ticket};
