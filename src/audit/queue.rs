use super::error::ShutdownError;
use super::event::{Event, Missed};
use super::journal::Revived;
use super::sync::{AtomicU8, Condvar, Mutex, MutexGuard, Semaphore};
use crate::call::Facts;
use crate::clock::Clock;
use crate::sign::Signer;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// Whether the log can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each kind is refused with a code of its own")]
pub enum Health {
    /// It can.
    Working,
    /// The signer fails, or does not answer in time.
    SigningFailed,
    /// The sink fails.
    Unavailable,
}

/// A place in the backlog: leave to run one call, whose record then is sure of its place.
///
/// Dropping it gives the place back.
pub struct Slot(Option<Arc<Shared>>);

/// What waits to be written.
#[derive(Debug)]
pub(super) enum Entry {
    /// A call that has a slot.
    Call(Box<Facts>),
    /// A call that has none: it was refused for want of it, or ran without.
    Refused(Box<Facts>),
    Event(Box<Event>),
    /// An event that somebody wants to know durable.
    Noted(Box<Noted>),
    /// The log goes on under another key.
    KeyChange(Box<KeyChange>),
    /// A call of a process that ended before its line was written.
    Revived(Box<Revived>),
}

/// Something that is counted instead of recorded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Missing {
    /// A call that was refused.
    Refused,
    /// A call that ran all the same.
    Ran,
    Event,
}

/// A key, and the line that introduces it.
#[derive(Debug)]
pub(super) struct KeyChange {
    pub(super) event: Event,
    pub(super) signer: Arc<dyn Signer>,
}

/// An event, and whom to tell when its line is synced.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) event: Event,
    pub(super) told: oneshot::Sender<()>,
}

/// How the writer's thread ended.
pub(super) type Ended = Result<(), ShutdownError>;

/// What the handles and the writer share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the writer.
    work: Condvar,
    /// Wakes whoever drops the last handle.
    settled: Condvar,
    slots: Semaphore,
    health: AtomicU8,
    pub(super) ended: watch::Sender<Option<Ended>>,
    capacity: usize,
    refused_capacity: usize,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    /// Calls pushed and not yet written.
    calls: usize,
    /// Refused calls and events pushed and not yet written.
    others: usize,
    missed: Option<(Missed, Instant)>,
    rest: Rest,
    phase: Phase,
    is_settled: bool,
}

/// How far the end of the log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Phase {
    #[default]
    Open,
    /// No calls are admitted; what is under way or queued is still written.
    Closing,
    /// Nobody waits any more.
    GivenUp,
}

/// What the writer does when it does not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Rest {
    /// It works, or will look at the queue by itself.
    #[default]
    None,
    /// It lets records gather; only somebody who waits wakes it.
    Lingering,
    /// It waits after a fault; only the end wakes it.
    BackingOff,
    /// It waits for work.
    Asleep,
    /// It waits for the last calls under way.
    Straggling,
}

impl Rest {
    fn is_for_work(self) -> bool {
        matches!(self, Self::Asleep | Self::Straggling)
    }
}

/// What the writer finds when it looks at the queue.
pub(super) struct Pulse {
    pub(super) phase: Phase,
    /// No call is under way and nothing is queued.
    pub(super) is_done: bool,
}

impl Shared {
    pub(super) fn new(capacity: usize, refused_capacity: usize) -> Self {
        Self {
            state: Mutex::default(),
            work: Condvar::new(),
            settled: Condvar::new(),
            slots: Semaphore::new(capacity),
            health: AtomicU8::new(0),
            ended: watch::Sender::new(None),
            capacity,
            refused_capacity,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn slots(&self) -> &Semaphore {
        &self.slots
    }

    pub(super) fn push_call(&self, facts: Box<Facts>) {
        let mut state = self.state.lock();
        state.calls += 1;
        self.queue(state, Entry::Call(facts));
    }

    /// Queues a refused call or an event, or counts it when there is no room.
    pub(super) fn push_other(&self, entry: Entry, clock: &dyn Clock) {
        let mut state = self.state.lock();
        if state.others < self.refused_capacity {
            state.others += 1;
            return self.queue(state, entry);
        }
        let is_event = matches!(entry, Entry::Event(_) | Entry::Noted(_) | Entry::KeyChange(_));
        drop(state);
        self.miss(if is_event { Missing::Event } else { Missing::Refused }, clock);
    }

    /// Queues an event; false when there is no room, and then nothing is counted.
    pub(super) fn push_noted(&self, noted: Box<Noted>) -> bool {
        let mut state = self.state.lock();
        let has_room = state.others < self.refused_capacity;
        if has_room {
            state.others += 1;
            self.queue(state, Entry::Noted(noted));
        }
        has_room
    }

    /// Queues a call that ran without a place, or counts it when there is no room for it now.
    pub(super) fn push_unplaced(&self, facts: Box<Facts>, clock: &dyn Clock) {
        if self.health() == Health::Working {
            let mut state = self.state.lock();
            if state.others < self.refused_capacity {
                state.others += 1;
                return self.queue(state, Entry::Refused(facts));
            }
        }
        self.miss(Missing::Ran, clock);
    }

    /// Makes a place for a line of the writer's own.
    pub(super) fn place(&self) {
        let mut state = self.state.lock();
        state.others += 1;
        state.is_settled = false;
    }

    /// Queues what must not be counted instead.
    pub(super) fn push_certainly(&self, entry: Entry) {
        let mut state = self.state.lock();
        state.others += 1;
        self.queue(state, entry);
    }

    /// Counts what is not recorded one by one.
    pub(super) fn miss(&self, what: Missing, clock: &dyn Clock) {
        let (now, since) = (clock.wall(), clock.monotonic());
        let mut state = self.state.lock();
        let nothing = Missed { refused: 0, ran: 0, events: 0, first: now, last: now };
        let (missed, _) = state.missed.get_or_insert((nothing, since));
        let count = match what {
            Missing::Refused => &mut missed.refused,
            Missing::Ran => &mut missed.ran,
            Missing::Event => &mut missed.events,
        };
        *count = count.saturating_add(1);
        missed.last = now;
        state.is_settled = false;
        self.wake(state, Rest::is_for_work);
    }

    /// Has the writer look at the queue now. For somebody who waits for room.
    pub(super) fn hurry(&self) {
        self.wake(self.state.lock(), |rest| matches!(rest, Rest::Lingering | Rest::Asleep));
    }

    /// No more calls; the writer ends when all is written. Also ends a wait after a fault.
    pub(super) fn close(&self) {
        self.slots.close();
        let mut state = self.state.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
        }
        self.wake(state, |rest| rest != Rest::None);
    }

    /// Blocks until the writer has ended; while calls are under way, until everything pushed is
    /// written and synced. After `within` it has the writer give up, and returns false.
    pub(super) fn settle_or_give_up(&self, within: Duration) -> bool {
        let mut state = self.state.lock();
        let waits = |state: &mut State| {
            let has_stragglers = self.taken() > state.calls;
            !(state.is_settled && has_stragglers) && self.ended.borrow().is_none()
        };
        if !self.settled.wait_while_for(&mut state, waits, within).timed_out() {
            return true;
        }
        state.phase = Phase::GivenUp;
        self.wake(state, |rest| rest != Rest::None);
        false
    }

    pub(super) fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            0 => Health::Working,
            1 => Health::SigningFailed,
            _ => Health::Unavailable,
        }
    }

    /// Records that were pushed and are not written.
    pub(super) fn unwritten(&self) -> usize {
        let state = self.state.lock();
        state.calls + state.others
    }

    /// Calls that were admitted and whose record was not pushed.
    pub(super) fn in_flight(&self) -> usize {
        let state = self.state.lock();
        self.taken().saturating_sub(state.calls)
    }

    fn taken(&self) -> usize {
        self.capacity.saturating_sub(self.slots.available_permits())
    }

    fn queue(&self, mut state: MutexGuard<'_, State>, entry: Entry) {
        state.entries.push(entry);
        state.is_settled = false;
        self.wake(state, Rest::is_for_work);
    }

    fn wake(&self, state: MutexGuard<'_, State>, is_meant: impl FnOnce(Rest) -> bool) {
        let wakes = is_meant(state.rest);
        drop(state);
        if wakes {
            self.work.notify_one();
        }
    }
}

/// The writer's side.
impl Shared {
    /// Swaps what is queued against the empty `spare`.
    pub(super) fn take(&self, spare: &mut Vec<Entry>) -> Pulse {
        let mut state = self.state.lock();
        std::mem::swap(&mut state.entries, spare);
        Pulse { phase: state.phase, is_done: state.calls + state.others == 0 && self.taken() == 0 }
    }

    /// Waits, at most for `at_most`; not at all when it is work that it waits for and there is some.
    pub(super) fn rest(&self, rest: Rest, at_most: Option<Duration>) {
        let mut state = self.state.lock();
        let has_work = !state.entries.is_empty() || state.missed.is_some();
        if rest.is_for_work() && has_work || rest == Rest::Asleep && state.phase != Phase::Open {
            return;
        }
        state.rest = rest;
        match at_most {
            Some(at_most) => {
                self.work.wait_for(&mut state, at_most);
            }
            None => self.work.wait(&mut state),
        }
        state.rest = Rest::None;
    }

    /// Gives back the places of what was written.
    pub(super) fn written(&self, calls: usize, others: usize) {
        let mut state = self.state.lock();
        state.calls = state.calls.saturating_sub(calls);
        state.others = state.others.saturating_sub(others);
        drop(state);
        self.slots.add_permits(calls);
    }

    /// What was counted since the last time, when the first of it is `age` old. It then has a place
    /// among what waits to be written.
    pub(super) fn take_missed(&self, now: Instant, age: Duration) -> Option<Missed> {
        let mut state = self.state.lock();
        let is_due = |since: Instant| now.saturating_duration_since(since) >= age;
        let (missed, _) = state.missed.take_if(|(_, since)| is_due(*since))?;
        state.others += 1;
        Some(missed)
    }

    pub(super) fn set_health(&self, health: Health) {
        let code = match health {
            Health::Working => 0,
            Health::SigningFailed => 1,
            Health::Unavailable => 2,
        };
        self.health.store(code, Ordering::Release);
    }

    /// Everything that was pushed is written and synced.
    pub(super) fn settle(&self) {
        let mut state = self.state.lock();
        state.is_settled = state.entries.is_empty() && state.missed.is_none();
        drop(state);
        self.settled.notify_all();
    }

    /// The thread ends; the first word counts.
    pub(super) fn end(&self, ended: Ended) {
        self.ended.send_if_modified(|before| {
            let is_first = before.is_none();
            before.get_or_insert(ended);
            is_first
        });
        // Under the lock, so that nobody misses it between looking and waiting.
        drop(self.state.lock());
        self.settled.notify_all();
    }
}

impl Slot {
    /// The slot of a permit that was taken from `shared` and forgotten.
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self(Some(Arc::clone(shared)))
    }

    /// The call ended: its slot now belongs to its record.
    pub(super) fn spend(mut self) -> Option<Arc<Shared>> {
        self.0.take()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.slots.add_permits(1);
            let state = shared.state.lock();
            let closing = state.phase != Phase::Open;
            shared.wake(state, |rest| closing && rest != Rest::None);
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("health", &self.health())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
