use super::approvals::{self, DamagedApproval, RowWithShown, Rows};
use super::error::DbError;
use super::file;
use crate::approval::{EscalationId, Kept, Shown, Vote, Voted};
use crate::clock::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How often [`ApprovalDesk::wait`] looks.
const LOOK: Duration = Duration::from_millis(50);

/// How many digits of an id find it.
const MIN_PREFIX: usize = 6;

/// The approvers' view of `sec0.db`. It blocks: for a program of its own, not for an async thread.
#[derive(Debug)]
pub struct ApprovalDesk {
    connection: RefCell<Connection>,
    /// The latest change that was listed or waited for.
    seen: Cell<u64>,
    /// What the last list passed over.
    damaged: RefCell<Vec<DamagedApproval>>,
}

/// Which escalations are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a command has a word for each")]
pub enum Which {
    /// Those that nothing has decided.
    Pending,
    /// All that are kept.
    All,
}

/// One escalation with what approvers are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The escalation as it stands.
    pub kept: Kept,
    /// What approvers are shown; its digest is the one that the escalation holds.
    pub shown: Shown,
}

/// What a prefix of an id leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a command has words for each")]
pub enum Found {
    /// This one.
    One(EscalationId),
    /// None begins so.
    None,
    /// More than one begins so.
    Several,
    /// It has fewer than 6 digits or more than 32, or something that is no digit from 0 to f.
    NoPrefix,
}

impl ApprovalDesk {
    /// Opens the `sec0.db` that is in `dir`. Servers may go on using it.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be opened.
    pub fn open(dir: &Path) -> Result<Self, DbError> {
        let connection = file::open(dir, false)?;
        let seen = Cell::new(approvals::version(&connection)?);
        Ok(Self { connection: RefCell::new(connection), seen, damaged: RefCell::default() })
    }

    /// The newest of them, the newest last. Those that cannot be read are passed over:
    /// [`damaged`](Self::damaged) has them. How many there are in all says [`count`](Self::count).
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn list(&self, which: Which, at_most: u32) -> Result<Vec<Listed>, DbError> {
        let db = self.connection.borrow();
        self.seen.set(approvals::version(&db)?);
        let Rows { rows, damaged } = match which {
            Which::Pending => approvals::pending(&db, at_most)?,
            Which::All => approvals::all(&db, at_most)?,
        };
        self.damaged.replace(damaged);
        Ok(rows.into_iter().rev().map(Listed::from).collect())
    }

    /// Those that the last [`list`](Self::list) passed over, for they cannot be read.
    pub fn damaged(&self) -> Vec<DamagedApproval> {
        self.damaged.borrow().clone()
    }

    /// How many there are, with those that cannot be read.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn count(&self, which: Which) -> Result<u64, DbError> {
        approvals::count(&self.connection.borrow(), which == Which::Pending)
    }

    /// The one with this id; `None` where there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or the row is damaged.
    pub fn show(&self, id: EscalationId) -> Result<Option<Listed>, DbError> {
        let db = self.connection.borrow();
        Ok(approvals::shown_by_id(&db, id)?.map(Listed::from))
    }

    /// The id that begins with these hex digits, of either case: at least 6.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn find(&self, prefix: &str) -> Result<Found, DbError> {
        let Some((low, high)) = range(prefix) else { return Ok(Found::NoPrefix) };
        let ids = approvals::ids_between(&self.connection.borrow(), low, high)?;
        Ok(match *ids {
            [] => Found::None,
            [id] => Found::One(id),
            _ => Found::Several,
        })
    }

    /// Gives a vote to the store, which takes it if it counts.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or the row is damaged.
    pub fn vote(&self, vote: Vote, now: Timestamp) -> Result<Voted, DbError> {
        let mut db = self.connection.borrow_mut();
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let outcome = approvals::vote(&change, vote, now)?;
        change.commit()?;
        Ok(outcome.told)
    }

    /// Waits until something has changed since the last list or the last such wait, but not longer
    /// than `at_most`; false when nothing has.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn wait(&self, at_most: Duration) -> Result<bool, DbError> {
        let mut left = at_most;
        loop {
            let version = approvals::version(&self.connection.borrow())?;
            if self.seen.replace(version) != version {
                return Ok(true);
            }
            if left.is_zero() {
                return Ok(false);
            }
            thread::sleep(left.min(LOOK));
            left = left.saturating_sub(LOOK);
        }
    }
}

impl From<RowWithShown> for Listed {
    fn from(RowWithShown { kept, shown }: RowWithShown) -> Self {
        Self { kept, shown }
    }
}

/// The first and the last id that begin so.
fn range(prefix: &str) -> Option<([u8; 16], [u8; 16])> {
    let prefix = prefix.to_ascii_lowercase();
    if prefix.len() < MIN_PREFIX {
        return None;
    }
    let filled = |with: &str| -> Option<[u8; 16]> {
        let rest = with.repeat(32_usize.checked_sub(prefix.len())?);
        let id: EscalationId = format!("{prefix}{rest}").parse().ok()?;
        Some(*id.as_bytes())
    };
    Some((filled("0")?, filled("f")?))
}
