//! Approvals in `sec0.db`.
//!
//! `damaged` names rows that cannot be read, `rows` loads and saves, `lines` is what the log has yet to get, `room` keeps the bounds, `events`
//! puts each event into its transaction, `rounds` keeps which calls may come again. `place` is where
//! the file was; `watch` wakes whoever waits, whichever process has made
//! the change.

mod damaged;

mod lines;
mod rows;

mod room;

mod events;
mod rounds;
mod place;
mod watch;

mod store;

#[cfg(test)]
mod tests;

pub(super) use damaged::Rows;
pub(super) use events::vote;
pub(super) use rows::{RowWithShown, all, count, ids_between, pending, shown_by_id, version};

pub use damaged::DamagedApproval;

pub use store::SqliteApprovals;
