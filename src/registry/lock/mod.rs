//! The lock file: which tools a server had when somebody looked at them, to hold it against later.
//!
//! A [`Lock`] is a text for people and version control (`docs/registry.md`): the tools by name, each
//! with the digest that the frozen registry has of it and with its whole definition, so that a
//! difference can be shown and not only told.

mod hidden; // Characters that nobody sees.
mod contents; // What a lock file holds.
mod error; // Why there is none.
mod text; // As it is written.
mod read; // As it is read.
mod write; // To the disk, whole or not at all.
mod binary; // Which executable.
mod compare; // What is different now.
mod told; // A difference in words.
mod diff; // A difference as old and new text.
#[cfg(test)]
mod tests;

pub use binary::{digest_of_file, digest_of_this_program};
pub use compare::{BinaryChange, LockDrift, ServerChange, ToolChange};
pub use contents::{Lock, LockedTool};
pub use diff::{DiffLine, Side};
pub use error::{LockError, LockRefused};
pub use hidden::{visible, visible_json};
