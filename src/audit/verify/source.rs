//! The files of one log, opened to be read.

use crate::audit::MAX_LINE;
use crate::audit::day::Day;
use crate::audit::fault::VerifyError;
use crate::audit::stream::Stream;
use crate::tlog::Note;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

/// Where the checkpoints of the days lie.
const FOLDER: &str = "checkpoints";
const NEWEST: &str = "checkpoint";

/// One log in a directory.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Source<'a> {
    pub(in crate::audit) dir: &'a Path,
    pub(in crate::audit) stream: &'a Stream,
}

impl Source<'_> {
    /// The days that have a file, the oldest first.
    pub(in crate::audit) fn days(&self) -> Result<Vec<Day>, VerifyError> {
        let names = names(self.dir, "")?;
        let mut days: Vec<_> = names.iter().filter_map(|name| self.stream.day_of(name)).collect();
        days.sort_unstable();
        Ok(days)
    }

    pub(super) fn day_file(&self, day: Day) -> String {
        self.stream.day_file(day)
    }

    /// The days that have a checkpoint, the oldest first.
    pub(super) fn checkpoint_days(&self) -> Result<Vec<Day>, VerifyError> {
        let names = names(self.dir, FOLDER)?;
        let mut days: Vec<_> = names
            .iter()
            .filter_map(|name| {
                let (day, writer) = parts(name);
                (writer == self.stream.writer()).then(|| Day::parse(day)).flatten()
            })
            .collect();
        days.sort_unstable();
        Ok(days)
    }

    /// The name of the newest checkpoint.
    pub(super) fn newest(&self) -> String {
        self.with_writer(NEWEST)
    }

    /// The name of the checkpoint that closes `day`.
    pub(super) fn closing(&self, day: Day) -> String {
        self.with_writer(&format!("{FOLDER}/{day}"))
    }

    fn with_writer(&self, name: &str) -> String {
        match self.stream.writer() {
            Some(writer) => format!("{name}.{writer}"),
            None => name.to_owned(),
        }
    }

    /// The bytes of a checkpoint, as far as one can be long; `None` without such a file.
    pub(super) fn note(&self, name: &str) -> Result<Option<Vec<u8>>, VerifyError> {
        let unreadable = |source| VerifyError::Unreadable { file: name.to_owned(), source };
        let file = match open(self.dir, name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let mut bytes = Vec::new();
        file.take(count(Note::MAX_LEN) + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Ok(Some(bytes))
    }

    /// A reader of the file of `day`.
    pub(in crate::audit) fn lines(&self, day: Day) -> Result<Lines, VerifyError> {
        let name = self.day_file(day);
        match open(self.dir, &name) {
            Ok(file) => Ok(Lines { name, reader: BufReader::with_capacity(256 * 1024, file) }),
            Err(source) => Err(VerifyError::Unreadable { file: name, source }),
        }
    }

    /// Whether a process writes the log now.
    pub(super) fn is_written(&self) -> Result<bool, VerifyError> {
        let name = self.stream.lock();
        let unreadable = |source| VerifyError::Unreadable { file: name.clone(), source };
        let file = match open(self.dir, &name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(unreadable(error)),
        };
        // Given back when the file is closed.
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(unreadable(error.into())),
        }
    }
}

/// The lines of one file.
pub(in crate::audit) struct Lines {
    pub(in crate::audit) name: String,
    reader: BufReader<File>,
}

impl Lines {
    /// Reads the next line with its end into `line`, at most [`MAX_LINE`] bytes and the end; false
    /// at the end of the file.
    pub(in crate::audit) fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, VerifyError> {
        line.clear();
        match self.reader.by_ref().take(count(MAX_LINE) + 1).read_until(b'\n', line) {
            Ok(read) => Ok(read > 0),
            Err(source) => Err(VerifyError::Unreadable { file: self.name.clone(), source }),
        }
    }
}

/// The writers that have files in `dir`; the log without a writer id if there are none at all.
pub(in crate::audit) fn streams(dir: &Path) -> Result<Vec<Stream>, VerifyError> {
    let mut writers = BTreeSet::new();
    for name in names(dir, "")? {
        if let Some(rest) =
            name.strip_prefix("audit-").and_then(|rest| rest.strip_suffix(".ndjson"))
        {
            let (day, writer) = parts(rest);
            if Day::parse(day).is_some() {
                writers.insert(writer.map(str::to_owned));
            }
        } else {
            // Whatever else begins like this is a checkpoint if it says so itself.
            let (head, writer) = parts(&name);
            if head == NEWEST && (writer.is_none() || says_so(dir, &name, writer)) {
                writers.insert(writer.map(str::to_owned));
            }
        }
    }
    for name in names(dir, FOLDER)? {
        let (day, writer) = parts(&name);
        let file = format!("{FOLDER}/{name}");
        if Day::parse(day).is_some() && (writer.is_none() || says_so(dir, &file, writer)) {
            writers.insert(writer.map(str::to_owned));
        }
    }
    let of = |writer: Option<String>| match writer {
        Some(writer) => Stream::of_writer(&writer).ok(),
        None => Some(Stream::default()),
    };
    let streams: Vec<_> = writers.into_iter().filter_map(of).collect();
    Ok(if streams.is_empty() { vec![Stream::default()] } else { streams })
}

/// Whether the file is a note of the log of this writer.
fn says_so(dir: &Path, name: &str, writer: Option<&str>) -> bool {
    let stream = Stream::default();
    let note = Source { dir, stream: &stream }.note(name);
    let note = note.ok().flatten().and_then(|bytes| Note::parse(&bytes).ok());
    note.is_some_and(|note| {
        writer_of(note.text().split('\n').next().unwrap_or_default()) == Ok(writer)
    })
}

/// An origin that no log of ours has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotOurs;

/// The writer in the origin of a log of ours.
pub(super) fn writer_of(origin: &str) -> Result<Option<&str>, NotOurs> {
    let mut parts = origin.strip_prefix("sec0-audit/").ok_or(NotOurs)?.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), writer, None) => Ok(writer),
        _ => Err(NotOurs),
    }
}

/// A name and the writer id behind its dot.
fn parts(name: &str) -> (&str, Option<&str>) {
    name.split_once('.').map_or((name, None), |(name, writer)| (name, Some(writer)))
}

/// The names in a folder of `dir`, those that are text; none if it is missing.
fn names(dir: &Path, folder: &str) -> Result<Vec<String>, VerifyError> {
    let path = if folder.is_empty() { dir.to_owned() } else { dir.join(folder) };
    let unreadable = |source| VerifyError::Unreadable { file: path.display().to_string(), source };
    if !folder.is_empty() && path.is_symlink() {
        return Err(unreadable(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a link, which is not followed",
        )));
    }
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(unreadable)?.file_name().to_str().map(str::to_owned));
    }
    Ok(names)
}

fn open(dir: &Path, name: &str) -> io::Result<File> {
    // Never a link, and never a wait for the other end of a pipe.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(dir.join(name), flags, Mode::empty())?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

pub(super) fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// A text from a line that failed, short enough for a message.
pub(super) fn shown(text: &str) -> String {
    text.get(..text.floor_char_boundary(80)).unwrap_or_default().to_owned()
}
