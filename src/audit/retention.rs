use super::agents::copies_of;
use super::day::Day;
use super::disk::Disk;
use super::event::Expired;
use super::ledger::read_note;
use super::scan::{Head, first_of};
use super::stream::Stream;
use crate::clock::{Clock, Timestamp};
use crate::sign::PublicKey;
use crate::tlog::{Checkpoint, VerifierKey, origin_of};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Removes the days that have been kept for long enough, on the writer's thread and a little at a
/// time.
///
/// Only the oldest day is ever looked at, so no hole is made. It goes when its closing checkpoint
/// is on the disk, is one of ours, and fits the line behind it: whoever reads the log later goes on
/// from there. What fails here is told and tried again later; it refuses no call.
#[derive(Debug)]
pub(super) struct Retention {
    disk: Arc<dyn Disk>,
    stream: Stream,
    origin: String,
    /// The key of the log, and those it had before.
    keys: Vec<PublicKey>,
    days: u64,
    /// What the clocks said when the log was opened.
    opened: (Timestamp, Instant),
    /// Nothing is left to do until the day after this one.
    done: Option<Day>,
    removal: Option<Removal>,
    failed_at: Option<Instant>,
    is_told: bool,
}

/// What the writer has to do next.
#[derive(Debug)]
pub(super) enum Turn {
    /// Nothing for now.
    Rest,
    /// There is more of the same.
    Again,
    /// Make it durable that this day goes, then call [`Retention::recorded`].
    Record(Expired),
}

/// A day that goes, file by file. Its lines go last: as long as they are there, all of this is
/// done again after a crash.
#[derive(Debug)]
struct Removal {
    day: Day,
    /// `None` while nobody has looked.
    files: Option<VecDeque<String>>,
    folders: Vec<String>,
}

/// Why the oldest day stays.
#[derive(Debug, thiserror::Error)]
enum Kept {
    #[error("`{0}` is not there")]
    NoCheckpoint(String),
    #[error("`{0}` is signed by no key of this log; name the former keys to it")]
    NotOurs(String),
    #[error("`{0}` does not fit the first line of the day after it")]
    OtherLines(String),
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// How many files go in one turn: each takes a sync of its folder.
const FILES_A_TURN: usize = 4;
/// How much faster than the monotonic clock the wall clock may go.
const DRIFT: Duration = Duration::from_hours(1);

impl Retention {
    /// How often somebody looks whether a day has become old enough, or a fault is over.
    pub(super) const LOOK: Duration = Duration::from_hours(1);

    pub(super) fn new(
        (disk, stream): &(Arc<dyn Disk>, Stream),
        tenant: &str,
        keys: Vec<PublicKey>,
        days: u32,
        clock: &dyn Clock,
    ) -> Self {
        Self {
            disk: Arc::clone(disk),
            stream: stream.clone(),
            origin: origin_of(tenant, stream.writer()),
            keys,
            days: u64::from(days),
            opened: (clock.wall(), clock.monotonic()),
            done: None,
            removal: None,
            failed_at: None,
            is_told: false,
        }
    }

    /// The log goes on under this key.
    pub(super) fn learn(&mut self, key: PublicKey) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    /// Does a little, and says what is next.
    pub(super) fn turn(&mut self, clock: &dyn Clock) -> Turn {
        let (today, now) = (self.today(clock), clock.monotonic());
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < Self::LOOK;
        if self.done.is_some_and(|done| today <= done) || self.failed_at.is_some_and(is_fresh) {
            return Turn::Rest;
        }
        match self.step(today) {
            Ok(turn) => {
                self.failed_at = None;
                turn
            }
            Err(why) => {
                self.removal = None;
                self.failed_at = Some(now);
                if !std::mem::replace(&mut self.is_told, true) {
                    tracing::warn!(%why, "an old day of the audit log cannot be removed, so it stays");
                }
                Turn::Rest
            }
        }
    }

    /// It is durable that this day goes.
    pub(super) fn recorded(&mut self, day: Day) {
        self.removal = Some(Removal { day, files: None, folders: Vec::new() });
    }

    /// The day of the wall clock, as far as the monotonic clock bears it out: a clock that is
    /// stepped ahead while the log is open must not empty it.
    fn today(&self, clock: &dyn Clock) -> Day {
        let (wall, monotonic) = self.opened;
        let ran = clock.monotonic().saturating_duration_since(monotonic).saturating_add(DRIFT);
        let ran = i64::try_from(ran.as_millis()).unwrap_or(i64::MAX);
        let latest = Timestamp::from_millis(wall.as_millis().saturating_add(ran));
        Day::of(clock.wall().min(latest))
    }

    fn step(&mut self, today: Day) -> Result<Turn, Kept> {
        if let Some(removal) = &mut self.removal {
            if removal.go(&*self.disk, &self.stream)? {
                self.removal = None;
                self.is_told = false;
            }
            return Ok(Turn::Again);
        }
        let mut days: Vec<_> =
            self.disk.names("")?.iter().filter_map(|name| self.stream.day_of(name)).collect();
        days.sort_unstable();
        let (oldest, later) = match days.split_first() {
            Some((oldest, later)) if today.days_after(*oldest) > self.days => (*oldest, later),
            Some(_) | None => {
                self.done = Some(today);
                return Ok(Turn::Rest);
            }
        };
        let mut next = None;
        for day in later {
            next = self.first_of(*day)?;
            if next.is_some() {
                break;
            }
        }
        let Some(next) = next else {
            // The newest line of the log is in it: the next one is tied to that.
            self.done = Some(today);
            return Ok(Turn::Rest);
        };
        if let Some(first) = self.first_of(oldest)? {
            return Ok(Turn::Record(self.expired(oldest, &first, &next)?));
        }
        // No line is lost with it, so there is nothing to say.
        self.recorded(oldest);
        Ok(Turn::Again)
    }

    /// What there is to say of a day, whose closing checkpoint must lead to the line behind it.
    fn expired(&self, day: Day, first: &Head, next: &Head) -> Result<Expired, Kept> {
        let name = self.stream.closing(day);
        let Some(note) = read_note(&*self.disk, &name)? else {
            return Err(Kept::NoCheckpoint(name));
        };
        let open = |key: &PublicKey| {
            let key = VerifierKey::new(&self.origin, *key).ok()?;
            Checkpoint::open(&note, &key).ok()
        };
        let Some(checkpoint) = self.keys.iter().rev().find_map(open) else {
            return Err(Kept::NotOurs(name));
        };
        let last_line = checkpoint.resume().ok().and_then(|resume| resume.last_line);
        let size = checkpoint.size();
        if size != next.seq
            || last_line.map(|line| line.to_string()).as_deref() != Some(&*next.prev)
            || first.seq >= size
        {
            return Err(Kept::OtherLines(name));
        }
        let (lines, last_seq) = (size - first.seq, size - 1);
        Ok(Expired { day, lines, last_seq, root: checkpoint.root() })
    }

    fn first_of(&self, day: Day) -> Result<Option<Head>, Kept> {
        Ok(first_of(&*self.disk, &self.stream, day)?)
    }
}

impl Removal {
    /// Removes some files; true when all of them are gone.
    fn go(&mut self, disk: &dyn Disk, stream: &Stream) -> io::Result<bool> {
        let Self { day, files, folders } = self;
        let files = match files {
            Some(files) => files,
            None => files.insert(all_of(disk, stream, *day, folders)?),
        };
        for _ in 0..FILES_A_TURN {
            let Some(name) = files.pop_front() else { break };
            if files.is_empty() {
                // The last file is the one of the lines.
                for folder in folders.drain(..) {
                    disk.remove_folder(&folder)?;
                }
            }
            disk.remove(&name)?;
        }
        Ok(files.is_empty())
    }
}

/// Every file of a day, that of its lines last; and the folders that may then be empty.
fn all_of(
    disk: &dyn Disk,
    stream: &Stream,
    day: Day,
    folders: &mut Vec<String>,
) -> io::Result<VecDeque<String>> {
    let mut files = VecDeque::from([stream.raw(day)]);
    for copies in copies_of(disk, stream, day)? {
        files.extend(copies.files);
        folders.extend([copies.path, copies.node]);
    }
    files.push_back(stream.day_file(day));
    Ok(files)
}
