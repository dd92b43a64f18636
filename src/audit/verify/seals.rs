//! The checkpoints of a log, in the order of what they cover.

use super::source::{NotOurs, Source, writer_of};
use crate::audit::day::Day;
use crate::audit::fault::{CheckpointFault, VerifyError};
use crate::tlog::{Checkpoint, Note, Resume, origin_of};
use std::collections::BTreeMap;

/// One checkpoint that was read. Whether its signature holds is seen when its place is reached,
/// since a line before may introduce its key.
#[derive(Debug, Clone)]
pub(super) struct Seal {
    /// Its file, or what it was given as.
    pub(super) name: String,
    pub(super) note: Note,
    pub(super) checkpoint: Checkpoint,
    /// Where the log can be taken up behind it; a checkpoint that was kept elsewhere may lack it.
    pub(super) resume: Option<Resume>,
}

impl Seal {
    /// Reads a checkpoint. One from the directory of a log says where to go on.
    pub(super) fn read(name: &str, bytes: &[u8], is_kept: bool) -> Result<Self, VerifyError> {
        let read = || {
            let note = Note::parse(bytes).map_err(|e| CheckpointFault::Malformed(e.into()))?;
            let checkpoint = Checkpoint::parse(note.text()).map_err(CheckpointFault::Malformed)?;
            let resume = match checkpoint.resume() {
                Ok(resume) => Some(resume),
                Err(_) if is_kept => None,
                Err(error) => return Err(CheckpointFault::Resume(error)),
            };
            Ok(Self { name: name.to_owned(), note, checkpoint, resume })
        };
        read().map_err(|fault| VerifyError::checkpoint(name, fault))
    }

    pub(super) fn fails(&self, fault: CheckpointFault) -> VerifyError {
        VerifyError::checkpoint(&self.name, fault)
    }

    pub(super) fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// The writer of the log that it is of.
    pub(super) fn writer(&self) -> Result<Option<&str>, NotOurs> {
        writer_of(self.checkpoint.origin())
    }

    /// Checks that it is of the log of this writer, and of this tenant where one is known.
    pub(super) fn check_origin(
        &self,
        tenant: Option<&str>,
        writer: Option<&str>,
    ) -> Result<(), VerifyError> {
        let found = self.checkpoint.origin();
        let expected = origin_of(tenant.unwrap_or("…"), writer);
        let is_ours = match tenant {
            Some(_) => found == expected,
            None => self.writer() == Ok(writer),
        };
        if is_ours {
            return Ok(());
        }
        Err(self.fails(CheckpointFault::OtherLog { expected, found: found.to_owned() }))
    }
}

/// The checkpoints of one log.
#[derive(Debug, Default)]
pub(super) struct Seals {
    /// The smallest first.
    sorted: Vec<Seal>,
    next: usize,
    /// What the checkpoints of days cover, for the days whose end was not reached yet.
    days: BTreeMap<Day, (String, u64)>,
    pub(super) has_newest: bool,
}

impl Seals {
    /// Reads all checkpoints in the directory; `kept` are those that the user kept elsewhere.
    pub(super) fn load(source: &Source<'_>, kept: &[Seal]) -> Result<Self, VerifyError> {
        let mut all = Self { sorted: kept.to_vec(), ..Self::default() };
        // Before the lines: a log that is being written only grows meanwhile.
        if let Some(bytes) = source.note(&source.newest())? {
            all.has_newest = true;
            all.sorted.push(Seal::read(&source.newest(), &bytes, false)?);
        }
        let mut before = 0;
        for day in source.checkpoint_days()? {
            let Some(seal) = read_day(source, day)? else { continue };
            let size = seal.size();
            if size < before {
                return Err(seal.fails(CheckpointFault::Seam { size, lines: before }));
            }
            before = size;
            all.days.insert(day, (seal.name.clone(), size));
            all.sorted.push(seal);
        }
        all.sorted.sort_by_key(Seal::size);
        Ok(all)
    }

    /// How many lines the largest of them covers.
    pub(super) fn covers(&self) -> u64 {
        self.sorted.last().map_or(0, Seal::size)
    }

    /// Whether a day has a checkpoint.
    pub(super) fn has_days(&self) -> bool {
        !self.days.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The next one that covers no more than the first `size` lines.
    pub(super) fn due(&mut self, size: u64) -> Option<Seal> {
        let seal = self.sorted.get(self.next).filter(|seal| seal.size() <= size)?;
        self.next += 1;
        Some(seal.clone())
    }

    /// The first one whose place was not reached.
    pub(super) fn left(&self) -> Option<&Seal> {
        self.sorted.get(self.next)
    }

    /// Where a log whose oldest file begins with number `seq` is taken up.
    pub(super) fn resume(&self, seq: u64, first: Day) -> Option<&Resume> {
        let is_before =
            |name: &str| self.days.iter().any(|(day, (of_day, _))| *day < first && of_day == name);
        let at = self.sorted.iter().find(|seal| seal.size() == seq && is_before(&seal.name))?;
        at.resume.as_ref()
    }

    /// Takes the checkpoint of the first day before `day` that was not taken: its name and size.
    pub(super) fn day_before(&mut self, day: Option<Day>) -> Option<(Day, String, u64)> {
        let entry = self.days.first_entry()?;
        if day.is_some_and(|day| *entry.key() >= day) {
            return None;
        }
        let (day, (name, size)) = entry.remove_entry();
        Some((day, name, size))
    }
}

/// The checkpoint that closes `day`.
pub(super) fn read_day(source: &Source<'_>, day: Day) -> Result<Option<Seal>, VerifyError> {
    let name = source.closing(day);
    source.note(&name)?.map(|bytes| Seal::read(&name, &bytes, false)).transpose()
}
