use super::id::EscalationId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// Who waits for a change, in one process.
///
/// Whoever waits registers first and looks then: what is changed after the look wakes him, and what
/// was changed before is what he sees.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    state: Mutex<State>,
    /// Something has changed.
    stirred: Notify,
    /// For a thread that looks for changes: somebody waits now, or it is to end.
    #[cfg(feature = "sqlite")]
    called: parking_lot::Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// By escalation: how many wait, and what wakes them.
    calls: HashMap<EscalationId, (usize, Arc<Notify>)>,
    /// How many wait for any change.
    logs: usize,
    /// The latest change that is known of.
    latest: u64,
    is_closed: bool,
}

/// Somebody who waits for a change of one escalation.
#[derive(Debug)]
pub(crate) struct Call {
    waiters: Arc<Waiters>,
    id: EscalationId,
    /// Woken without a permit: to be enabled before the look.
    pub(crate) changed: Arc<Notify>,
}

/// Somebody who waits for any change.
struct Log<'a>(&'a Waiters);

impl Waiters {
    /// Nobody, where `latest` is the version of the latest change.
    #[cfg(feature = "sqlite")]
    pub(crate) fn since(latest: u64) -> Self {
        let state = State { latest, ..State::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }

    /// Registers somebody who waits for a change of this escalation, until it is dropped.
    pub(crate) fn call(self: &Arc<Self>, id: EscalationId) -> Call {
        let mut state = self.state.lock();
        let (count, changed) = state.calls.entry(id).or_default();
        *count += 1;
        let changed = Arc::clone(changed);
        drop(state);
        self.call_for_looks();
        Call { waiters: Arc::clone(self), id, changed }
    }

    /// Waits until another change is the latest than `seen`, and says which; `None` when the store
    /// was closed. Who waits keeps the number himself: what one was told is no less new to another.
    pub(crate) async fn stirred(&self, seen: u64) -> Option<u64> {
        let _log = self.log();
        loop {
            let stirred = self.stirred.notified();
            {
                let state = self.state.lock();
                if state.is_closed {
                    return None;
                }
                if state.latest != seen {
                    return Some(state.latest);
                }
            }
            stirred.await;
        }
    }

    /// Wakes whoever waits for one of these changes: what was changed, and to which version.
    pub(crate) fn tell(&self, changes: &[(EscalationId, u64)]) {
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

    /// Wakes all: the store is closed.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        for (_, changed) in state.calls.values() {
            changed.notify_waiters();
        }
        drop(state);
        self.stirred.notify_waiters();
        self.call_for_looks();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// For a thread that looks for the changes of other processes: blocks until it should, which is
    /// `soon` while a call waits, `later` while only a log does, and never while nobody does. False
    /// when the store was closed.
    #[cfg(feature = "sqlite")]
    pub(crate) fn next_look(&self, soon: std::time::Duration, later: std::time::Duration) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.is_closed {
                return false;
            }
            let pace = if state.calls.is_empty() { later } else { soon };
            if state.calls.is_empty() && state.logs == 0 {
                self.called.wait(&mut state);
                continue;
            }
            // Whether the time was up or somebody has called, it is time to look.
            self.called.wait_for(&mut state, pace);
            return !state.is_closed;
        }
    }

    fn log(&self) -> Log<'_> {
        self.state.lock().logs += 1;
        self.call_for_looks();
        Log(self)
    }

    fn call_for_looks(&self) {
        #[cfg(feature = "sqlite")]
        self.called.notify_all();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut state = self.waiters.state.lock();
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
