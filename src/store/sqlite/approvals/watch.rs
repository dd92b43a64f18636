use super::rows;
use crate::approval::{EscalationId, Waiters};
use crate::store::sqlite::error::DbError;
use rusqlite::Connection;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How often it is looked for changes of other processes while a call waits for one: a decision is to
/// reach the call within 10 ms, and looks that find nothing are to take less than 1 % of a core.
const SOON: Duration = Duration::from_millis(7);

/// How often while only the log waits.
const LATER: Duration = Duration::from_millis(500);

/// One thread that looks what other processes change, for all who wait in this one. It sleeps while
/// nobody waits; what this process changes is told without it.
#[derive(Debug)]
pub(super) struct Watch(Arc<Waiters>);

impl Watch {
    /// Starts the thread, with a connection of its own. It ends when this is dropped.
    pub(super) fn start(connection: Connection) -> Result<Self, DbError> {
        connection.pragma_update(None, "query_only", true)?;
        let data = data_version(&connection)?;
        let seen = rows::version(&connection)?;
        let waiters = Arc::new(Waiters::since(seen));
        let (ours, mut look) = (Arc::clone(&waiters), Look { connection, data, seen });
        thread::Builder::new()
            .name("sec0-approvals-watch".to_owned())
            .spawn(move || look.repeat(&ours))
            .map_err(|error| DbError::Thread(error.to_string().into()))?;
        Ok(Self(waiters))
    }

    pub(super) fn waiters(&self) -> &Arc<Waiters> {
        &self.0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The thread's own view of the file.
struct Look {
    connection: Connection,
    /// SQLite's own number, which changes when another connection has written.
    data: i64,
    /// The latest change that was seen.
    seen: u64,
}

impl Look {
    fn repeat(&mut self, waiters: &Waiters) {
        let mut has_failed = false;
        while waiters.next_look(SOON, LATER) {
            match self.changes() {
                Ok(changes) if changes.is_empty() => has_failed = false,
                Ok(changes) => {
                    has_failed = false;
                    waiters.tell(&changes);
                }
                Err(_) if has_failed => {}
                Err(error) => {
                    has_failed = true;
                    tracing::error!(%error, "the store of approvals cannot be watched; it is tried again");
                }
            }
        }
    }

    fn changes(&mut self) -> Result<Vec<(EscalationId, u64)>, DbError> {
        let data = data_version(&self.connection)?;
        if data == self.data {
            return Ok(Vec::new());
        }
        let changes = rows::changed(&self.connection, self.seen)?;
        // Versions are given out inside write transactions, one at a time: whoever sees one sees
        // all before it.
        self.seen = changes.last().map_or(self.seen, |(_, version)| *version);
        self.data = data;
        Ok(changes)
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row((), |row| row.get(0))
}
