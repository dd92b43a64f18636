//! The journal: where an intent is durable before the handler runs, and an outcome before the
//! reply leaves, whatever the signer and the day file do meanwhile.
//!
//! Segments of a fixed size, written in order, synced once for all that arrived while the last
//! sync ran, and used again when every line of theirs stands in the log. What a crash leaves in
//! them, [`recover`] turns into lines. `docs/spec/audit-log.md` has the format.

mod entry;

mod segment;

mod book;
mod queue;

mod keeper;

mod recover;

#[cfg(test)]
mod tests;

pub(super) use keeper::start;
pub(super) use queue::{Ack, Journal, Lost, Stuck};
pub(super) use recover::{Recovered, Revived, recover};

/// The bytes of one segment: all of them are on the disk before the first is needed. The tests of
/// this crate fill and recycle smaller ones.
pub(super) const SEGMENT: u64 = if cfg!(test) { 256 * 1024 } else { 4 * 1024 * 1024 };
/// The most bytes of one entry, with its line end.
const MAX_ENTRY: usize = if cfg!(test) { 16 * 1024 } else { 256 * 1024 };
/// The most segments: the bound on what lies between the journal and the day files.
const MAX_SEGMENTS: usize = 16;
