use super::MAX_LINE;
use super::day::Day;
use super::disk::{Disk, DiskFile, LocalDisk};
use super::error::OpenError;
use super::sink::{AuditSink, Cut, Tail};
use super::stream::Stream;
use super::tape::Tape;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Writes `audit-YYYY-MM-DD.ndjson` in a directory of its own.
///
/// The directory is made (0700) if it is missing; one that is ours is tightened. It stays locked
/// as long as the sink lives. Files are 0600 and opened without following links.
///
/// A file that is removed, replaced or changed by somebody else is noticed at the next append,
/// which fails; the one after that opens the file anew and goes on behind what is there. The log
/// then works, and [`verify_dir`](super::verify_dir) names the first line at which something is
/// missing or foreign.
#[derive(Debug)]
pub struct FileSink {
    disk: Arc<dyn Disk>,
    stream: Stream,
    current: Option<DayFile>,
}

impl FileSink {
    /// Opens the directory and locks it.
    ///
    /// # Errors
    ///
    /// The directory cannot be made or opened, is a link, belongs to somebody else, or another
    /// process writes its log there.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_stream(dir, Stream::default())
    }

    /// Opens the directory for one of several writers; each has files and a lock of its own.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); another process writes this stream there.
    pub fn open_stream(dir: impl AsRef<Path>, stream: Stream) -> Result<Self, OpenError> {
        let disk = LocalDisk::open(dir, &stream)?;
        Ok(Self::on(Arc::new(disk), stream))
    }

    /// Writes to a disk that is open already.
    pub fn on(disk: Arc<dyn Disk>, stream: Stream) -> Self {
        Self { disk, stream, current: None }
    }

    /// The file of `day`, which is not written by anybody but us.
    fn file_of(&mut self, day: Day) -> io::Result<&mut DayFile> {
        // A check that fails itself says nothing about the file: what is unsynced stays known.
        if let Some(file) = &self.current
            && let Some(changed) = file.find_change()?
        {
            self.current = None;
            return Err(changed);
        }
        let file = match self.current.take() {
            Some(file) if file.day == day => file,
            Some(mut file) => match file.sync() {
                Ok(()) => DayFile::open(&*self.disk, &self.stream, day, true)?,
                Err(error) => {
                    self.current = Some(file);
                    return Err(error);
                }
            },
            None => DayFile::open(&*self.disk, &self.stream, day, true)?,
        };
        Ok(self.current.insert(file))
    }

    /// The days that have a file, newest first.
    fn days(&self) -> io::Result<Vec<Day>> {
        let names = self.disk.names("")?;
        let mut days: Vec<_> = names.iter().filter_map(|name| self.stream.day_of(name)).collect();
        days.sort_unstable_by(|one, other| other.cmp(one));
        Ok(days)
    }
}

impl AuditSink for FileSink {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        let days = self.days()?;
        let Some(newest) = days.first().copied() else { return Ok(None) };
        let mut tail = Tail { day: newest, line: None, cuts: Vec::new() };
        for day in days {
            let mut file = DayFile::open(&*self.disk, &self.stream, day, false)?;
            let end = file.end()?;
            file.settle(&end)?;
            if end.torn > 0 {
                tail.cuts.push(Cut { file: file.name.clone(), bytes: end.torn });
            }
            if let Some(line) = end.last_line() {
                tail.line = Some(line.to_vec());
                break;
            }
        }
        Ok(Some(tail))
    }

    fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()> {
        // Somebody may have taken the directory away, or taken it over.
        self.disk.hold()?;
        self.file_of(day)?.append(lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.current.as_mut().map_or(Ok(()), DayFile::sync)
    }

    fn disk(&self) -> Option<(Arc<dyn Disk>, Stream)> {
        Some((Arc::clone(&self.disk), self.stream.clone()))
    }

    fn last_place(&mut self) -> String {
        // For a message that another error brings up: what cannot be read now is left out of it.
        for day in self.days().unwrap_or_default() {
            let name = self.stream.day_file(day);
            match self.disk.open(&name, false).and_then(|file| count_lines(&*file)) {
                Ok(0) => {}
                Ok(lines) => return format!("{name}:{lines}"),
                Err(_) => return name,
            }
        }
        self.disk.place()
    }
}

/// One day's file.
#[derive(Debug)]
struct DayFile {
    day: Day,
    name: String,
    tape: Tape<Box<dyn DiskFile>>,
    /// What was appended since the last sync. After a sync that failed nobody knows what of it the
    /// machine still has, so all of it is written again.
    unsynced: Vec<u8>,
    is_suspect: bool,
}

/// How a file ends.
struct End {
    /// Where `kept` begins.
    offset: u64,
    /// The last whole lines; of the first one maybe only the end.
    kept: Vec<u8>,
    /// How much follows them.
    torn: u64,
}

/// The most bytes that are appended without a sync, but for one append that is longer alone.
const MAX_UNSYNCED: usize = 8 * 1024 * 1024;
/// How far back from its end a file may have suffered in a crash: what was appended without a sync,
/// or one long append.
const WINDOW: u64 = 16 * 1024 * 1024;

impl DayFile {
    fn open(disk: &dyn Disk, stream: &Stream, day: Day, create: bool) -> io::Result<Self> {
        let name = stream.day_file(day);
        let file = disk.open(&name, create)?;
        let length = file.length()?;
        let mut last = [b'\n'];
        if length > 0 {
            file.read_whole_at(&mut last, length - 1)?;
        }
        let tape = Tape { medium: file, length, spoiled: false, ragged: last != [b'\n'] };
        Ok(Self { day, name, tape, unsynced: Vec::new(), is_suspect: false })
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.is_suspect || self.unsynced.len() + lines.len() > MAX_UNSYNCED {
            self.sync()?;
        }
        let before = self.tape.length;
        self.tape.append(lines)?;
        if self.tape.length - before > count(lines.len()) {
            // A line end that closes somebody's unfinished line.
            self.unsynced.push(b'\n');
        }
        self.unsynced.extend_from_slice(lines);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.is_suspect {
            let from = self.tape.length.saturating_sub(count(self.unsynced.len()));
            self.tape.medium.write_whole_at(&self.unsynced, from)?;
        }
        // Set first: a sync that panics is a sync that failed.
        self.is_suspect = true;
        self.tape.medium.sync()?;
        self.is_suspect = false;
        self.unsynced.clear();
        Ok(())
    }

    /// What somebody did to the file: its name leads elsewhere by now, or it is not as we left it.
    fn find_change(&self) -> io::Result<Option<io::Error>> {
        let name = &self.name;
        if !self.tape.medium.is_in_place()? {
            let why = format!("`{name}` was removed or replaced by somebody");
            return Ok(Some(io::Error::new(io::ErrorKind::NotFound, why)));
        }
        let (is, should) = (self.tape.medium.length()?, self.tape.length);
        let is_changed = is < should || (is > should && !self.tape.spoiled);
        let why = || format!("`{name}` was changed by somebody");
        Ok(is_changed.then(|| io::Error::new(io::ErrorKind::InvalidData, why())))
    }

    /// Reads the last lines, and finds how much follows them that a crash left behind: a line
    /// without its end, or anything behind a block that was not written. Such a block reads as
    /// zeros, of which no line has one.
    fn end(&self) -> io::Result<End> {
        let Tape { medium: file, length, .. } = &self.tape;
        let offset = length.saturating_sub(WINDOW);
        let mut kept = vec![0; usize::try_from(length - offset).unwrap_or(0)];
        file.read_whole_at(&mut kept, offset)?;
        kept.truncate(kept.iter().position(|byte| *byte == 0).unwrap_or(kept.len()));
        let written = kept.len();
        kept.truncate(kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        let is_lost = kept.is_empty() && offset > 0;
        if written - kept.len() > MAX_LINE || is_lost {
            let why = format!(
                "`{}` ends with a line of more than {MAX_LINE} bytes, so it is no audit log; move \
                 it away",
                self.name
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(End { offset, torn: length - offset - count(kept.len()), kept })
    }

    /// Cuts off what is torn and makes the rest durable. What can be read may still not be on the
    /// disk, and never get there by a sync alone: a process before this one may have had one that
    /// failed. So the end is written again.
    fn settle(&mut self, end: &End) -> io::Result<()> {
        self.tape.length -= end.torn;
        self.tape.medium.set_length(self.tape.length)?;
        self.tape.medium.write_whole_at(&end.kept, end.offset)?;
        self.tape.medium.sync()
    }
}

impl End {
    fn last_line(&self) -> Option<&[u8]> {
        let lines = self.kept.strip_suffix(b"\n")?;
        lines.rsplit(|byte| *byte == b'\n').next()
    }
}

fn count_lines(file: &dyn DiskFile) -> io::Result<u64> {
    let (mut lines, mut offset, mut window) = (0, 0, vec![0; 64 * 1024]);
    loop {
        let read = file.read_at(&mut window, offset)?;
        let Some(seen) = window.get(..read).filter(|seen| !seen.is_empty()) else {
            return Ok(lines);
        };
        lines += count(seen.split(|byte| *byte == b'\n').count().saturating_sub(1));
        offset += count(read);
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
