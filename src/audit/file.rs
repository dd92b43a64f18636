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
        if let Some(file) = &mut self.current
            && let Err(error) = file.check()
        {
            self.current = None;
            return Err(error);
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
            if end.torn > 0 {
                file.tape.medium.set_length(file.tape.length - end.torn)?;
                tail.cuts.push(Cut { file: file.name.clone(), bytes: end.torn });
            }
            // What a process wrote and did not sync is relied on from now on.
            file.tape.medium.sync()?;
            if end.line.is_some() {
                tail.line = end.line;
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
    line: Option<Vec<u8>>,
    torn: u64,
}

/// The most bytes that are appended without a sync.
const MAX_UNSYNCED: usize = 8 * 1024 * 1024;

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
        if self.is_suspect || self.unsynced.len() > MAX_UNSYNCED {
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

    /// Fails when the name leads elsewhere by now, or the file is not as we left it.
    fn check(&self) -> io::Result<()> {
        if !self.tape.medium.is_in_place()? {
            let why = format!("`{}` was removed or replaced by somebody", self.name);
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        let (is, should) = (self.tape.medium.length()?, self.tape.length);
        if is < should || (is > should && !self.tape.spoiled) {
            let why = format!("`{}` was changed by somebody", self.name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(())
    }

    /// Reads the last line, and how much follows it.
    fn end(&self) -> io::Result<End> {
        let Tape { medium: file, length, .. } = &self.tape;
        // A whole line, a torn one, and the line ends before both.
        let window = WINDOW.min(*length);
        let mut bytes = vec![0; usize::try_from(window).unwrap_or(0)];
        file.read_whole_at(&mut bytes, length - window)?;
        let mut pieces = bytes.rsplitn(3, |byte| *byte == b'\n');
        let torn = pieces.next().map_or(0, <[u8]>::len);
        let line = pieces.next();
        let is_cut = window < *length && pieces.next().is_none();
        if torn > MAX_LINE || is_cut {
            let why = format!(
                "`{}` ends with a line of more than {MAX_LINE} bytes, so it is no audit log; move \
                 it away",
                self.name
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(End { line: line.map(<[u8]>::to_vec), torn: count(torn) })
    }
}

const WINDOW: u64 = 2 * 1024 * 1024 + 3;

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
