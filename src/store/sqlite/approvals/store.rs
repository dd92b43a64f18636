use super::damaged::Named;
use super::events::{self, Outcome};
use super::place::Place;
use super::watch::Watch;
use super::{lines, rounds, rows};
use crate::approval::{
    Answer, ApprovalBounds, ApprovalStore, Asking, CallKey, EscalationId, Kept, Line, Moment,
    NextRound, Opened, Overdue, Presentation, RoundId, Spent, StoreError, TakenRound, Unspendable,
    Vote, Voted,
};
use crate::clock::Timestamp;
use crate::store::sqlite::error::DbError;
use crate::store::sqlite::keys::SqliteStore;
use crate::store::sqlite::worker::Worker;
use crate::store::sqlite::{FILE, file};
use rusqlite::Connection;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many events of one process may be under way at a time; more wait for their turn.
const AT_A_TIME: usize = 4096;

/// Escalations, votes and grants in `sec0.db`. They survive the end of the process, and all
/// processes that use the directory see the same.
#[derive(Debug, Clone)]
pub struct SqliteApprovals {
    worker: Worker,
    watch: Arc<Watch>,
    place: Arc<Place>,
    bounds: ApprovalBounds,
    turns: Arc<Semaphore>,
    named: Arc<Named>,
}

impl SqliteApprovals {
    /// Opens `sec0.db` in `dir`, or makes it. The directory must exist, be ours and private, as an
    /// audit directory is once its log was opened.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or made, is a link or somebody else's, is no database of sec0, or
    /// was written by a later version.
    pub fn open(dir: &Path, bounds: ApprovalBounds) -> Result<Self, DbError> {
        let connection = file::open(dir, true)?;
        let worker = Worker::start(connection, ())
            .map_err(|error| DbError::open(&dir.join(FILE), &error))?;
        Self::over(worker, dir, bounds)
    }

    /// Uses the connection that `keys` has opened: what waits at the same time shares a
    /// transaction.
    ///
    /// # Errors
    ///
    /// The file cannot be opened once more, for looking at the changes of others.
    pub fn beside(keys: &SqliteStore, bounds: ApprovalBounds) -> Result<Self, DbError> {
        Self::over(keys.worker(), keys.dir(), bounds)
    }

    fn over(worker: Worker, dir: &Path, bounds: ApprovalBounds) -> Result<Self, DbError> {
        let watch = Arc::new(Watch::start(file::open(dir, false)?)?);
        let place = Arc::new(Place::of(&dir.join(FILE)));
        let turns = Arc::new(Semaphore::new(AT_A_TIME));
        Ok(Self { worker, watch, place, bounds, turns, named: Arc::default() })
    }

    /// What the thread that watches holds as long as it runs.
    #[cfg(test)]
    pub(super) fn waiters(&self) -> std::sync::Weak<crate::approval::Waiters> {
        Arc::downgrade(self.watch.waiters())
    }

    /// Runs an event, and wakes who waits for what it has changed once that is durable.
    fn event<T: Send + 'static>(
        &self,
        mut act: impl FnMut(&Connection) -> Result<Outcome<T>, DbError> + Send + 'static,
    ) -> Answer<T> {
        let (worker, turns) = (self.worker.clone(), Arc::clone(&self.turns));
        let place = Arc::clone(&self.place);
        let act = move |db: &Connection| {
            place.check()?;
            act(db)
        };
        let waiters = Arc::clone(self.watch.waiters());
        Box::pin(async move {
            let turn = turns.acquire_owned().await.map_err(|_closed| StoreError::Closed)?;
            let told = move |outcome: Outcome<T>| {
                drop(turn);
                if let Some((id, version)) = outcome.changed {
                    waiters.tell(&[(id, version)]);
                }
                outcome.told
            };
            let answer = worker.ask(act, told).await.map_err(|_closed| StoreError::Closed)?;
            answer.map_err(|error| StoreError::Failed(error.to_string().into()))
        })
    }

    fn look<T: Send + 'static>(
        &self,
        act: impl Fn(&Connection) -> Result<T, DbError> + Send + 'static,
    ) -> Answer<T> {
        self.event(move |db| act(db).map(Outcome::of))
    }
}

impl ApprovalStore for SqliteApprovals {
    fn ask(&self, asking: Arc<Asking>, now: Timestamp) -> Answer<Opened> {
        let (bounds, named) = (self.bounds, Arc::clone(&self.named));
        let answer = self.event(move |db| events::ask(db, &asking, (&bounds, &named), now));
        Box::pin(async move { answer.await? })
    }

    fn read(&self, id: EscalationId) -> Answer<Option<Kept>> {
        self.look(move |db| Ok(rows::by_id(db, id)?.map(|row| row.kept)))
    }

    fn changed(&self, id: EscalationId, seen: u64) -> Answer<Kept> {
        let waiters = Arc::clone(self.watch.waiters());
        // Without the watch in it: this future must not keep the store open.
        let (worker, turns) = (self.worker.clone(), Arc::clone(&self.turns));
        Box::pin(async move {
            let call = waiters.call(id);
            loop {
                let mut changed = pin!(call.changed.notified());
                changed.as_mut().enable();
                if waiters.is_closed() {
                    return Err(StoreError::Closed);
                }
                let turn = turns.acquire().await.map_err(|_closed| StoreError::Closed)?;
                let find = move |db: &Connection| Ok(rows::by_id(db, id)?.map(|row| row.kept));
                let found = worker.ask(find, |kept| kept).await;
                drop(turn);
                let found = found.map_err(|_closed| StoreError::Closed)?;
                let kept = found.map_err(|error| StoreError::Failed(error.to_string().into()))?;
                if let Some(kept) = kept.filter(|kept| kept.version != seen) {
                    return Ok(kept);
                }
                changed.await;
            }
        })
    }

    fn vote(&self, vote: Vote, now: Timestamp) -> Answer<Voted> {
        self.event(move |db| events::vote(db, vote.clone(), now))
    }

    fn settle(&self, id: EscalationId, moment: Moment) -> Answer<Option<Kept>> {
        self.event(move |db| events::settle(db, id, moment))
    }

    fn spend(
        &self,
        id: EscalationId,
        presentation: Arc<Presentation>,
        moment: Moment,
    ) -> Answer<Result<Spent, Unspendable>> {
        self.event(move |db| events::spend(db, id, &presentation, moment))
    }

    fn expect_round(&self, id: RoundId, next: Arc<NextRound>, now: Timestamp) -> Answer<()> {
        let answer = self.look(move |db| rounds::expect(db, id, &next, now));
        Box::pin(async move { answer.await?.then_some(()).ok_or(StoreError::Full) })
    }

    fn take_round(&self, id: RoundId, call: CallKey, now: Timestamp) -> Answer<TakenRound> {
        self.look(move |db| rounds::take(db, id, call, now))
    }

    fn overdue(&self, stream: &str, after: Option<Overdue>, now: Timestamp) -> Answer<Vec<Kept>> {
        let (stream, named) = (stream.to_owned(), Arc::clone(&self.named));
        self.look(move |db| {
            let found = rows::overdue(db, &stream, after, now)?;
            Ok(named.pass_over(found))
        })
    }

    fn pending(&self) -> Answer<Option<u64>> {
        self.look(|db| rows::count(db, true).map(Some))
    }

    fn lines(&self, stream: &str, after: u64) -> Answer<Vec<Line>> {
        let stream = stream.to_owned();
        self.look(move |db| lines::after(db, &stream, after))
    }

    fn recorded(&self, stream: &str, up_to: u64) -> Answer<()> {
        let stream = stream.to_owned();
        self.look(move |db| lines::remove(db, &stream, up_to))
    }

    fn stirred(&self, seen: u64) -> Answer<u64> {
        let waiters = Arc::clone(self.watch.waiters());
        Box::pin(async move { waiters.stirred(seen).await.ok_or(StoreError::Closed) })
    }

    fn is_durable(&self) -> bool {
        true
    }
}
