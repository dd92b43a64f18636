use super::approvals::{ANSWERED, Approvals, TURN};
use super::own_thread::wait_for;
use crate::approval::{ApprovalStore, StoreError};
use std::convert::Infallible;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between two looks. Calls that ask and wait look for themselves: what is left for this thread has
/// time, and must not take the store's from them.
const REST: Duration = Duration::from_millis(100);

/// The thread that looks at approvals for which no call waits. It ends with this.
#[derive(Debug)]
pub(super) struct Keeper {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(super) fn start(approvals: &Arc<Approvals>) -> std::io::Result<Self> {
        let ends = Arc::new(AtomicBool::new(false));
        let (weak, store) = (Arc::downgrade(approvals), Arc::clone(approvals.store()));
        let end = Arc::clone(&ends);
        let thread = thread::Builder::new().name("sec0-approvals".to_owned());
        let thread = thread.spawn(move || keep(&weak, &*store, &end))?;
        Ok(Self { ends, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the thread `sec0-approvals` panicked");
            }
        }
    }
}

/// One handle of the log is held only while something is done, so that whoever drops the layer is the
/// one who ends the log.
fn keep(approvals: &Weak<Approvals>, store: &dyn ApprovalStore, ends: &AtomicBool) {
    let (mut is_failing, mut seen) = (false, 0);
    while !ends.load(Ordering::Acquire) {
        {
            let Some(approvals) = approvals.upgrade() else { return };
            let turn = || wait_for(&mut Box::pin(approvals.turn()), ANSWERED, ends);
            match without_panic(turn).unwrap_or_else(|error| Some(Err(error))) {
                Some(Err(error)) if !is_failing => {
                    is_failing = true;
                    tracing::error!(%error, "what happens to approvals cannot be recorded for now");
                }
                Some(Ok(())) if is_failing => {
                    is_failing = false;
                    tracing::info!("what happens to approvals is recorded again");
                }
                Some(Ok(()) | Err(_)) | None => {}
            }
        }
        let stirred = without_panic(|| wait_for(&mut store.stirred(seen), TURN, ends));
        let rest = match stirred {
            Ok(Some(Ok(latest))) => {
                seen = latest;
                REST
            }
            Ok(None) => REST,
            // A store that cannot say is not asked again at once.
            Ok(Some(Err(_))) | Err(_) => TURN,
        };
        let None = wait_for(&mut Box::pin(pending::<Infallible>()), rest, ends);
    }
}

/// A store that panics has failed; the thread goes on.
fn without_panic<T>(act: impl FnOnce() -> T) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|_payload| StoreError::Failed("it panicked".into()))
}
