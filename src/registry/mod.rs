//! The frozen registry: which tools there are, and whether they still are what they were.
//!
//! A [`Snapshot`] is taken when a server is wrapped. The first one that a layer sees is the frozen
//! one for all its sessions; [`check`] compares a call with it in time that does not depend on the
//! number of tools.
//!
//! What cannot be seen from outside is not claimed: a handler whose own captured state changes is
//! the same handler.

mod check;
mod definition;
mod front;
pub mod lock;
mod snapshot;
mod withheld;

pub use check::{Live, Look, Sight, Sighted, check};
pub use definition::{Definition, HandlerId};
pub use front::{Denials, Freeze, FrozenError, Manner};
pub use lock::{Lock, LockDrift, LockError, LockRefused};
pub use snapshot::{Drift, Snapshot};
pub use withheld::Withheld;
