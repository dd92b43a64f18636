use super::error::DbError;
use rusqlite::Connection;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use tokio::sync::oneshot;

/// How many jobs are made durable together.
const TOGETHER: usize = 64;

/// How many jobs that failed are kept for another attempt.
const KEPT: usize = 4096;

/// A thread of its own for the blocking work. Jobs that wait at the same time share a transaction,
/// and with it the wait for the disk.
#[derive(Clone)]
pub(super) struct Worker {
    jobs: Sender<Box<dyn Job>>,
}

/// One piece of work. `run` is inside the transaction, `close` after its end.
pub(super) trait Job: Send {
    fn run(&mut self, connection: &Connection);

    /// True when what `run` did is to be undone.
    fn has_failed(&self) -> bool;

    /// Answers whoever waits. Gives back a job that has to be tried again.
    fn close(self: Box<Self>, committed: Result<(), rusqlite::Error>) -> Option<Box<dyn Job>>;
}

impl Worker {
    /// Starts the thread; `guard` lives as long as it does.
    pub(super) fn start(
        connection: Connection,
        guard: impl Send + 'static,
    ) -> std::io::Result<Self> {
        let (jobs, received) = channel();
        thread::Builder::new().name("sec0-store".to_owned()).spawn(move || {
            work(&connection, &received);
            drop(connection);
            drop(guard);
        })?;
        Ok(Self { jobs })
    }

    /// Hands in a job. It is answered when it is durable; a job that cannot be handed in is
    /// dropped.
    pub(super) fn submit(&self, job: Box<dyn Job>) {
        if self.jobs.send(job).is_err() {
            tracing::error!("the store's thread has ended");
        }
    }

    /// Runs `act` and gives its result to `then` when it is durable.
    pub(super) fn ask<T, U>(
        &self,
        act: impl FnMut(&Connection) -> Result<T, DbError> + Send + 'static,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> oneshot::Receiver<Result<U, DbError>>
    where
        T: Send + 'static,
        U: Send + 'static,
    {
        let (to, answer) = oneshot::channel();
        self.submit(Box::new(Question { act, then, done: None, to }));
        answer
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

fn work(connection: &Connection, received: &Receiver<Box<dyn Job>>) {
    let mut again: Vec<Box<dyn Job>> = Vec::new();
    while let Ok(first) = received.recv() {
        let mut jobs: Vec<_> = again.drain(..again.len().min(TOGETHER)).chain([first]).collect();
        jobs.extend(received.try_iter().take(TOGETHER));
        let committed = together(connection, &mut jobs);
        for job in jobs {
            let ended = committed.as_ref().copied().map_err(copied);
            let Some(job) = job.close(ended) else { continue };
            if again.len() < KEPT {
                again.push(job);
            }
        }
    }
    if !again.is_empty() && together(connection, &mut again).is_err() {
        tracing::error!("the store was closed before all of it was written");
    }
}

/// Runs the jobs in one transaction, each of which can fail alone.
fn together(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let run = |statement: &str| connection.prepare_cached(statement)?.execute([]).map(drop);
    let undo = || if connection.is_autocommit() { Ok(()) } else { run("ROLLBACK") };
    run("BEGIN IMMEDIATE")?;
    let mut is_first = true;
    let ended = jobs.iter_mut().try_for_each(|job| {
        // A savepoint copies each page that is changed; what comes first can do without.
        let needs_savepoint = !std::mem::take(&mut is_first);
        if needs_savepoint {
            run("SAVEPOINT job")?;
        }
        job.run(connection);
        match (needs_savepoint, job.has_failed()) {
            (true, true) => run("ROLLBACK TO job").and_then(|()| run("RELEASE job")),
            (true, false) => run("RELEASE job"),
            (false, true) => undo().and_then(|()| run("BEGIN IMMEDIATE")),
            (false, false) => Ok(()),
        }
    });
    let ended = ended.and_then(|()| run("COMMIT"));
    if ended.is_err() {
        undo()?;
    }
    ended
}

/// Each of the jobs is told the same.
fn copied(error: &rusqlite::Error) -> rusqlite::Error {
    if let rusqlite::Error::SqliteFailure(code, text) = error {
        return rusqlite::Error::SqliteFailure(*code, text.clone());
    }
    rusqlite::Error::ToSqlConversionFailure(error.to_string().into())
}

/// A job that somebody waits for.
struct Question<A, T, F, U> {
    act: A,
    then: F,
    done: Option<Result<T, DbError>>,
    to: oneshot::Sender<Result<U, DbError>>,
}

impl<A, T, F, U> Job for Question<A, T, F, U>
where
    A: FnMut(&Connection) -> Result<T, DbError> + Send,
    T: Send,
    F: FnOnce(T) -> U + Send,
    U: Send,
{
    fn run(&mut self, connection: &Connection) {
        self.done = Some((self.act)(connection));
    }

    fn has_failed(&self) -> bool {
        matches!(self.done, Some(Err(_)))
    }

    fn close(self: Box<Self>, committed: Result<(), rusqlite::Error>) -> Option<Box<dyn Job>> {
        let answer = match (committed, self.done) {
            (Err(error), _) => Err(error.into()),
            (Ok(()), Some(done)) => done.map(self.then),
            (Ok(()), None) => Err(DbError::Closed),
        };
        // Nobody waits any more: what was answered is dropped, and what that frees is freed.
        drop(self.to.send(answer));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inserts its number, and fails behind that if it is to.
    struct Insert(u32, bool);

    impl Job for Insert {
        fn run(&mut self, connection: &Connection) {
            connection.execute("INSERT INTO done VALUES (?1)", [self.0]).unwrap();
        }

        fn has_failed(&self) -> bool {
            self.1
        }

        fn close(self: Box<Self>, _: Result<(), rusqlite::Error>) -> Option<Box<dyn Job>> {
            None
        }
    }

    #[test]
    fn a_job_that_fails_takes_none_along_wherever_it_stands() {
        for failing in 0..8 {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch("CREATE TABLE done (number INTEGER)").unwrap();
            let fails = |number: &u32| failing & (1 << number) != 0;
            let mut jobs: Vec<Box<dyn Job>> = Vec::new();
            for number in 0..3 {
                jobs.push(Box::new(Insert(number, fails(&number))));
            }
            together(&connection, &mut jobs).unwrap();
            assert!(connection.is_autocommit());
            let mut done = connection.prepare("SELECT number FROM done ORDER BY number").unwrap();
            let done: Vec<u32> =
                done.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            let good: Vec<u32> = (0..3).filter(|number| !fails(number)).collect();
            assert_eq!(done, good, "failing: {failing:03b}");
        }
    }
}
