use super::rows;
use crate::approval::EscalationId;
use crate::store::sqlite::error::DbError;
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::Notify;

/// How often it is looked for changes of other processes while a call waits for one.
const SOON: Duration = Duration::from_millis(5);

/// How often while only the log waits.
const LATER: Duration = Duration::from_millis(500);

/// Wakes whoever waits for a change. One thread looks what other processes do, and sleeps while
/// nobody waits; what this process does is told at once.
///
/// Whoever waits registers first and looks at the row then: what is changed after the look wakes
/// him, and what was changed before is what he sees.
#[derive(Debug)]
pub(super) struct Watch(Arc<Shared>);

/// What outlives the [`Watch`] in whoever waits.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// For the thread: somebody waits now, or it is to end.
    called: Condvar,
    /// Something has changed.
    stirred: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By escalation: how many wait, and what wakes them.
    calls: HashMap<EscalationId, (usize, Arc<Notify>)>,
    /// How many wait for any change.
    logs: usize,
    /// The latest change that is known of, and the latest that somebody was told of.
    latest: u64,
    told: u64,
    is_closed: bool,
}

/// Somebody who waits for a change of one escalation.
#[derive(Debug)]
pub(super) struct Call {
    shared: Arc<Shared>,
    id: EscalationId,
    pub(super) changed: Arc<Notify>,
}

/// Somebody who waits for any change.
struct Log<'a>(&'a Shared);

impl Watch {
    /// Starts the thread, with a connection of its own.
    pub(super) fn start(connection: Connection) -> Result<Self, DbError> {
        connection.pragma_update(None, "query_only", true)?;
        let data = data_version(&connection)?;
        let latest = rows::version(&connection)?;
        let state = State { latest, ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), ..Shared::default() });
        let ours = Arc::clone(&shared);
        let look = Look { connection, data, seen: latest, has_failed: false };
        thread::Builder::new()
            .name("sec0-approvals-watch".to_owned())
            .spawn(move || ours.watch(look))
            .map_err(|error| DbError::Thread(error.to_string().into()))?;
        Ok(Self(shared))
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.is_closed = true;
        for (_, changed) in state.calls.values() {
            changed.notify_waiters();
        }
        drop(state);
        self.0.stirred.notify_waiters();
        self.0.called.notify_all();
    }
}

impl Shared {
    /// Registers somebody who waits for a change of this escalation.
    pub(super) fn call(self: &Arc<Self>, id: EscalationId) -> Call {
        let mut state = self.state.lock();
        let is_first = state.calls.is_empty();
        let (count, changed) = state.calls.entry(id).or_default();
        *count += 1;
        let changed = Arc::clone(changed);
        drop(state);
        if is_first {
            self.called.notify_all();
        }
        Call { shared: Arc::clone(self), id, changed }
    }

    /// Waits for any change since somebody was last told of one; false when the store was closed.
    pub(super) async fn stirred(&self) -> bool {
        let _log = self.log();
        loop {
            let stirred = self.stirred.notified();
            {
                let mut state = self.state.lock();
                if state.is_closed {
                    return false;
                }
                if state.told < state.latest {
                    state.told = state.latest;
                    return true;
                }
            }
            stirred.await;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// This process has changed something.
    pub(super) fn tell(&self, id: EscalationId, version: u64) {
        self.wake(&[(id, version)]);
    }

    fn log(&self) -> Log<'_> {
        let mut state = self.state.lock();
        state.logs += 1;
        drop(state);
        self.called.notify_all();
        Log(self)
    }

    fn wake(&self, changes: &[(EscalationId, u64)]) {
        let mut state = self.state.lock();
        for (id, version) in changes {
            state.latest = state.latest.max(*version);
            if let Some((_, changed)) = state.calls.get(id) {
                changed.notify_waiters();
            }
        }
        drop(state);
        self.stirred.notify_waiters();
    }

    fn watch(&self, mut look: Look) {
        loop {
            let mut state = self.state.lock();
            if state.is_closed {
                return;
            }
            match state.pace() {
                None => {
                    self.called.wait(&mut state);
                    continue;
                }
                // It makes no difference whether the time was up or somebody has called.
                Some(pace) => {
                    self.called.wait_for(&mut state, pace);
                }
            }
            drop(state);
            let changes = look.changes();
            if !changes.is_empty() {
                self.wake(&changes);
            }
        }
    }
}

impl State {
    fn pace(&self) -> Option<Duration> {
        match (self.calls.is_empty(), self.logs) {
            (false, _) => Some(SOON),
            (true, 0) => None,
            (true, _) => Some(LATER),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        if let Some((count, _)) = state.calls.get_mut(&self.id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.calls.remove(&self.id);
            }
        }
    }
}

impl Drop for Log<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.logs = state.logs.saturating_sub(1);
    }
}

/// The thread's own view of the file.
struct Look {
    connection: Connection,
    /// SQLite's own number, which changes when another connection has written.
    data: i64,
    /// The latest change that was seen.
    seen: u64,
    has_failed: bool,
}

impl Look {
    fn changes(&mut self) -> Vec<(EscalationId, u64)> {
        let found = self.find();
        if let Err(error) = &found
            && !self.has_failed
        {
            tracing::error!(%error, "the store of approvals cannot be watched; it is tried again");
        }
        self.has_failed = found.is_err();
        found.unwrap_or_else(|_was_reported| Vec::new())
    }

    fn find(&mut self) -> Result<Vec<(EscalationId, u64)>, DbError> {
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
