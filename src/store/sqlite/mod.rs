//! `sec0.db`: one SQLite file in the audit directory, shared by all processes that use it.
//!
//! `file` and `schema` know the file, `worker` keeps its blocking work off the async
//! threads, `owner` says which processes live. On these stand what is kept: `keys`, of
//! idempotency, with `desk` for the operator; and `approvals`, with `approval_desk` for those who
//! decide.

mod error;
mod file;
mod schema;
mod worker;
mod owner;
mod keys;
mod desk;
mod approvals;
mod approval_desk;

#[cfg(test)]
mod tests;

pub use approval_desk::{ApprovalDesk, Found, Listed, Which};
pub use approvals::{DamagedApproval, SqliteApprovals};
pub use desk::{Freed, HeldKey, KeyDesk};
pub use error::DbError;
pub use keys::SqliteStore;

/// The file's name in the audit directory.
pub const FILE: &str = "sec0.db";
