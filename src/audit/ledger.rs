use super::behind;
use super::chain::Chain;
use super::day::Day;
use super::disk::Disk;
use super::error::OpenError;
use super::fault::Fault;
use super::read::Line;
use super::stream::Stream;
use super::verify::TailCheck;
use crate::call::LineSigning;
use crate::digest::Digest;
use crate::sign::PublicKey;
use crate::tlog::{
    Checkpoint, CheckpointError, Edge, Note, Resume, VerifierKey, leaf_hash, origin_of,
};
use std::io;
use std::sync::Arc;

/// The tree over the lines of a log, and what of it a checkpoint on the disk covers.
#[derive(Debug)]
pub(super) struct Ledger {
    home: Option<(Arc<dyn Disk>, Stream)>,
    origin: String,
    edge: Edge,
    /// SHA-256 of the last line.
    last: Option<Digest>,
    /// The size of the newest checkpoint; `None` while there is none by us.
    covered: Option<u64>,
}

impl Ledger {
    /// The tree behind the last line of the log, which has `size` lines: from the newest checkpoint
    /// that one of `keys` signed and the lines after it, else from all lines. These lines must be
    /// signed by one of `keys` each, where the log is signed so, or where there is no such checkpoint.
    ///
    /// # Errors
    ///
    /// The end of the log cannot be read, or it is not one that a checkpoint may vouch for.
    pub(super) fn open(
        home: Option<(Arc<dyn Disk>, Stream)>,
        tenant: &str,
        keys: &[PublicKey],
        signing: LineSigning,
        size: u64,
    ) -> Result<Self, OpenError> {
        let writer = home.as_ref().and_then(|(_, stream)| stream.writer());
        let origin = origin_of(tenant, writer);
        let mut ledger = Self { home, origin, edge: Edge::new(), last: None, covered: None };
        let Some((disk, stream)) = ledger.home.clone() else { return Ok(ledger) };
        let resume = ledger.newest(&*disk, &stream, keys).map_err(OpenError::Tail)?;
        let is_bare = resume.is_none();
        if let Some(resume) = resume {
            if resume.edge.size() > size {
                return Err(OpenError::Shorter { lines: size, size: resume.edge.size() });
            }
            (ledger.edge, ledger.last) = (resume.edge, resume.last_line);
        }
        // A new checkpoint must not vouch for lines that nothing vouches for.
        let signing = if is_bare { LineSigning::Record } else { signing };
        let mut check = TailCheck::new(keys, signing).map_err(OpenError::Key)?;
        ledger.catch_up(&*disk, &stream, size, |seq, line, place| {
            check.check(seq, line).map_err(|fault| {
                if is_bare && fault == Fault::Missing("sig") {
                    OpenError::Rewritten { seq }
                } else {
                    OpenError::untrusted(place.shown(), fault)
                }
            })
        })?;
        Ok(ledger)
    }

    /// The newest checkpoint, if it is one of this log that one of `keys` signed; where days are
    /// gone, else the one that closed the last of them. One of another key says nothing here: the
    /// lines themselves are read then.
    fn newest(
        &self,
        disk: &dyn Disk,
        stream: &Stream,
        keys: &[PublicKey],
    ) -> io::Result<Option<Resume>> {
        if let Some(note) = read_note(disk, &stream.checkpoint())? {
            let resume = self.resume(&note, keys);
            if resume.is_some() {
                return Ok(resume);
            }
            tracing::warn!("the checkpoint is not one that this log can go on from");
        }
        let days = disk.names("")?;
        let Some(first) = days.iter().filter_map(|name| stream.day_of(name)).min() else {
            return Ok(None);
        };
        let names = disk.names(Stream::CLOSING)?;
        let gone = names.iter().filter_map(|name| stream.closed_day(name));
        let Some(last) = gone.filter(|day| *day < first).max() else { return Ok(None) };
        let note = read_note(disk, &stream.closing(last))?;
        Ok(note.and_then(|note| self.resume(&note, keys)))
    }

    fn resume(&self, note: &[u8], keys: &[PublicKey]) -> Option<Resume> {
        let open = |key| Checkpoint::open(note, &self.key(key)?).ok();
        keys.iter().find_map(open)?.resume().ok()
    }

    /// Adds the lines behind the edge that `check` lets pass.
    fn catch_up(
        &mut self,
        disk: &dyn Disk,
        stream: &Stream,
        size: u64,
        mut check: impl FnMut(u64, &Line<'_>, &behind::Place<'_>) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        if size == 0 {
            return Ok(());
        }
        let from = self.edge.size();
        // One more, which has to be the one that the checkpoint calls the last.
        let first = from.saturating_sub(1);
        let mut is_begun = false;
        behind::from(disk, stream, first, OpenError::Tail, |line, text, place| {
            let Some(seq) = line.seq.filter(|seq| (first..size).contains(seq)) else {
                return Ok(());
            };
            let digest = Digest::of(text);
            if !std::mem::replace(&mut is_begun, true) && seq < from {
                let is_last = self.last == Some(digest);
                return if is_last { Ok(()) } else { Err(OpenError::Rewritten { seq }) };
            }
            if seq != self.edge.size() {
                return Err(OpenError::Gap { seq: self.edge.size() });
            }
            check(seq, line, place)?;
            let chain = Chain { seq, prev: self.last.unwrap_or(Chain::start().prev) };
            if !line.prev_sha256.is_some_and(|prev| chain.is_before(prev)) {
                return Err(OpenError::untrusted(place.shown(), Fault::Previous));
            }
            self.push(leaf_hash(text), digest);
            Ok(())
        })?;
        if self.edge.size() != size {
            return Err(OpenError::Gap { seq: self.edge.size() });
        }
        Ok(())
    }

    pub(super) fn push(&mut self, leaf: Digest, line: Digest) {
        self.edge.push(leaf);
        self.last = Some(line);
    }

    /// True when every line is under a checkpoint on the disk, or there is no disk for one.
    pub(super) fn is_covered(&self) -> bool {
        self.home.is_none() || self.covered == Some(self.edge.size())
    }

    /// True while there is no checkpoint by us.
    pub(super) fn is_new(&self) -> bool {
        self.home.is_some() && self.covered.is_none()
    }

    /// The text of the checkpoint of now.
    pub(super) fn text(&self) -> Result<String, CheckpointError> {
        Ok(Checkpoint::new(&self.origin, &self.edge, self.last)?.to_string())
    }

    pub(super) fn key(&self, key: &PublicKey) -> Option<VerifierKey> {
        VerifierKey::new(&self.origin, *key).ok()
    }

    /// Puts the checkpoint of now on the disk; `closed` is the day that has ended with it.
    pub(super) fn store(&mut self, note: &Note, closed: Option<Day>) -> io::Result<()> {
        let Some((disk, stream)) = &self.home else { return Ok(()) };
        let text = note.to_string();
        if let Some(day) = closed {
            disk.replace(&stream.closing(day), text.as_bytes())?;
        }
        disk.replace(&stream.checkpoint(), text.as_bytes())?;
        self.covered = Some(self.edge.size());
        Ok(())
    }
}

/// A checkpoint as it stands on the disk; `None` where there is none.
pub(super) fn read_note(disk: &dyn Disk, name: &str) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(name, false) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = usize::try_from(file.length()?).unwrap_or(usize::MAX).min(Note::MAX_LEN);
    let mut note = vec![0; length];
    file.read_whole_at(&mut note, 0)?;
    Ok(Some(note))
}
