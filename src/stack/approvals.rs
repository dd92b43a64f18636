use super::hold::{Held, Holding};
use super::own_thread::wait_for;
use super::unpanicking::Unpanicking;
use crate::approval::{
    Answer, ApprovalStore, Asking, Escalation, EscalationId, Kept, Line, LineAbout, Moment, Opened,
    Overdue, StoreError, settled,
};
use crate::audit::{Event, Log};
use crate::call::SpanIds;
use crate::clock::{Clock, Timestamp};
use crate::digest::Digest;
use crate::sign::Signer;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::{sleep, timeout};

/// How long the store may take for one answer.
pub(super) const ANSWERED: Duration = Duration::from_secs(5);

/// How often time is looked at for escalations that nobody waits for.
pub(super) const TURN: Duration = Duration::from_secs(1);

/// How long the log has to make room for more lines, and how often a start waits for that.
const ROOM: Duration = Duration::from_millis(10);
const ROOMS: u32 = 3000;

/// How many lines, or overdue escalations, a store gives at a time.
const PAGE: usize = 100;

/// How many pages of what is overdue one turn looks at.
const PAGES: usize = 4;

/// The most escalations with damaged lines that are remembered.
const DAMAGED: usize = 4096;

/// The most escalations whose age is measured. What goes beyond is older than it seems, and so is
/// not approved by time.
const MEASURED: usize = 65_536;

/// The approvals of one layer: where they are kept, and what the log must have of them.
pub(super) struct Approvals {
    store: Arc<dyn ApprovalStore>,
    /// The stream of the log; empty for the one without a name.
    stream: Box<str>,
    log: Log,
    clock: Arc<dyn Clock>,
    /// Signs for the connected user: the key of the log.
    signer: Arc<dyn Signer>,
    /// How often somebody has wanted the log to have all lines.
    wanted: AtomicU64,
    /// The number of the last line that went into the log.
    in_the_log: AtomicU64,
    /// Taken by the one who asks for lines together with its question.
    first: Semaphore,
    /// Held while lines go into the log, so that they stand there in their order.
    recording: tokio::sync::Mutex<Recording>,
    /// What this program knows of escalations by itself.
    known: Mutex<HashMap<EscalationId, Known>>,
    /// How far what is overdue was gone through; `None` at its beginning.
    gone_through: Mutex<Option<Overdue>>,
    /// The escalations of which a line was damaged.
    damaged: Mutex<HashSet<EscalationId>>,
    /// The calls that are held.
    holding: Arc<Holding>,
}

/// What this program remembers of an escalation, so that it need not believe the store.
#[derive(Debug, Clone, Copy)]
struct Known {
    since: Instant,
    /// For how long anybody can ask.
    longest: Duration,
    /// What it was when it was first seen.
    digest: Digest,
    is_spent: bool,
}

#[derive(Debug, Default)]
struct Recording {
    /// Which of the wants was met last.
    met: u64,
    /// The number of the last line that went into the log.
    after: u64,
    /// Lines that the log has, and may not be durable there.
    open: VecDeque<(u64, oneshot::Receiver<()>)>,
    /// The number of the last line that is durable there, until the store is told.
    durable: Option<u64>,
}

impl Recording {
    /// Waits until the first line that the log has is durable there: then there is room for another.
    ///
    /// # Errors
    ///
    /// There is none, so it is not these that take the room; or the log has ended.
    async fn one_synced(&mut self) -> Result<(), StoreError> {
        let (number, synced) = self.open.front_mut().ok_or(StoreError::Full)?;
        synced.await.map_err(|_the_log_has_ended| StoreError::Closed)?;
        self.durable = Some(*number);
        self.open.pop_front();
        Ok(())
    }
}

impl Approvals {
    /// Puts into the log what it lacks, as a start does before it serves.
    pub(super) fn open(
        store: Arc<dyn ApprovalStore>,
        stream: Option<&str>,
        log: Log,
        clock: Arc<dyn Clock>,
        signer: Arc<dyn Signer>,
    ) -> Result<Arc<Self>, StoreError> {
        let holding = Arc::new(Holding::of(log.capacity()));
        let approvals = Arc::new(Self {
            store: Arc::new(Unpanicking::over(store)),
            stream: stream.unwrap_or_default().into(),
            log,
            clock,
            signer,
            wanted: AtomicU64::new(0),
            in_the_log: AtomicU64::new(0),
            first: Semaphore::new(1),
            recording: tokio::sync::Mutex::default(),
            known: Mutex::default(),
            gone_through: Mutex::default(),
            damaged: Mutex::default(),
            holding,
        });
        let never = AtomicBool::new(false);
        for _ in 0..ROOMS {
            let recorded = wait_for(&mut Box::pin(approvals.record()), ANSWERED, &never);
            match recorded.unwrap_or(Err(StoreError::Slow)) {
                Err(StoreError::Full) => thread::sleep(ROOM),
                recorded => return recorded.map(|()| approvals),
            }
        }
        Err(StoreError::Slow)
    }

    /// How many calls are held for a decision.
    pub(super) fn held(&self) -> usize {
        self.holding.count()
    }

    /// Where they are.
    pub(super) fn store(&self) -> &Arc<dyn ApprovalStore> {
        &self.store
    }

    /// The stream of the log that records them.
    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// The layer's own key, which stands for the connected user.
    pub(super) fn signer(&self) -> &dyn Signer {
        &*self.signer
    }

    /// How old an escalation is, by all clocks there are. One that this program has not
    /// [learnt](Self::learn) of has no measured age.
    pub(super) fn moment(&self, id: EscalationId) -> Moment {
        let (wall, now) = (self.clock.wall(), self.clock.monotonic());
        let known = self.known.lock();
        let measured = known.get(&id).map(|known| now.saturating_duration_since(known.since));
        Moment { wall, measured }
    }

    /// Measures the age of an escalation from now on, if it was not measured before.
    pub(super) fn learn(&self, escalation: &Escalation) {
        let since = self.clock.monotonic();
        // What time has approved can be used for as long again.
        let longest = escalation.terms().ttl().saturating_mul(2).saturating_add(TURN);
        let digest = escalation.digest();
        let mut known = self.known.lock();
        if known.len() < MEASURED {
            let new = Known { since, longest, digest, is_spent: false };
            known.entry(escalation.id()).or_insert(new);
        }
    }

    /// True when this program has spent the grant, whatever the store says.
    pub(super) fn has_spent(&self, id: EscalationId) -> bool {
        self.known.lock().get(&id).is_some_and(|known| known.is_spent)
    }

    /// Remembers that the grant was spent. False where it was before, or where the escalation is not
    /// as it was when this program first saw it: then somebody has written to the store.
    pub(super) fn spent(&self, escalation: &Escalation) -> bool {
        self.learn(escalation);
        let mut known = self.known.lock();
        // What is not remembered is as the store says.
        known.get_mut(&escalation.id()).is_none_or(|known| {
            known.digest == escalation.digest() && !std::mem::replace(&mut known.is_spent, true)
        })
    }

    /// Room to hold a call of this caller; `None` where too many are held.
    pub(super) fn hold(&self, principal: &str) -> Option<Held> {
        self.holding.hold(principal)
    }

    /// Puts into the log what has happened to approvals until now, in its order. When this ends
    /// well, the lines are on their way before anything that is recorded later.
    ///
    /// # Cancel safety
    ///
    /// What is left out comes with the next look.
    async fn record(&self) -> Result<(), StoreError> {
        let mine = self.wanted.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let mut recording = self.recording.lock().await;
        if recording.met >= mine {
            return Ok(());
        }
        let wanted = self.wanted.load(Ordering::SeqCst);
        loop {
            let lines = self.store.lines(&self.stream, recording.after).await?;
            let is_last = lines.len() < PAGE;
            self.append(&mut recording, lines).await?;
            if is_last {
                break;
            }
        }
        recording.met = wanted;
        Ok(())
    }

    /// The event of a line. `None` for one that is damaged, and for those behind it about the same
    /// escalation: what they say would follow from nothing in the log. The others go on.
    fn event(&self, line: &Line, wall: Timestamp) -> Option<Event> {
        if self.is_damaged(line.id) {
            return None;
        }
        match event(line, wall) {
            Ok(event) => Some(event),
            Err(error) => {
                let (id, number) = (line.id, line.number);
                tracing::error!(%id, number, %error, "a line about an approval cannot be recorded; its grant is refused, and the others go on");
                let mut damaged = self.damaged.lock();
                if damaged.len() < DAMAGED {
                    damaged.insert(line.id);
                }
                None
            }
        }
    }

    /// True where the log lacks a line about the escalation for good: its grant permits nothing.
    pub(super) fn is_damaged(&self, id: EscalationId) -> bool {
        self.damaged.lock().contains(&id)
    }

    /// Puts those of these lines into the log that it lacks. They must go on from a line that it has,
    /// with none left out.
    async fn append(&self, recording: &mut Recording, lines: Vec<Line>) -> Result<(), StoreError> {
        let after = recording.after;
        for line in lines.into_iter().skip_while(|line| line.number <= after) {
            let wall = self.clock.wall();
            let Some(event) = self.event(&line, wall) else {
                recording.after = line.number;
                self.in_the_log.store(line.number, Ordering::SeqCst);
                continue;
            };
            let synced = loop {
                match self.log.event_synced(event.clone()) {
                    Some(synced) => break synced,
                    None => recording.one_synced().await?,
                }
            };
            recording.open.push_back((line.number, synced));
            recording.after = line.number;
            self.in_the_log.store(line.number, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Asks, and puts into the log what has happened until then: what was asked stands there before
    /// anything that is recorded later. The first result is the store's, the second the log's.
    ///
    /// The lines are asked for together with the question, so that a store which answers both from
    /// one transaction is waited for once. Where many ask at a time, one look at the lines does for
    /// all of them, and only the first asks so.
    ///
    /// # Cancel safety
    ///
    /// What is on its way is kept, and what is left out of the log comes with the next look.
    pub(super) async fn ask(
        &self,
        asking: Asking,
    ) -> Result<(Opened, Result<(), StoreError>), StoreError> {
        let (id, now) = (asking.escalation.id(), self.clock.wall());
        let asked = answered(self.store.ask(Arc::new(asking), now));
        let Ok(_first) = self.first.try_acquire() else {
            let opened = self.learnt(asked.await?);
            return Ok((opened, self.recorded().await));
        };
        let after = self.in_the_log.load(Ordering::SeqCst);
        let lines = answered(self.store.lines(&self.stream, after));
        let (opened, lines) = tokio::join!(biased; asked, lines);
        let opened = self.learnt(opened?);
        // The store may have answered in two steps, or the question was there before.
        let lines = lines.ok().filter(|lines| lines.iter().any(|line| line.id == id));
        let has_all = match lines {
            Some(lines) => self.goes_on(lines).await,
            None => false,
        };
        // The whole look says what is wrong, and waits for room.
        Ok((opened, if has_all { Ok(()) } else { self.recorded().await }))
    }

    /// Puts these lines into the log; false where that takes another look.
    async fn goes_on(&self, lines: Vec<Line>) -> bool {
        let appended = async {
            let mut recording = self.recording.lock().await;
            self.append(&mut recording, lines).await
        };
        matches!(timeout(ANSWERED, appended).await, Ok(Ok(())))
    }

    /// The age of what was asked is measured from now on.
    fn learnt(&self, opened: Opened) -> Opened {
        self.learn(&opened.kept.escalation);
        opened
    }

    /// As [`record`](Self::record), for a task, with a bound in time.
    pub(super) async fn recorded(&self) -> Result<(), StoreError> {
        let recorded = async {
            loop {
                match self.record().await {
                    // The log is about to make room.
                    Err(StoreError::Full) => sleep(ROOM).await,
                    recorded => return recorded,
                }
            }
        };
        timeout(ANSWERED, recorded).await.unwrap_or(Err(StoreError::Slow))
    }

    /// Tells the store which lines the log has for good.
    async fn confirm(&self) -> Result<(), StoreError> {
        let mut recording = self.recording.lock().await;
        let mut up_to = recording.durable.take();
        while let Some((number, synced)) = recording.open.front_mut() {
            match synced.try_recv() {
                Ok(()) => up_to = Some(*number),
                // It is not durable yet. Where the log has ended, the next start writes it again.
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
            recording.open.pop_front();
        }
        drop(recording);
        match up_to {
            Some(up_to) => self.store.recorded(&self.stream, up_to).await,
            None => Ok(()),
        }
    }

    /// Looks at what time has decided, and at what the log lacks. One that cannot be settled keeps
    /// no vote on another from being recorded.
    pub(super) async fn turn(&self) -> Result<(), StoreError> {
        let settled = self.settle_overdue().await;
        let recorded = self.record().await;
        let confirmed = self.confirm().await;
        self.forget();
        settled.and(recorded).and(confirmed)
    }

    async fn settle_overdue(&self) -> Result<(), StoreError> {
        let mut settled = Ok(());
        for _ in 0..PAGES {
            // What cannot be decided yet stays where it is: the next page, or turn, begins behind it.
            let after = *self.gone_through.lock();
            let page = self.store.overdue(&self.stream, after, self.clock.wall()).await?;
            for kept in &page {
                *self.gone_through.lock() = Some(kept.overdue());
                settled = settled.and(self.settle_one(kept).await);
            }
            if page.len() < PAGE {
                *self.gone_through.lock() = None;
                break;
            }
        }
        settled
    }

    async fn settle_one(&self, kept: &Kept) -> Result<(), StoreError> {
        let id = kept.escalation.id();
        self.learn(&kept.escalation);
        let moment = self.moment(id);
        // Time may approve only what was measured long enough: before that, the store has no work.
        if settled(kept, moment).is_ok_and(|change| change.is_none()) {
            return Ok(());
        }
        self.store.settle(id, moment).await.map(drop)
    }

    /// Forgets what can no longer be used by anybody.
    fn forget(&self) {
        let now = self.clock.monotonic();
        let lives = |known: &Known| now.saturating_duration_since(known.since) <= known.longest;
        self.known.lock().retain(|_, known| lives(known));
    }

    /// The last turn, before the log ends.
    pub(super) async fn flush(&self) {
        if let Err(error) = self.recorded().await {
            tracing::warn!(%error, "the log lacks lines about approvals; the next start writes them");
        }
    }

    /// The same behind the end of the log, when all of its lines are durable.
    pub(super) async fn settle(&self) {
        let confirmed = timeout(ANSWERED, self.confirm()).await.unwrap_or(Err(StoreError::Slow));
        if let Err(error) = confirmed {
            tracing::warn!(%error, "lines about approvals may stand in the log twice");
        }
    }
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approvals").field("store", &self.store).finish_non_exhaustive()
    }
}

/// The answer of a store, or that it did not come in time. For tasks: it takes a runtime's timer.
pub(super) async fn answered<T>(answer: Answer<T>) -> Result<T, StoreError> {
    timeout(ANSWERED, answer).await.unwrap_or(Err(StoreError::Slow))
}

/// The event that a line of the store is. What is no JSON is not written into a log.
///
/// It may come from another process, whose clock is ahead: a log does not go on into days that have
/// not come.
fn event(line: &Line, now: Timestamp) -> Result<Event, StoreError> {
    let at = line.at.min(now);
    let id = *line.id.as_bytes();
    let body: serde_json::Value = serde_json::from_str(&line.body).map_err(damaged)?;
    let span = SpanIds::default();
    let event = match line.about {
        LineAbout::Created => Event::approval_created(at, span, id, &body),
        LineAbout::Voted => Event::approval_vote(at, span, id, &body),
        LineAbout::Decided { granted } => Event::approval_decided(at, span, id, granted, &body),
    };
    event.map_err(damaged)
}

fn damaged(_: impl std::error::Error) -> StoreError {
    StoreError::Failed("a line about an approval is damaged".into())
}

#[cfg(test)]
#[path = "approvals_tests.rs"]
mod tests;
