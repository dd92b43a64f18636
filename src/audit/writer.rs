use super::aside::{Aside, Item};
use super::day::Day;
use super::error::ShutdownError;
use super::event::Event;
use super::journal::Journal;
use super::leftovers::Leftovers;
use super::options::LogOptions;
use super::queue::{Ended, Entry, Health, Phase, Rest, Shared};
use super::retention::{Retention, Turn};
use super::signing::{NoCheckpoint, Sealer};
use super::sink::AuditSink;
use super::sync_watch::{SyncWatch, SyncedFile};
use crate::call::LineSigning;
use crate::clock::Clock;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The writer: the one thread that seals and appends lines.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) sealer: Sealer,
    pub(super) sink: Box<dyn AuditSink>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pace: Pace,
    /// The newest day that has a file: the log never goes back to an earlier one.
    pub(super) day: Option<Day>,
    /// Taken off the queue and not sealed yet.
    pub(super) pending: VecDeque<Entry>,
    pub(super) batch: Batch,
    /// What was appended since the last sync.
    pub(super) dirty: Dirty,
    pub(super) journal: Option<Arc<Journal>>,
    /// What a process before this one left in its journal.
    pub(super) leftovers: Leftovers,
    /// When the newest checkpoint was written.
    pub(super) checkpointed: Option<Instant>,
    /// What removes old days, where that is asked for.
    pub(super) retention: Option<Retention>,
    /// What is written beside the log, where that is asked for.
    pub(super) aside: Option<Aside>,
    /// Why the last sync failed.
    pub(super) not_synced: Option<String>,
}

/// How fast the writer does what.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    pub(super) batch_lines: usize,
    pub(super) linger: Duration,
    pub(super) sign_deadline: Duration,
    pub(super) sync_every: Duration,
    pub(super) checkpoint_every: Duration,
    /// Who hears how long a sync took.
    pub(super) watch: Option<SyncWatch>,
}

impl Pace {
    pub(super) fn of(options: &LogOptions) -> Self {
        // How long lines stand without a checkpoint over them, by default.
        let period = match options.line_signing {
            LineSigning::Record => Duration::from_secs(10),
            LineSigning::Checkpoint => Duration::from_secs(1),
        };
        Self {
            batch_lines: options.batch_lines,
            linger: options.linger,
            sign_deadline: options.sign_deadline,
            sync_every: options.sync_every,
            checkpoint_every: options.checkpoint_every.unwrap_or(period),
            watch: options.sync_watch.clone(),
        }
    }
}

/// Lines that are appended and not synced.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    lines: usize,
    /// When the first of them was appended.
    since: Option<Instant>,
    /// The calls among them that have an intent in the journal.
    intents: Vec<u64>,
    /// Who waits for some of them to be synced.
    told: Vec<oneshot::Sender<()>>,
    /// The number of the next line.
    next_seq: u64,
}

/// Lines of one day that are sealed and not appended yet.
#[derive(Debug, Default)]
pub(super) struct Batch {
    lines: Vec<u8>,
    calls: usize,
    others: usize,
    revived: usize,
    intents: Vec<u64>,
    told: Vec<oneshot::Sender<()>>,
    /// What goes beside the log when it has these lines.
    aside: Vec<Item>,
}

/// What stands in the way of writing.
struct Blocked {
    health: Health,
    why: String,
}

/// How often the writer looks at an empty queue before it sleeps. Calls that come at intervals
/// shorter than all of this never have to wake it.
const LINGERS: u32 = 10;
/// While signing fails, an attempt may take this long, so that the end of the fault is seen soon.
const RETRY_DEADLINE: Duration = Duration::from_secs(1);
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LAST_BACKOFF: Duration = Duration::from_millis(500);
/// Calls that were counted get their line after this time at the latest, even under load.
const MISSED_AGE: Duration = Duration::from_secs(1);
/// What is appended at once is at most this and one line: a start looks at so much of the end of a
/// file, and more.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// A sync is due after so many lines, or calls that have an intent: the journal is short of room
/// as long as they are not durable here.
const SYNC_LINES: usize = 8192;
const SYNC_INTENTS: usize = 512;
/// How often the last calls under way are looked for. They also announce themselves.
const STRAGGLE: Duration = Duration::from_millis(20);

impl Writer {
    /// Writes until the log is closed and everything is written.
    pub(super) fn run(mut self) {
        let guard = EndGuard(Arc::clone(&self.shared));
        let ended = self.work();
        if let Some(aside) = &self.aside {
            aside.close();
        }
        if let Some(journal) = &self.journal {
            journal.close();
        }
        guard.0.end(ended);
    }

    fn work(&mut self) -> Ended {
        let mut spare = Vec::new();
        let mut backoff = FIRST_BACKOFF;
        let mut idle = 0;
        loop {
            let pulse = self.shared.take(&mut spare);
            self.pending.extend(spare.drain(..));
            let is_failing = self.shared.health() != Health::Working;
            if !is_failing {
                let age = if self.pending.is_empty() { Duration::ZERO } else { MISSED_AGE };
                self.queue_missed(age);
            }
            let has_work = !(self.pending.is_empty() && self.batch.is_empty());
            if !has_work && (!is_failing || pulse.phase != Phase::Open) {
                if pulse.phase == Phase::Open {
                    if idle < LINGERS {
                        idle += 1;
                        self.shared.rest(Rest::Lingering, Some(self.pace.linger));
                        continue;
                    }
                    idle = 0;
                    // Nothing came for a while: the lines that are there need not wait.
                    let calm = self.sync().and_then(|()| self.checkpoint_if_due());
                    match calm.and_then(|()| self.retain()) {
                        Ok(true) => idle = LINGERS,
                        Ok(false) => self.shared.rest(Rest::Asleep, self.until_due()),
                        Err(blocked) => self.report(&blocked, is_failing),
                    }
                    continue;
                }
                self.settle(pulse.is_done);
                if pulse.is_done {
                    return self.not_synced.take().map_or(Ok(()), not_synced);
                }
                self.shared.rest(Rest::Straggling, Some(STRAGGLE));
                continue;
            }
            idle = 0;
            let written = self.write_batch(is_failing).and_then(|()| match pulse.phase {
                Phase::Open => self.retain(),
                Phase::Closing | Phase::GivenUp => Ok(false),
            });
            match written {
                Ok(_) => backoff = FIRST_BACKOFF,
                Err(blocked) => {
                    self.report(&blocked, is_failing);
                    if pulse.phase == Phase::GivenUp && self.shared.in_flight() == 0 {
                        return Err(ShutdownError::GivenUp(self.shared.unwritten()));
                    }
                    self.shared.rest(Rest::BackingOff, Some(backoff));
                    backoff = LAST_BACKOFF.min(backoff * 2);
                }
            }
        }
    }

    fn queue_missed(&mut self, age: Duration) {
        if let Some(missed) = self.shared.take_missed(self.clock.monotonic(), age) {
            let event = Event::recovery(self.clock.wall(), missed);
            self.pending.push_back(Entry::Event(Box::new(event)));
        }
    }

    /// Seals what fits into one batch and appends it. What could not be sealed or appended stays,
    /// in its order.
    fn write_batch(&mut self, is_failing: bool) -> Result<(), Blocked> {
        self.turn_page(is_failing)?;
        let sealed = self.seal(is_failing);
        if !self.batch.is_empty() {
            self.append().map_err(|error| Blocked::by(&error))?;
        }
        sealed?;
        if is_failing || self.is_sync_due() {
            self.sync()?;
            self.checkpoint_if_due()?;
        }
        if is_failing {
            tracing::info!("the audit log can be written again");
            self.shared.set_health(Health::Working);
        }
        Ok(())
    }

    /// Before the first line there is a checkpoint of none, and before the first line of a new day
    /// one that closes the old.
    fn turn_page(&mut self, is_failing: bool) -> Result<(), Blocked> {
        if !self.batch.is_empty() {
            return Ok(());
        }
        let deadline = self.sign_deadline(is_failing);
        let Some(next) = self.pending.front().map(Entry::day) else { return Ok(()) };
        if let Some(day) = self.day.filter(|day| *day < next) {
            self.sync()?;
            self.checkpoint(Some(day), deadline)?;
        } else if self.sealer.ledger().is_new() {
            self.checkpoint(None, deadline)?;
        }
        Ok(())
    }

    fn sign_deadline(&self, is_failing: bool) -> Duration {
        if is_failing {
            RETRY_DEADLINE.min(self.pace.sign_deadline)
        } else {
            self.pace.sign_deadline
        }
    }

    fn checkpoint_if_due(&mut self) -> Result<(), Blocked> {
        match self.until_checkpoint() {
            Some(Duration::ZERO) => self.checkpoint(None, self.pace.sign_deadline),
            Some(_) | None => Ok(()),
        }
    }

    /// How long until a checkpoint is due; `None` where every line is under one.
    fn until_checkpoint(&self) -> Option<Duration> {
        if self.sealer.ledger().is_covered() {
            return None;
        }
        let since = |at: Instant| self.clock.monotonic().saturating_duration_since(at);
        let age = self.checkpointed.map_or(Duration::MAX, since);
        Some(self.pace.checkpoint_every.saturating_sub(age))
    }

    /// How long the writer may sleep.
    fn until_due(&self) -> Option<Duration> {
        let retention = self.retention.as_ref().map(|_| Retention::LOOK);
        [self.until_checkpoint(), retention].into_iter().flatten().min()
    }

    /// Removes a little of what was kept for long enough, and says whether there is more of it.
    fn retain(&mut self) -> Result<bool, Blocked> {
        let Some(retention) = &mut self.retention else { return Ok(false) };
        let expired = match retention.turn(&*self.clock) {
            Turn::Rest => return Ok(false),
            Turn::Again => return Ok(true),
            Turn::Record(expired) => expired,
        };
        let event = Event::retention(self.clock.wall(), expired);
        self.shared.place();
        self.pending.push_front(Entry::Event(Box::new(event)));
        self.write_batch(false)?;
        self.sync()?;
        if let Some(retention) = &mut self.retention {
            retention.recorded(expired.day);
        }
        Ok(true)
    }

    /// Everything that was sealed is appended and synced.
    fn checkpoint(&mut self, closed: Option<Day>, deadline: Duration) -> Result<(), Blocked> {
        let signed = self.sealer.checkpoint(closed, deadline).map_err(|error| match error {
            NoCheckpoint::Sign(error) => {
                Blocked { health: Health::SigningFailed, why: error.to_string() }
            }
            NoCheckpoint::Store(error) => Blocked::by(&error),
        });
        if signed.is_ok() {
            self.checkpointed = Some(self.clock.monotonic());
        }
        signed
    }

    fn seal(&mut self, is_failing: bool) -> Result<(), Blocked> {
        let deadline = self.sign_deadline(is_failing);
        while self.batch.len() < self.pace.batch_lines && self.batch.lines.len() < BATCH_BYTES {
            let Some(entry) = self.pending.front() else { break };
            let day = self.day.max(Some(entry.day()));
            if day != self.day && !self.batch.is_empty() {
                break;
            }
            let (start, seq) = (self.batch.lines.len(), self.sealer.next_seq());
            let signed = self.sealer.seal(entry, &mut self.batch.lines, deadline);
            signed.map_err(|error| Blocked {
                health: Health::SigningFailed,
                why: error.to_string(),
            })?;
            self.day = day;
            if let Some(aside) = &self.aside {
                let (_, line) = self.batch.lines.split_at(start);
                aside.copy(entry, line, &mut self.batch.aside);
                Aside::payloads(entry, self.sealer.site(), seq, &mut self.batch.aside);
            }
            match entry {
                Entry::Call(facts) => {
                    self.batch.calls += 1;
                    self.batch.intents.extend(facts.intent);
                }
                Entry::Refused(facts) => {
                    self.batch.others += 1;
                    self.batch.intents.extend(facts.intent);
                }
                Entry::Event(_) | Entry::Noted(_) => self.batch.others += 1,
                Entry::KeyChange(change) => {
                    self.batch.others += 1;
                    if let Some(retention) = &mut self.retention {
                        retention.learn(change.signer.public_key());
                    }
                }
                Entry::Revived(_) => self.batch.revived += 1,
            }
            if let Some(Entry::Noted(noted)) = self.pending.pop_front() {
                self.batch.told.push(noted.told);
            }
        }
        Ok(())
    }

    fn append(&mut self) -> io::Result<()> {
        let Some(day) = self.day else { return Ok(()) };
        let Self { sink, batch, .. } = self;
        without_panic(|| sink.append(day, &batch.lines))?;
        if let Some(aside) = &self.aside {
            aside.send(day, &mut batch.aside);
        }
        self.shared.written(batch.calls, batch.others);
        self.dirty.lines += batch.len();
        self.dirty.next_seq = self.sealer.next_seq();
        self.dirty.since.get_or_insert_with(|| self.clock.monotonic());
        self.dirty.intents.append(&mut batch.intents);
        self.dirty.told.append(&mut batch.told);
        self.leftovers.are_written(batch.revived);
        batch.lines.clear();
        (batch.calls, batch.others, batch.revived) = (0, 0, 0);
        Ok(())
    }

    fn is_sync_due(&self) -> bool {
        let Dirty { lines, since, intents, .. } = &self.dirty;
        let is_old = |since: Instant| {
            self.clock.monotonic().saturating_duration_since(since) >= self.pace.sync_every
        };
        *lines >= SYNC_LINES || intents.len() >= SYNC_INTENTS || since.is_some_and(is_old)
    }

    /// Makes durable what was appended; what the journal has of it is then not needed any more.
    fn sync(&mut self) -> Result<(), Blocked> {
        if self.dirty.since.is_none() {
            return Ok(());
        }
        let began = self.clock.monotonic();
        without_panic(|| self.sink.sync()).map_err(|error| Blocked::by(&error))?;
        if let Some(watch) = &self.pace.watch {
            let took = self.clock.monotonic().saturating_duration_since(began);
            watch.hear(SyncedFile::Log, took);
        }
        self.dirty.since = None;
        self.dirty.lines = 0;
        if let Some(journal) = &self.journal {
            journal.settled(&self.dirty.intents, self.dirty.next_seq);
        }
        self.dirty.intents.clear();
        for told in self.dirty.told.drain(..) {
            // Whoever has gone asks the log again later.
            let (Ok(()) | Err(())) = told.send(());
        }
        self.leftovers.are_synced();
        Ok(())
    }

    fn settle(&mut self, is_done: bool) {
        if let Err(Blocked { why, .. }) = self.sync() {
            tracing::error!(why, "the audit log cannot be synced");
            self.not_synced = Some(why);
        } else if is_done
            && !self.sealer.ledger().is_covered()
            && let Err(Blocked { why, .. }) = self.checkpoint(None, self.sign_deadline(true))
        {
            tracing::error!(why, "the last checkpoint of the audit log cannot be written");
            self.not_synced = Some(why);
        }
        self.shared.settle();
    }

    fn report(&self, blocked: &Blocked, is_failing: bool) {
        if !is_failing {
            let why = &blocked.why;
            tracing::error!(why, "the audit log cannot be written, calls are refused");
        }
        self.shared.set_health(blocked.health);
    }
}

impl Blocked {
    fn by(error: &io::Error) -> Self {
        Self { health: Health::Unavailable, why: error.to_string() }
    }
}

impl Batch {
    fn len(&self) -> usize {
        self.calls + self.others + self.revived
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Entry {
    /// The day of the record's own `ts`.
    fn day(&self) -> Day {
        match self {
            Self::Call(facts) | Self::Refused(facts) => Day::of(facts.arrived),
            Self::Event(event) => Day::of(event.at),
            Self::Noted(noted) => Day::of(noted.event.at),
            Self::KeyChange(change) => Day::of(change.event.at),
            Self::Revived(revived) => revived.day,
        }
    }
}

fn not_synced(why: String) -> Ended {
    Err(ShutdownError::NotSynced(why))
}

fn without_panic(act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(done) => done,
        Err(_panic) => Err(io::Error::other("the sink panicked")),
    }
}

/// Says that the thread has ended, also when it ends by a panic: from then on nothing is admitted.
pub(super) struct EndGuard(pub(super) Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        if self.0.ended.borrow().is_none() {
            self.0.set_health(Health::Unavailable);
            self.0.slots().close();
            self.0.end(Err(ShutdownError::Panicked));
        }
    }
}
