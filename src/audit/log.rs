use super::aside::{Aside, Counts, LeftOut};
use super::disk::Disk;
use super::envelope::{Form, Site, write_call};
use super::error::{OpenError, ShutdownError};
use super::event::Event;
use super::journal::{self, Ack, Journal, Lost, Stuck};
use super::leftovers::Leftovers;
use super::options::LogOptions;
use super::past::Past;
use super::queue::{Entry, Health, KeyChange, Missing, Noted, Shared, Slot};
use super::raw::Capture;
use super::retention::Retention;
use super::signing::{Seal, Sealer};
use super::stream::Stream;
use super::sync::{Builder, JoinHandle, Mutex};
use super::writer::{Batch, Dirty, Pace, Writer};
use crate::call::Facts;
use crate::clock::Clock;
use crate::sign::Signer;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{TryAcquireError, oneshot};

/// The way into the audit log. Clones are cheap and write to the same log.
///
/// A call is admitted before it runs ([`admit`](Self::admit)) and recorded when it ends
/// ([`push`](Self::push)), which always succeeds. The thread `sec0-audit` signs and writes: what
/// is pushed while it works, or within the millisecond that it lets records gather, is appended
/// together. That is the window of this mode: a crash of the process takes what was pushed and not
/// appended, normally the records of about a millisecond and at most the backlog.
///
/// Dropping the last clone writes what was pushed and blocks for it, 2 seconds at most unless the
/// options say otherwise.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    site: Arc<Site>,
    journal: Option<Arc<Journal>>,
    aside: Option<Arc<Counts>>,
    capture: Option<Capture>,
    durable_within: Duration,
    thread: Mutex<Option<JoinHandle<()>>>,
    drop_within: Duration,
}

/// Whether a call may run, as far as its record is concerned.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the caller must handle each")]
pub enum Admit {
    /// It may; its record has this place.
    Slot(Slot),
    /// The backlog is full: wait with [`Log::admit_within`].
    Full,
    /// The log is shut down.
    Closed,
}

/// Why a call was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the caller must handle each")]
pub enum Refused {
    /// The backlog stayed full.
    #[error("the backlog of the audit log is full; see whether disk and signer keep up")]
    Backlog,
    /// The log is shut down.
    #[error("the audit log is shut down")]
    Closed,
}

impl Log {
    /// Opens the log: goes on behind its last line and starts the writer.
    ///
    /// # Errors
    ///
    /// The end of the log cannot be read, its last line is no record, a line behind its last
    /// checkpoint is not signed as it must be, or the thread cannot be started.
    pub fn open(mut options: LogOptions) -> Result<Self, OpenError> {
        let (signing, wanted) = (options.line_signing, options.aside());
        let mut keys = vec![options.signer.public_key()];
        keys.append(&mut options.former_keys);
        let past = Past::read(&mut *options.sink, &options.site.tenant, &keys, signing)?;
        if past.home.is_none() && options.needs_disk() {
            return Err(OpenError::NoDisk);
        }
        let (pace, clock) = (Pace::of(&options), options.clock);
        let journal = match &past.home {
            Some(home) if options.has_journal => Some(start_journal(home, &clock, &past, &pace)?),
            Some(_) | None => None,
        };
        let shared = Arc::new(Shared::new(options.capacity, options.refused_capacity));
        for event in past.events(clock.wall()) {
            shared.push_other(Entry::Event(Box::new(event)), &*clock);
        }
        let Past { home, day, chain, ledger, found, .. } = past;
        let (aside, counts) = Aside::wanted(home.as_ref(), wanted)?;
        let capture =
            options.raw.zip(counts.clone()).map(|(raw, counts)| Capture::new(raw, counts));
        let days = home.as_ref().zip(options.retain_days);
        let tenant = &options.site.tenant;
        let retention = days.map(|(home, days)| Retention::new(home, tenant, keys, days, &*clock));
        let leftovers =
            Leftovers::new(home.map(|(disk, _)| disk), found.files, found.records.len());
        let revived = found.records.into_iter().map(|record| Entry::Revived(Box::new(record)));
        let site = Arc::new(options.site);
        let (sealed, signer, ticks) = (Arc::clone(&site), options.signer, Arc::clone(&clock));
        let seal = Seal { site: sealed, signer, signing, clock: ticks };
        let writer = Writer {
            shared: Arc::clone(&shared),
            sealer: Sealer::new(seal, chain, ledger),
            sink: options.sink,
            clock: Arc::clone(&clock),
            pace,
            day,
            pending: revived.collect(),
            batch: Batch::default(),
            dirty: Dirty::default(),
            journal: journal.clone(),
            leftovers,
            checkpointed: None,
            retention,
            aside,
            not_synced: None,
        };
        let thread = Mutex::new(Some(spawn(writer, options.runtime)?));
        Ok(Self(Arc::new(Inner {
            shared,
            clock,
            site,
            journal,
            aside: counts,
            capture,
            durable_within: options.durable_within,
            thread,
            drop_within: options.drop_within,
        })))
    }

    /// Asks for a place without waiting.
    pub fn admit(&self) -> Admit {
        match self.0.shared.slots().try_acquire() {
            Ok(permit) => {
                permit.forget();
                Admit::Slot(Slot::of(&self.0.shared))
            }
            Err(TryAcquireError::NoPermits) => Admit::Full,
            Err(TryAcquireError::Closed) => Admit::Closed,
        }
    }

    /// Asks for a place and waits for it, in the order of those who ask.
    ///
    /// # Errors
    ///
    /// There was no place within `wait`, or the log is shut down. Such a call is recorded with
    /// [`push_refused`](Self::push_refused).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the wait and nothing else.
    pub async fn admit_within(&self, wait: Duration) -> Result<Slot, Refused> {
        match self.admit() {
            Admit::Slot(slot) => return Ok(slot),
            Admit::Closed => return Err(Refused::Closed),
            Admit::Full => self.0.shared.hurry(),
        }
        match tokio::time::timeout(wait, self.0.shared.slots().acquire()).await {
            Ok(Ok(permit)) => {
                permit.forget();
                Ok(Slot::of(&self.0.shared))
            }
            Ok(Err(_closed)) => Err(Refused::Closed),
            Err(_elapsed) => Err(Refused::Backlog),
        }
    }

    /// Records a call that was admitted. Never fails, waits, or touches a file: the place is
    /// there. It is free again when the line is written.
    pub fn push(&self, slot: Slot, facts: Box<Facts>) {
        drop(slot.spend());
        self.0.shared.push_call(facts);
    }

    /// Hands in the intent of a call whose handler is about to run. Wait for the [`Durable`] before
    /// it does: then the call has its record whatever happens, at worst one that says that its
    /// outcome is not known. The call is recorded with [`push`](Self::push) when it ends, whether
    /// or not its intent became durable.
    ///
    /// # Errors
    ///
    /// The log has no journal, or the disk has not answered for a while. Nothing was handed in.
    pub fn intend(&self, facts: &mut Facts) -> Result<Durable, NotDurable> {
        let journal = self.0.journal.as_ref().ok_or(NotDurable)?;
        let handed_in = self
            .with_payload(facts, Form::Intent, |payload| journal.intend(payload, self.0.stuck()));
        let (id, ack) = handed_in.map_err(|Lost| NotDurable)?;
        facts.intent = Some(id);
        Ok(Durable { ack, within: self.0.durable_within })
    }

    /// [`push`](Self::push), with the record handed to the journal too: the [`Durable`] says when
    /// a crash cannot take it any more. It is recorded, sooner or later, in any case.
    ///
    /// # Errors
    ///
    /// The record is queued, and not durable for now.
    pub fn push_durable(
        &self,
        slot: Option<Slot>,
        mut facts: Box<Facts>,
    ) -> Result<Durable, NotDurable> {
        let handed_in = match &self.0.journal {
            Some(journal) => self.with_payload(&facts, Form::Outcome, |payload| {
                journal.conclude(facts.intent, payload, self.0.stuck())
            }),
            None => Err(Lost),
        };
        if let Ok((id, _)) = &handed_in {
            facts.intent = Some(*id);
        }
        match slot {
            Some(slot) => self.push(slot, facts),
            None => self.push_refused(facts),
        }
        let (_, ack) = handed_in.map_err(|Lost| NotDurable)?;
        Ok(Durable { ack, within: self.0.durable_within })
    }

    fn with_payload<T>(
        &self,
        facts: &Facts,
        form: Form<'_>,
        hand_in: impl FnOnce(&[u8]) -> T,
    ) -> T {
        // A thread that is about to end has no paper of its own any more; a new sheet does.
        let mut paper = PAPER.try_with(Cell::take).unwrap_or_default();
        paper.clear();
        write_call(&mut paper, facts, &self.0.site, form);
        let handed_in = hand_in(&paper);
        if paper.capacity() <= KEPT_PAPER {
            PAPER.try_with(|kept| kept.set(paper)).unwrap_or_default();
        }
        handed_in
    }

    /// Records a call that was refused for want of a place. There is room for some of them, 1024
    /// unless the options say otherwise; more are counted, and the count is recorded.
    pub fn push_refused(&self, facts: Box<Facts>) {
        self.0.shared.push_other(Entry::Refused(facts), &*self.0.clock);
    }

    /// Records a call that ran without a place, where a program goes on without records. While the
    /// log cannot be written it is counted, and the line of [`refused`](Self::refused) has the
    /// number.
    pub fn push_unplaced(&self, facts: Box<Facts>) {
        self.0.shared.push_unplaced(facts, &*self.0.clock);
    }

    /// Records something that is no call. Shares the room of [`push_refused`](Self::push_refused).
    pub fn event(&self, event: Event) {
        self.0.shared.push_other(Entry::Event(Box::new(event)), &*self.0.clock);
    }

    /// [`event`](Self::event), with word when its line is durable: what it gives back ends then, and
    /// with an error if the log ends before. `None` when there is no room now; nothing is counted.
    pub fn event_synced(&self, event: Event) -> Option<oneshot::Receiver<()>> {
        let (told, synced) = oneshot::channel();
        self.0.shared.push_noted(Box::new(Noted { event, told })).then_some(synced)
    }

    /// Goes on under the key of `signer`. A line that the old key signs introduces it
    /// (`event: key_change`), so a reader who knows the old key follows; the lines after it are
    /// signed by the new one.
    pub fn change_key(&self, signer: Arc<dyn Signer>) {
        let event = Event::key_change(self.0.clock.wall(), signer.public_key());
        self.0.shared.push_certainly(Entry::KeyChange(Box::new(KeyChange { event, signer })));
    }

    /// Counts a call that was refused because the log cannot be written. When it can be written
    /// again, one line has the number of them, and the time of the first and the last.
    pub fn refused(&self) {
        self.0.shared.miss(Missing::Refused, &*self.0.clock);
    }

    /// For how many calls there is a place at a time.
    pub(crate) fn capacity(&self) -> usize {
        self.0.shared.capacity()
    }

    /// Whether the log can be written. One atomic load.
    pub fn health(&self) -> Health {
        self.0.shared.health()
    }

    /// Records that were pushed and are not written.
    pub fn unwritten(&self) -> usize {
        self.0.shared.unwritten()
    }

    /// Calls that were admitted and have not ended.
    pub fn under_way(&self) -> usize {
        self.0.shared.in_flight()
    }

    /// What takes the payloads of calls, where they are to be kept as they are; they go into the
    /// record with [`Facts::payloads`].
    pub fn capture(&self) -> Option<&Capture> {
        self.0.capture.as_ref()
    }

    /// What could not be written beside the log since it was opened.
    pub fn left_out(&self) -> LeftOut {
        self.0.aside.as_deref().map_or(LeftOut::default(), Counts::get)
    }

    /// Ends the log: admits no more calls, waits for those under way, writes and syncs everything.
    ///
    /// # Errors
    ///
    /// Not everything was done `within` that time, or the last sync failed.
    ///
    /// # Cancel safety
    ///
    /// The end goes on when the future is dropped; calling again waits for it again.
    pub async fn shutdown(&self, within: Duration) -> Result<(), ShutdownError> {
        let shared = &self.0.shared;
        shared.close();
        let mut ended = shared.ended.subscribe();
        let ended = match tokio::time::timeout(within, ended.wait_for(Option::is_some)).await {
            Ok(Ok(ended)) => ended.clone(),
            // The sender lives in `shared`.
            Ok(Err(_closed)) => None,
            Err(_elapsed) => {
                let (unwritten, in_flight) = (shared.unwritten(), shared.in_flight());
                return Err(ShutdownError::Late { unwritten, in_flight });
            }
        };
        self.0.join();
        ended.unwrap_or(Err(ShutdownError::Panicked))
    }
}

impl Inner {
    fn stuck(&self) -> Stuck {
        Stuck { now: self.clock.monotonic(), after: self.durable_within }
    }

    /// Collects the thread, which has said that it ends.
    fn join(&self) {
        let thread = self.thread.lock().take();
        if let Some(Err(_panic)) = thread.map(JoinHandle::join) {
            tracing::error!("the thread `sec0-audit` panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.close();
        let is_settled = self.shared.settle_or_give_up(self.drop_within);
        if self.shared.ended.borrow().is_some() {
            self.join();
        }
        if !is_settled {
            let unwritten = self.shared.unwritten();
            tracing::error!(unwritten, "the audit log was given up with records unwritten");
        }
    }
}

/// The wait until something is durable in the journal.
#[derive(Debug)]
#[must_use = "nothing is durable before the wait is over"]
pub struct Durable {
    ack: Ack,
    within: Duration,
}

/// Something is not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal of the audit log cannot be written now; see whether the disk works")]
#[non_exhaustive]
pub struct NotDurable;

impl Durable {
    /// Waits, at most as long as the options of the log say.
    ///
    /// # Errors
    ///
    /// It is not durable as far as anybody knows.
    ///
    /// # Cancel safety
    ///
    /// What was handed in stays so.
    pub async fn wait(self) -> Result<(), NotDurable> {
        match tokio::time::timeout(self.within, self.ack).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(Lost)) | Err(_)) | Err(_) => Err(NotDurable),
        }
    }
}

thread_local! {
    /// What the last record of this thread for the journal was written on.
    static PAPER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

const KEPT_PAPER: usize = 16 * 1024;

fn spawn(writer: Writer, runtime: Option<Handle>) -> Result<JoinHandle<()>, OpenError> {
    let runtime = runtime.or_else(|| Handle::try_current().ok());
    let thread = Builder::new().name("sec0-audit".to_owned());
    let thread = thread.spawn(move || {
        let _runtime = runtime.as_ref().map(Handle::enter);
        writer.run();
    });
    thread.map_err(OpenError::Thread)
}

fn start_journal(
    (disk, stream): &(Arc<dyn Disk>, Stream),
    clock: &Arc<dyn Clock>,
    past: &Past,
    pace: &Pace,
) -> Result<Arc<Journal>, OpenError> {
    // A disk that does not count, or lost the count with its power, has the files to count on.
    let epoch = disk.epoch().max(past.found.epoch.saturating_add(1));
    let (disk, clock) = (Arc::clone(disk), Arc::clone(clock));
    let watch = pace.watch.clone();
    let journal = journal::start(disk, stream.journal(), clock, (epoch, past.chain.seq), watch);
    journal.map(Arc::new).map_err(OpenError::Thread)
}
