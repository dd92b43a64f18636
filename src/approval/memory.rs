use super::automaton::{self, Change, NewLine};
use super::binding::CallKey;
use super::bounds::{ApprovalBounds, Used};
use super::id::EscalationId;
use super::moment::Moment;
use super::round::{NextRound, RoundId, Rounds, TakenRound};
use super::spend::Unspendable;
use super::store::{
    Answer, ApprovalStore, Asking, Kept, Line, Opened, Overdue, Presentation, Spent, StoreError,
    Voted,
};
use super::vote::Vote;
use super::waiting::Waiters;
use crate::canonical::CanonicalError;
use crate::clock::Timestamp;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::ready;
use std::ops::Bound;
use std::pin::pin;
use std::sync::Arc;

/// The most that one answer has of overdue escalations, or of lines.
const AT_ONCE: usize = 100;

/// How many that have been over for long go with each new one.
const PURGED: usize = 16;

/// For how long what is over can still be looked at.
const AFTERWARDS: i64 = 7 * 24 * 3600 * 1000;

/// Escalations, votes and grants in the memory of this process: they do not survive its end, and no
/// other process sees them, nor the command.
#[derive(Debug, Clone, Default)]
pub struct MemoryApprovals(Arc<Store>);

#[derive(Debug, Default)]
struct Store {
    held: Arc<Mutex<Held>>,
    waiters: Arc<Waiters>,
    rounds: Mutex<Rounds>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.waiters.close();
    }
}

#[derive(Debug, Default)]
struct Held {
    bounds: ApprovalBounds,
    rows: HashMap<EscalationId, Row>,
    /// Those that are not spent, by call.
    calls: BTreeSet<(CallKey, Timestamp, EscalationId)>,
    /// Those that are not decided, by stream.
    undecided: BTreeSet<(Box<str>, Timestamp, EscalationId)>,
    /// Those without lines to be recorded: all, and by principal.
    over: BTreeSet<(Timestamp, EscalationId)>,
    over_of: BTreeSet<([u8; 32], Timestamp, EscalationId)>,
    /// Those among them that are [done with](Kept::is_done_with), by their last change.
    done: BTreeSet<(u64, EscalationId)>,
    done_of: BTreeSet<([u8; 32], u64, EscalationId)>,
    lines: BTreeMap<(Box<str>, u64), Line>,
    used: HashMap<[u8; 32], Used>,
    all: Used,
    version: u64,
    line: u64,
}

#[derive(Debug)]
struct Row {
    kept: Kept,
    call: CallKey,
    share: [u8; 32],
    stream: Box<str>,
    /// How many lines are to be recorded.
    lines: usize,
    bytes: u64,
}

impl MemoryApprovals {
    /// An empty store with these bounds.
    pub fn new(bounds: ApprovalBounds) -> Self {
        let held = Held { bounds, ..Held::default() };
        let held = Arc::new(Mutex::new(held));
        Self(Arc::new(Store { held, waiters: Arc::default(), rounds: Mutex::default() }))
    }

    /// Runs an event, and wakes who waits for what it has changed.
    fn event<T: Send + 'static>(
        &self,
        id: EscalationId,
        act: impl FnOnce(&mut Held) -> Result<T, StoreError>,
    ) -> Answer<T> {
        let mut held = self.0.held.lock();
        let before = held.version;
        let told = act(&mut held);
        let after = held.version;
        drop(held);
        if after != before {
            self.0.waiters.tell(&[(id, after)]);
        }
        Box::pin(ready(told))
    }

    fn look<T: Send + 'static>(&self, look: impl FnOnce(&mut Held) -> T) -> Answer<T> {
        let found = look(&mut self.0.held.lock());
        Box::pin(ready(Ok(found)))
    }
}

impl ApprovalStore for MemoryApprovals {
    fn ask(&self, asking: Arc<Asking>, now: Timestamp) -> Answer<Opened> {
        self.event(asking.escalation.id(), |held| held.ask(&asking, now))
    }

    fn read(&self, id: EscalationId) -> Answer<Option<Kept>> {
        self.look(|held| held.kept(id))
    }

    fn changed(&self, id: EscalationId, seen: u64) -> Answer<Kept> {
        let (held, waiters) = (Arc::clone(&self.0.held), Arc::clone(&self.0.waiters));
        Box::pin(async move {
            let call = waiters.call(id);
            loop {
                let mut changed = pin!(call.changed.notified());
                changed.as_mut().enable();
                if waiters.is_closed() {
                    return Err(StoreError::Closed);
                }
                let found = held.lock().kept(id);
                if let Some(kept) = found.filter(|kept| kept.version != seen) {
                    return Ok(kept);
                }
                changed.await;
            }
        })
    }

    fn vote(&self, vote: Vote, now: Timestamp) -> Answer<Voted> {
        self.event(vote.escalation_id(), |held| held.vote(vote, now))
    }

    fn settle(&self, id: EscalationId, moment: Moment) -> Answer<Option<Kept>> {
        self.event(id, |held| {
            held.settle(id, moment)?;
            Ok(held.kept(id))
        })
    }

    fn spend(
        &self,
        id: EscalationId,
        presentation: Arc<Presentation>,
        moment: Moment,
    ) -> Answer<Result<Spent, Unspendable>> {
        self.event(id, |held| held.spend(id, &presentation, moment))
    }

    fn expect_round(&self, id: RoundId, next: Arc<NextRound>, now: Timestamp) -> Answer<()> {
        let fits = self.0.rounds.lock().expect(id, &next, now);
        Box::pin(ready(fits.then_some(()).ok_or(StoreError::Full)))
    }

    fn take_round(&self, id: RoundId, call: CallKey, now: Timestamp) -> Answer<TakenRound> {
        let taken = self.0.rounds.lock().take(id, call, now);
        Box::pin(ready(Ok(taken)))
    }

    fn overdue(&self, stream: &str, after: Option<Overdue>, now: Timestamp) -> Answer<Vec<Kept>> {
        self.look(|held| {
            let first = if let Some(Overdue { since, id }) = after {
                Bound::Excluded((stream.into(), since, id))
            } else {
                let start = Timestamp::from_millis(i64::MIN);
                Bound::Included((stream.into(), start, EscalationId::LEAST))
            };
            let due = held.undecided.range((first, Bound::Unbounded));
            let due = due.take_while(|(of, ends, _)| &**of == stream && *ends <= now);
            due.take(AT_ONCE).filter_map(|(_, _, id)| held.kept(*id)).collect()
        })
    }

    fn pending(&self) -> Answer<Option<u64>> {
        self.look(|held| u64::try_from(held.undecided.len()).ok())
    }

    fn lines(&self, stream: &str, after: u64) -> Answer<Vec<Line>> {
        self.look(|held| {
            let lines = held.lines.range((stream.into(), after.saturating_add(1))..);
            let lines = lines.take_while(|((of, _), _)| &**of == stream).take(AT_ONCE);
            lines.map(|(_, line)| line.clone()).collect()
        })
    }

    fn recorded(&self, stream: &str, up_to: u64) -> Answer<()> {
        self.look(|held| held.recorded(stream, up_to))
    }

    fn stirred(&self, seen: u64) -> Answer<u64> {
        let waiters = Arc::clone(&self.0.waiters);
        Box::pin(async move { waiters.stirred(seen).await.ok_or(StoreError::Closed) })
    }

    fn is_durable(&self) -> bool {
        false
    }
}

impl Held {
    fn kept(&self, id: EscalationId) -> Option<Kept> {
        self.rows.get(&id).map(|row| row.kept.clone())
    }

    fn ask(&mut self, asking: &Asking, now: Timestamp) -> Result<Opened, StoreError> {
        let long_ago = Timestamp::from_millis(now.as_millis().saturating_sub(AFTERWARDS));
        for _ in 0..PURGED {
            if !self.purge(long_ago) {
                break;
            }
        }
        let binding = asking.escalation.binding();
        let (call, share) = (binding.call_key().map_err(failed)?, binding.share());
        if let Some(kept) = self.open(call, now) {
            return Ok(Opened { kept, is_new: false });
        }
        let bytes = asking.bytes();
        self.make_room(share, bytes, now)?;
        if self.rows.contains_key(&asking.escalation.id()) {
            return Err(StoreError::Failed("an escalation with this id is there already".into()));
        }
        let (mut kept, lines) = automaton::opened(asking, now).map_err(failed)?;
        self.version += 1;
        kept.version = self.version;
        let id = asking.escalation.id();
        let stream = asking.stream.clone();
        self.rows.insert(id, Row { kept: kept.clone(), call, share, stream, lines: 0, bytes });
        for used in [&mut self.all, self.used.entry(share).or_default()] {
            used.rows += 1;
            used.bytes += bytes;
        }
        self.index(id);
        self.add_lines(id, &lines);
        Ok(Opened { kept, is_new: true })
    }

    fn open(&self, call: CallKey, now: Timestamp) -> Option<Kept> {
        let first = (call, Timestamp::from_millis(i64::MIN), EscalationId::LEAST);
        let same = self.calls.range(first..).take_while(|(of, _, _)| *of == call);
        let open = |id: &EscalationId| self.kept(*id).filter(|kept| kept.is_open(now));
        same.filter_map(|(_, _, id)| open(id)).last()
    }

    fn vote(&mut self, vote: Vote, now: Timestamp) -> Result<Voted, StoreError> {
        let id = vote.escalation_id();
        let Some(row) = self.rows.get(&id) else { return Ok(Voted::NotFound) };
        let taken = automaton::voted(&row.kept, vote, now).map_err(failed)?;
        self.save(id, &taken.change);
        Ok(match (taken.why_not, self.kept(id)) {
            (Some(why), _) => Voted::Not(why),
            (None, Some(kept)) => Voted::Counted(kept),
            (None, None) => Voted::NotFound,
        })
    }

    fn settle(&mut self, id: EscalationId, moment: Moment) -> Result<(), StoreError> {
        let Some(row) = self.rows.get(&id) else { return Ok(()) };
        if let Some(change) = automaton::settled(&row.kept, moment).map_err(failed)? {
            self.save(id, &change);
        }
        Ok(())
    }

    fn spend(
        &mut self,
        id: EscalationId,
        presentation: &Presentation,
        moment: Moment,
    ) -> Result<Result<Spent, Unspendable>, StoreError> {
        self.settle(id, moment)?;
        let kept = self.kept(id);
        let verdict = match automaton::spent(kept.as_ref(), presentation, moment) {
            Ok(verdict) => verdict,
            Err(why) => return Ok(Err(why)),
        };
        self.edit(id, |kept| kept.spent_at = Some(moment.wall));
        let kept = self.kept(id).ok_or(StoreError::Closed)?;
        Ok(Ok(Spent { kept, verdict }))
    }

    fn recorded(&mut self, stream: &str, up_to: u64) {
        let mut later = self.lines.split_off(&(stream.into(), 0));
        let rest = later.split_off(&(stream.into(), up_to.saturating_add(1)));
        self.lines.extend(rest);
        for line in later.into_values() {
            self.unindex(line.id);
            if let Some(row) = self.rows.get_mut(&line.id) {
                row.lines = row.lines.saturating_sub(1);
            }
            self.index(line.id);
        }
    }

    /// Saves what an event has changed.
    fn save(&mut self, id: EscalationId, change: &Change) {
        if change.lines.is_empty() {
            return;
        }
        self.edit(id, |kept| kept.apply(change));
        let vote = change.lines.first().filter(|_| change.cast.is_some());
        let bytes = vote.map_or(0, |line| count(line.body.len()));
        if let Some(row) = self.rows.get_mut(&id) {
            row.bytes += bytes;
            self.all.bytes += bytes;
            self.used.entry(row.share).or_default().bytes += bytes;
        }
        self.add_lines(id, &change.lines);
    }

    fn edit(&mut self, id: EscalationId, edit: impl FnOnce(&mut Kept)) {
        self.unindex(id);
        if let Some(row) = self.rows.get_mut(&id) {
            edit(&mut row.kept);
            self.version += 1;
            row.kept.version = self.version;
        }
        self.index(id);
    }

    fn add_lines(&mut self, id: EscalationId, lines: &[NewLine]) {
        self.unindex(id);
        let Some(row) = self.rows.get_mut(&id) else { return };
        row.lines += lines.len();
        for NewLine { at, about, body } in lines {
            self.line += 1;
            let (number, at, about, body) = (self.line, *at, *about, body.clone());
            let key = (row.stream.clone(), number);
            self.lines.insert(key, Line { number, id, at, about, body });
        }
        self.index(id);
    }

    fn index(&mut self, id: EscalationId) {
        let Some(Row { kept, call, share, stream, lines, .. }) = self.rows.get(&id) else { return };
        let over_at = kept.over_at();
        if kept.spent_at.is_none() {
            self.calls.insert((*call, over_at, id));
        }
        if kept.ended.is_none() {
            self.undecided.insert((stream.clone(), kept.escalation.expires_at(), id));
        }
        if *lines == 0 {
            self.over.insert((over_at, id));
            self.over_of.insert((*share, over_at, id));
            if kept.is_done_with() {
                self.done.insert((kept.version, id));
                self.done_of.insert((*share, kept.version, id));
            }
        }
    }

    fn unindex(&mut self, id: EscalationId) {
        let Some(Row { kept, call, share, stream, .. }) = self.rows.get(&id) else { return };
        let over_at = kept.over_at();
        self.calls.remove(&(*call, over_at, id));
        self.undecided.remove(&(stream.clone(), kept.escalation.expires_at(), id));
        self.over.remove(&(over_at, id));
        self.over_of.remove(&(*share, over_at, id));
        self.done.remove(&(kept.version, id));
        self.done_of.remove(&(*share, kept.version, id));
    }

    fn make_room(&mut self, share: [u8; 32], len: u64, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let used = self.used.get(&share).copied().unwrap_or_default();
            let removed = if !self.bounds.fits_share(used, len) {
                self.purge_of(share, now) || self.purge_done_of(share)
            } else if !self.bounds.fits_all(self.all, len) {
                self.purge(now) || self.purge_done()
            } else {
                return Ok(());
            };
            if !removed {
                return Err(StoreError::Full);
            }
        }
    }

    /// Removes the one that has been over for longest by then.
    fn purge(&mut self, by: Timestamp) -> bool {
        let first = self.over.first().filter(|(over_at, _)| *over_at <= by);
        first.map(|(_, id)| *id).is_some_and(|id| self.remove(id))
    }

    fn purge_of(&mut self, share: [u8; 32], by: Timestamp) -> bool {
        let first = (share, Timestamp::from_millis(i64::MIN), EscalationId::LEAST);
        let first = self.over_of.range(first..).next();
        let first = first.filter(|(of, over_at, _)| *of == share && *over_at <= by);
        first.map(|(_, _, id)| *id).is_some_and(|id| self.remove(id))
    }

    /// Removes the one that has been done with for longest.
    fn purge_done(&mut self) -> bool {
        self.done.first().map(|(_, id)| *id).is_some_and(|id| self.remove(id))
    }

    fn purge_done_of(&mut self, share: [u8; 32]) -> bool {
        let first = self.done_of.range((share, 0, EscalationId::LEAST)..).next();
        let first = first.filter(|(of, _, _)| *of == share);
        first.map(|(_, _, id)| *id).is_some_and(|id| self.remove(id))
    }

    fn remove(&mut self, id: EscalationId) -> bool {
        self.unindex(id);
        let Some(Row { share, bytes, .. }) = self.rows.remove(&id) else { return false };
        let of = self.used.entry(share).or_default();
        for used in [&mut *of, &mut self.all] {
            used.rows = used.rows.saturating_sub(1);
            used.bytes = used.bytes.saturating_sub(bytes);
        }
        if of.rows == 0 {
            self.used.remove(&share);
        }
        true
    }
}

fn failed(error: CanonicalError) -> StoreError {
    StoreError::Failed(error.to_string().into())
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
