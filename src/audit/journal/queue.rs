use super::entry::Kind;
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The way into the journal.
pub(in crate::audit) struct Journal {
    pub(super) shared: Arc<Shared>,
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
}

/// Says, once, whether something is durable in the journal.
pub(in crate::audit) type Ack = oneshot::Receiver<Result<(), Lost>>;

/// It is not durable, and nobody knows what of it a crash would leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) struct Lost;

/// When a disk counts as stuck: it has worked on one thing for longer than `after`.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Stuck {
    pub(in crate::audit) now: Instant,
    pub(in crate::audit) after: Duration,
}

/// Something to make durable.
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) id: u64,
    pub(super) payload: Vec<u8>,
    pub(super) ack: oneshot::Sender<Result<(), Lost>>,
}

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the thread.
    work: Condvar,
}

#[derive(Default)]
struct State {
    items: Vec<Item>,
    settled: Vec<u64>,
    next_id: u64,
    /// No line of a call that comes now has a lower `seq`.
    base_seq: u64,
    is_asleep: bool,
    phase: Phase,
    /// When the write or sync that runs now began.
    busy_since: Option<Instant>,
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Open,
    /// What was handed in is still written.
    Closing,
    /// Nothing is taken any more.
    Ended,
}

/// What the thread finds when it looks.
pub(super) struct Work {
    pub(super) items: Vec<Item>,
    pub(super) settled: Vec<u64>,
    pub(super) base_seq: u64,
    pub(super) is_closing: bool,
}

impl Journal {
    /// Hands in an intent: the record that the call has if nobody ever learns how it ended.
    /// Refused at once, with nothing handed in, when the disk is `stuck`.
    pub(in crate::audit) fn intend(
        &self,
        payload: Vec<u8>,
        stuck: Stuck,
    ) -> Result<(u64, Ack), Lost> {
        self.shared.hand_in(Kind::Intent, None, payload, stuck)
    }

    /// Hands in the record of a call that has ended, with the number of its intent if it has one.
    pub(in crate::audit) fn conclude(
        &self,
        intent: Option<u64>,
        payload: Vec<u8>,
        stuck: Stuck,
    ) -> Result<(u64, Ack), Lost> {
        self.shared.hand_in(Kind::Outcome, intent, payload, stuck)
    }

    /// The lines of these calls are durable in the log, and so are all with a `seq` below
    /// `base_seq`.
    pub(in crate::audit) fn settled(&self, ids: &[u64], base_seq: u64) {
        let mut state = self.shared.state.lock();
        state.settled.extend_from_slice(ids);
        state.base_seq = state.base_seq.max(base_seq);
    }

    /// Writes what was handed in, removes the files if every line is in the log, and ends. Blocks
    /// until then.
    pub(in crate::audit) fn close(&self) {
        self.shared.begin_end();
        let thread = self.thread.lock().take();
        if let Some(Err(_panic)) = thread.map(JoinHandle::join) {
            tracing::error!("the thread `sec0-journal` panicked");
        }
    }
}

impl Shared {
    fn hand_in(
        &self,
        kind: Kind,
        id: Option<u64>,
        payload: Vec<u8>,
        stuck: Stuck,
    ) -> Result<(u64, Ack), Lost> {
        let (ack, acked) = oneshot::channel();
        let mut state = self.state.lock();
        let is_stuck = |since: Instant| stuck.now.saturating_duration_since(since) > stuck.after;
        if state.phase == Phase::Ended || state.busy_since.is_some_and(is_stuck) {
            return Err(Lost);
        }
        let id = id.unwrap_or(state.next_id);
        state.next_id = state.next_id.max(id.saturating_add(1));
        state.items.push(Item { kind, id, payload, ack });
        let wakes = std::mem::take(&mut state.is_asleep);
        drop(state);
        if wakes {
            self.work.notify_one();
        }
        Ok((id, acked))
    }

    fn begin_end(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
        }
        drop(state);
        self.work.notify_one();
    }
}

/// The thread's side.
impl Shared {
    pub(super) fn new(base_seq: u64) -> Arc<Self> {
        let state = State { base_seq, ..State::default() };
        Arc::new(Self { state: Mutex::new(state), work: Condvar::new() })
    }

    /// Waits until there is something to write, or the end.
    pub(super) fn take(&self) -> Work {
        let mut state = self.state.lock();
        while state.items.is_empty() && state.phase == Phase::Open {
            state.is_asleep = true;
            self.work.wait(&mut state);
        }
        state.is_asleep = false;
        Work {
            items: std::mem::take(&mut state.items),
            settled: std::mem::take(&mut state.settled),
            base_seq: state.base_seq,
            is_closing: state.phase != Phase::Open,
        }
    }

    /// What was settled meanwhile; for somebody who is short of room.
    pub(super) fn take_settled(&self) -> Vec<u64> {
        std::mem::take(&mut self.state.lock().settled)
    }

    pub(super) fn busy(&self, since: Option<Instant>) {
        self.state.lock().busy_since = since;
    }

    /// Nothing is taken any more; what is still queued is lost to those who wait for it.
    pub(super) fn end(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Ended;
        state.busy_since = None;
        state.items.clear();
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}
