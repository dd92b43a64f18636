use super::cause::Cause;
use super::error::{EscalationError, EscalationErrorClass};
use super::wait::Outcome;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What is waited for: the escalation, and on whose behalf.
pub(super) type Key = (Box<str>, Option<Box<str>>);

/// The waits that are under way, one for each key.
#[derive(Clone, Default)]
pub(super) struct Waits(Arc<Table>);

type Table = Mutex<HashMap<Key, Weak<Shared>>>;

/// One wait. It runs as a task of its own, so that none of those who share it can hold it up, and ends
/// with the last of them.
struct Shared {
    key: Key,
    waits: Waits,
    told: watch::Receiver<Option<Outcome>>,
    task: AbortHandle,
}

impl Waits {
    /// What comes of the wait for `key`: of the one that is under way, or of `run`, which begins then.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the wait goes on for the others, if there are any.
    pub(super) async fn join<R>(&self, key: Key, run: impl FnOnce() -> R) -> Outcome
    where
        R: Future<Output = Outcome> + Send + 'static,
    {
        let runtime = Handle::try_current().map_err(|error| broken_off(&error))?;
        let shared = self.shared(key, &runtime, run);
        let mut told = shared.told.clone();
        match told.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(broken_off(&NO_END))),
            Err(_task_is_gone) => Err(broken_off(&NO_END)),
        }
    }

    fn shared<R>(&self, key: Key, runtime: &Handle, run: impl FnOnce() -> R) -> Arc<Shared>
    where
        R: Future<Output = Outcome> + Send + 'static,
    {
        // A wait that is dropped takes the lock: none may be dropped in here.
        let mut table = self.0.lock();
        if let Some(shared) = table.get(&key).and_then(Weak::upgrade) {
            return shared;
        }
        let (tell, told) = watch::channel(None);
        let shared = Arc::new_cyclic(|this: &Weak<Shared>| {
            let (waits, this, key, run) =
                (Arc::downgrade(&self.0), this.clone(), key.clone(), run());
            let done_with = key.clone();
            let task = runtime.spawn(async move {
                let outcome = run.await;
                // Whoever comes from now on waits anew.
                if let Some(waits) = waits.upgrade() {
                    let mut table = waits.lock();
                    if table.get(&done_with).is_some_and(|other| other.ptr_eq(&this)) {
                        table.remove(&done_with);
                    }
                }
                tell.send_replace(Some(outcome));
            });
            Shared { key, waits: self.clone(), told, task: task.abort_handle() }
        });
        table.insert(key, Arc::downgrade(&shared));
        shared
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.task.abort();
        let mut table = self.waits.0.lock();
        if table.get(&self.key).is_some_and(|other| other.strong_count() == 0) {
            table.remove(&self.key);
        }
    }
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waits").field(&self.0.lock().len()).finish()
    }
}

const NO_END: &str =
    "the wait was broken off: the runtime that it ran on has ended, or has no timers";

fn broken_off(why: &dyn fmt::Display) -> EscalationError {
    EscalationError::get_failed(EscalationErrorClass::Wait, Cause::said(why))
}
