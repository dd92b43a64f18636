use super::entry::Kind;
use crate::audit::sync::{AtomicBool, Condvar, JoinHandle, Mutex, yield_now};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
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
    /// How much of the bytes is its record.
    pub(super) length: usize,
    pub(super) ack: oneshot::Sender<Result<(), Lost>>,
}

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the thread.
    work: Condvar,
    /// Something was handed in; for a look without the lock.
    has_items: AtomicBool,
}

#[derive(Default)]
struct State {
    items: Vec<Item>,
    /// Their records, one behind the other. One buffer for all: what one thread allocates and
    /// another frees has both wait for each other in the allocator.
    bytes: Vec<u8>,
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

/// What the thread finds when it looks. It gives it back empty, and its room is used again.
#[derive(Default)]
pub(super) struct Work {
    pub(super) items: Vec<Item>,
    pub(super) bytes: Vec<u8>,
    pub(super) settled: Vec<u64>,
    pub(super) base_seq: u64,
    pub(super) is_closing: bool,
    patience: Patience,
}

/// Whether the thread looks out for work a little longer before it sleeps. A caller whose call has
/// just become durable often has the next one at once, and waking a thread takes longer than that.
/// Where looking out was in vain, it is left for twice as many times as before.
#[derive(Default)]
struct Patience {
    skip: u32,
    skipped: u32,
}

/// How often it looks, giving way to others each time: about as long as a caller needs from one
/// call to the next.
const LOOKS: u32 = if cfg!(all(test, shuttle)) { 2 } else { 256 };
const MOST_SKIPPED: u32 = 64;
/// What a buffer may keep for the next time.
const KEPT: usize = 1024 * 1024;

impl Journal {
    /// Hands in an intent: the record that the call has if nobody ever learns how it ended.
    /// Refused at once, with nothing handed in, when the disk is `stuck`.
    pub(in crate::audit) fn intend(
        &self,
        payload: &[u8],
        stuck: Stuck,
    ) -> Result<(u64, Ack), Lost> {
        self.shared.hand_in(Kind::Intent, None, payload, stuck)
    }

    /// Hands in the record of a call that has ended, with the number of its intent if it has one.
    pub(in crate::audit) fn conclude(
        &self,
        intent: Option<u64>,
        payload: &[u8],
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
        payload: &[u8],
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
        state.items.push(Item { kind, id, length: payload.len(), ack });
        state.bytes.extend_from_slice(payload);
        self.has_items.store(true, Ordering::Release);
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
        Arc::new(Self { state: Mutex::new(state), ..Self::default() })
    }

    /// Waits until there is something to write, or the end.
    pub(super) fn take(&self, work: &mut Work) {
        work.clear();
        work.patience.look_out(|| self.has_items.load(Ordering::Acquire));
        let mut state = self.state.lock();
        while state.items.is_empty() && state.phase == Phase::Open {
            state.is_asleep = true;
            self.work.wait(&mut state);
        }
        state.is_asleep = false;
        self.has_items.store(false, Ordering::Release);
        std::mem::swap(&mut state.items, &mut work.items);
        std::mem::swap(&mut state.bytes, &mut work.bytes);
        std::mem::swap(&mut state.settled, &mut work.settled);
        work.base_seq = state.base_seq;
        work.is_closing = state.phase != Phase::Open;
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
        state.bytes.clear();
    }
}

impl Work {
    fn clear(&mut self) {
        self.items.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.settled.clear();
    }
}

impl Patience {
    fn look_out(&mut self, has_work: impl Fn() -> bool) {
        if self.skipped < self.skip {
            self.skipped += 1;
            return;
        }
        self.skipped = 0;
        for _ in 0..LOOKS {
            if has_work() {
                self.skip = 0;
                return;
            }
            yield_now();
        }
        self.skip = MOST_SKIPPED.min(self.skip * 2 + 1);
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// How often it looked.
    fn looks(patience: &mut Patience, has_work: bool) -> u32 {
        let looks = Cell::new(0);
        patience.look_out(|| {
            looks.set(looks.get() + 1);
            has_work
        });
        looks.get()
    }

    #[test]
    fn a_thread_that_looks_out_in_vain_does_so_ever_less_often() {
        let mut patience = Patience::default();
        let seen: Vec<_> = (0..8).map(|_| looks(&mut patience, false) > 0).collect();
        assert_eq!(seen, [true, false, true, false, false, false, true, false]);
        let rare = (0..6500).filter(|_| looks(&mut patience, false) > 0).count();
        assert!((90..=110).contains(&rare), "{rare} of 6500");
    }

    #[test]
    fn a_thread_that_found_work_looks_out_again_the_next_time() {
        let mut patience = Patience::default();
        looks(&mut patience, false);
        assert_eq!(looks(&mut patience, true), 0, "left out once");
        assert_eq!((looks(&mut patience, true), looks(&mut patience, true)), (1, 1));
    }

    #[test]
    fn records_handed_in_together_are_taken_in_order_and_each_once() {
        let shared = Shared::new(0);
        let now = crate::clock::Clock::monotonic(&*crate::clock::System::shared());
        let stuck = Stuck { now, after: Duration::MAX };
        let mut work = Work::default();
        for round in 0..3 {
            for payload in ["a", "", "ccc"] {
                assert!(shared.hand_in(Kind::Intent, None, payload.as_bytes(), stuck).is_ok());
            }
            shared.take(&mut work);
            let found: Vec<_> = work.items.iter().map(|item| (item.id, item.length)).collect();
            assert_eq!(found, [(round * 3, 1), (round * 3 + 1, 0), (round * 3 + 2, 3)]);
            assert_eq!(work.bytes, b"accc");
        }
    }
}
