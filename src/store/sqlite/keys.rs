use super::error::DbError;
use super::file;
use super::owner::{Owner, random};
use super::worker::{Job, Worker};
use crate::clock::Timestamp;
use crate::dedupe::{
    Answer, Asked, Begun, Bounds, DedupeKey, DedupeStore, Ending, Finding, Holding, Share,
    StoreError, Ticket, Used, judge,
};
use crate::digest::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How many keys may be held or asked for at a time by one process.
const AT_A_TIME: usize = 4096;

/// How many rows whose time is over go with each new one.
const PURGED: u32 = 16;

pub(super) const RUNNING: i64 = 0;
pub(super) const DONE: i64 = 1;
pub(super) const UNKNOWN: i64 = 2;

/// Idempotency keys and results in `sec0.db`. They survive the end of the process, and all
/// processes that use the directory see the same.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    worker: Worker,
    dir: Arc<Path>,
    owner: Arc<Owner>,
    bounds: Bounds,
    permits: Arc<Semaphore>,
}

/// One run of a call under its key.
#[derive(Debug, Clone, Copy)]
struct Run {
    key: DedupeKey,
    id: [u8; 16],
}

impl SqliteStore {
    /// Opens `sec0.db` in `dir`, or makes it. The directory must exist, be ours and private, as an
    /// audit directory is once its log was opened.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or made, is a link or somebody else's, is no database of sec0, or
    /// was written by a later version.
    pub fn open(dir: &Path, bounds: Bounds) -> Result<Self, DbError> {
        let connection = file::open(dir, true)?;
        let owner = Arc::new(Owner::new(dir)?);
        let worker = Worker::start(connection, Arc::clone(&owner))
            .map_err(|error| DbError::open(&dir.join(super::FILE), &error))?;
        let permits = Arc::new(Semaphore::new(AT_A_TIME));
        Ok(Self { worker, dir: dir.into(), owner, bounds, permits })
    }

    /// For another store in the same file.
    pub(super) fn worker(&self) -> Worker {
        self.worker.clone()
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn ticket(&self, run: Run, permit: OwnedSemaphorePermit) -> Ticket {
        let (worker, bounds) = (self.worker.clone(), self.bounds);
        Ticket::new(move |ending, now| {
            let (to, answer) = oneshot::channel();
            let until = bounds.expiry(now.unwrap_or_default());
            let to = Some((to, permit));
            worker.submit(Box::new(End { run, ending, until, bounds, failed: None, to }));
            Box::pin(async move { answer.await.unwrap_or(Err(StoreError::Closed)) })
        })
    }
}

impl DedupeStore for SqliteStore {
    fn begin(&self, asked: &Arc<Asked>, now: Timestamp) -> Answer<Begun> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return Box::pin(ready(Err(StoreError::Full)));
        };
        let id = match random() {
            Ok(id) => id,
            Err(error) => return Box::pin(ready(Err(failure(&error)))),
        };
        let (asked, run, this) = (Arc::clone(asked), Run { key: asked.key, id }, self.clone());
        let (owner, bounds) = (Arc::clone(&self.owner), self.bounds);
        let begin = move |db: &Connection| begin(db, &asked, run, &owner, (bounds, now));
        let told = move |told: Result<Told, StoreError>| {
            told.map(|told| match told {
                Told::First => Begun::First(this.ticket(run, permit)),
                Told::Other(told) => told,
            })
        };
        let answer = self.worker.ask(begin, told);
        Box::pin(async move {
            match answer.await {
                Ok(Ok(told)) => told,
                Ok(Err(error)) => Err(failure(&error)),
                Err(_closed) => Err(StoreError::Closed),
            }
        })
    }

    fn flush(&self) -> Answer<()> {
        let answer = self.worker.ask(|_| Ok(()), |()| ());
        Box::pin(async move {
            let told = answer.await.map_err(|_closed| StoreError::Closed)?;
            told.map_err(|error| failure(&error))
        })
    }

    fn is_durable(&self) -> bool {
        true
    }
}

fn failure(error: &DbError) -> StoreError {
    StoreError::Failed(error.to_string().into())
}

/// What a caller is told, before there is a ticket.
enum Told {
    First,
    Other(Begun),
}

/// What stands in the row of a key.
struct Row {
    arguments: [u8; 32],
    owner: [u8; 16],
    state: i64,
    until: Option<i64>,
    result: Option<Vec<u8>>,
    result_sha256: Option<[u8; 32]>,
}

impl Row {
    fn holding(&self, owner: &Owner) -> Result<Holding, DbError> {
        match (self.state, self.until) {
            (RUNNING, None) => Ok(Holding::Running { owner_lives: owner.lives(self.owner) }),
            (UNKNOWN, None) => Ok(Holding::Unknown),
            (DONE, Some(until)) => {
                let until = Timestamp::from_millis(until);
                Ok(Holding::Done { is_kept: self.result.is_some(), until })
            }
            _ => Err(DbError::Damaged),
        }
    }

    /// The result, if it is the one that was stored.
    fn into_result(self) -> Result<Vec<u8>, DbError> {
        let result = self.result.ok_or(DbError::Damaged)?;
        let is_whole = self.result_sha256.as_ref() == Some(Digest::of(&result).as_bytes());
        if is_whole { Ok(result) } else { Err(DbError::Damaged) }
    }
}

fn begin(
    db: &Connection,
    asked: &Asked,
    run: Run,
    owner: &Owner,
    (bounds, now): (Bounds, Timestamp),
) -> Result<Result<Told, StoreError>, DbError> {
    purge(db, now)?;
    let row = read(db, &asked.key)?;
    let held = match &row {
        Some(row) => Some((row.holding(owner)?, row.arguments)),
        None => None,
    };
    let begun = match judge(held, asked, now) {
        Finding::Free => {
            remove(db, &asked.key)?;
            let (all, share) = used(db, &asked.share)?;
            if !bounds.has_room(all, share) {
                return Ok(Err(StoreError::Full));
            }
            insert(db, asked, run, owner.id(), now)?;
            return Ok(Ok(Told::First));
        }
        Finding::OtherArguments => Begun::OtherArguments,
        Finding::Running => Begun::Running,
        Finding::NotKept => Begun::NotKept,
        Finding::Unknown => Begun::Unknown,
        Finding::Stored => Begun::Stored(row.ok_or(DbError::Damaged)?.into_result()?),
    };
    Ok(Ok(Told::Other(begun)))
}

fn read(db: &Connection, key: &DedupeKey) -> rusqlite::Result<Option<Row>> {
    db.prepare_cached(
        "SELECT arguments, owner, state, until, result, result_sha256 FROM dedupe WHERE key = ?1",
    )?
    .query_row([key.as_bytes()], |row| {
        Ok(Row {
            arguments: row.get(0)?,
            owner: row.get(1)?,
            state: row.get(2)?,
            until: row.get(3)?,
            result: row.get(4)?,
            result_sha256: row.get(5)?,
        })
    })
    .optional()
}

fn insert(
    db: &Connection,
    asked: &Asked,
    run: Run,
    owner: [u8; 16],
    now: Timestamp,
) -> rusqlite::Result<()> {
    let about = &asked.about;
    db.prepare_cached(
        "INSERT INTO dedupe (key, share, arguments, run, owner, state, since, principal, server, \
         tool, recorded_key) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        asked.key.as_bytes(),
        asked.share.as_bytes(),
        asked.arguments,
        run.id,
        owner,
        now.as_millis(),
        about.principal,
        about.server,
        about.tool,
        about.key,
    ])?;
    Ok(())
}

fn remove(db: &Connection, key: &DedupeKey) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM dedupe WHERE key = ?1")?.execute([key.as_bytes()])?;
    Ok(())
}

fn purge(db: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM dedupe WHERE key IN (SELECT key FROM dedupe WHERE until <= ?1 \
         ORDER BY until LIMIT ?2)",
    )?
    .execute(params![now.as_millis(), PURGED])?;
    Ok(())
}

/// What all hold, and what this principal holds.
fn used(db: &Connection, share: &Share) -> Result<(Used, Used), DbError> {
    let mut find = db.prepare_cached("SELECT keys, bytes FROM dedupe_used WHERE share = ?1")?;
    let mut of = |share: &[u8]| {
        let found =
            find.query_row([share], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        let (rows, bytes) = found.optional()?.unwrap_or_default();
        let count = |number: i64| u64::try_from(number).map_err(|_negative| DbError::Damaged);
        Ok::<_, DbError>(Used { rows: count(rows)?, bytes: count(bytes)? })
    };
    Ok((of(&[])?, of(share.as_bytes())?))
}

/// Says what became of a run. It is tried again until it stands: a key must not seem to run for
/// ever.
struct End {
    run: Run,
    ending: Ending,
    until: Timestamp,
    bounds: Bounds,
    failed: Option<DbError>,
    to: Option<(oneshot::Sender<Result<(), StoreError>>, OwnedSemaphorePermit)>,
}

impl Job for End {
    fn run(&mut self, db: &Connection) {
        self.failed = end(db, self.run, &self.ending, (self.bounds, self.until)).err();
    }

    fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    fn close(mut self: Box<Self>, committed: Result<(), rusqlite::Error>) -> Option<Box<dyn Job>> {
        let failed = committed.err().map(DbError::from).or(self.failed.take());
        let ended = failed.map_or(Ok(()), |error| Err(failure(&error)));
        let again = ended.is_err();
        if let Some((to, permit)) = self.to.take() {
            drop(permit);
            drop(to.send(ended));
        }
        if !again {
            return None;
        }
        // The result is not kept in memory until the disk comes back.
        if let Ending::Done(result) = &mut self.ending {
            *result = None;
        }
        Some(self)
    }
}

fn end(
    db: &Connection,
    run: Run,
    ending: &Ending,
    (bounds, until): (Bounds, Timestamp),
) -> Result<(), DbError> {
    let (key, id) = (run.key.as_bytes(), run.id);
    match ending {
        Ending::Freed => {
            db.prepare_cached("DELETE FROM dedupe WHERE key = ?1 AND run = ?2")?
                .execute(params![key, id])?;
        }
        Ending::Unknown => {
            db.prepare_cached("UPDATE dedupe SET state = 2 WHERE key = ?1 AND run = ?2")?
                .execute(params![key, id])?;
        }
        Ending::Done(result) => {
            let share: Option<[u8; 32]> = db
                .prepare_cached("SELECT share FROM dedupe WHERE key = ?1 AND run = ?2")?
                .query_row(params![key, id], |row| row.get(0))
                .optional()?;
            let Some(share) = share else { return Ok(()) };
            let (all, share) = used(db, &Share::from_bytes(share))?;
            let kept = result.as_deref().filter(|bytes| bounds.keeps(bytes.len(), all, share));
            db.prepare_cached(
                "UPDATE dedupe SET state = 1, until = ?3, result = ?4, result_sha256 = ?5 \
                 WHERE key = ?1 AND run = ?2",
            )?
            .execute(params![
                key,
                id,
                until.as_millis(),
                kept,
                kept.map(|bytes| *Digest::of(bytes).as_bytes())
            ])?;
        }
    }
    Ok(())
}
