use super::MAX_LINE;
use super::day::Day;
use super::dir::{AuditDir, same_file};
use super::error::OpenError;
use super::sink::{AuditSink, Cut, Tail};
use super::tape::Tape;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

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
    dir: AuditDir,
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
        Ok(Self { dir: AuditDir::open(dir.as_ref())?, current: None })
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
            Some(file) => match file.tape.medium.sync_all() {
                Ok(()) => DayFile::open(&self.dir, day, true)?,
                Err(error) => {
                    self.current = Some(file);
                    return Err(error);
                }
            },
            None => {
                if !self.dir.is_in_place() {
                    self.dir = AuditDir::open(self.dir.path())?;
                }
                DayFile::open(&self.dir, day, true)?
            }
        };
        Ok(self.current.insert(file))
    }

    /// The days that have a file, newest first.
    fn days(&self) -> io::Result<Vec<Day>> {
        let mut days = Vec::new();
        for entry in std::fs::read_dir(self.dir.path())? {
            days.extend(entry?.file_name().to_str().and_then(Day::of_file));
        }
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
            let file = DayFile::open(&self.dir, day, false)?;
            let end = file.end()?;
            if end.torn > 0 {
                file.tape.medium.set_len(file.tape.length - end.torn)?;
                file.tape.medium.sync_all()?;
                tail.cuts.push(Cut { file: day.file_name(), bytes: end.torn });
            }
            if end.line.is_some() {
                tail.line = end.line;
                break;
            }
        }
        Ok(Some(tail))
    }

    fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()> {
        self.file_of(day)?.tape.append(lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        match &self.current {
            Some(file) => file.tape.medium.sync_all(),
            None => Ok(()),
        }
    }

    fn last_place(&mut self) -> String {
        let count = |day: Day| -> io::Result<u64> {
            let file = DayFile::open(&self.dir, day, false)?;
            count_lines(&mut BufReader::new(file.tape.medium))
        };
        // For a message that another error brings up: what cannot be read now is left out of it.
        for day in self.days().unwrap_or_default() {
            match count(day) {
                Ok(0) => {}
                Ok(lines) => return format!("{}:{lines}", day.file_name()),
                Err(_) => return day.file_name(),
            }
        }
        self.dir.path().display().to_string()
    }
}

/// One day's file.
#[derive(Debug)]
struct DayFile {
    day: Day,
    path: PathBuf,
    tape: Tape<File>,
}

/// How a file ends.
struct End {
    line: Option<Vec<u8>>,
    torn: u64,
}

impl DayFile {
    fn open(dir: &AuditDir, day: Day, create: bool) -> io::Result<Self> {
        let name = day.file_name();
        let file = dir.open_file(&name, create)?;
        let length = file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        let tape = Tape { medium: file, length, spoiled: false, ragged: last != [b'\n'] };
        Ok(Self { day, path: dir.path().join(name), tape })
    }

    /// Fails when the path leads elsewhere by now, or the file is not as we left it.
    fn check(&self) -> io::Result<()> {
        let here = self.tape.medium.metadata()?;
        let there = match std::fs::symlink_metadata(&self.path) {
            Ok(there) => Some(there),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if !there.is_some_and(|there| same_file(&there, &here)) {
            let why = format!("`{}` was removed or replaced by somebody", self.path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        let (is, should) = (here.len(), self.tape.length);
        if is < should || (is > should && !self.tape.spoiled) {
            let why = format!("`{}` was changed by somebody", self.path.display());
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
        file.read_exact_at(&mut bytes, length - window)?;
        let mut pieces = bytes.rsplitn(3, |byte| *byte == b'\n');
        let torn = pieces.next().map_or(0, <[u8]>::len);
        let line = pieces.next();
        let is_cut = window < *length && pieces.next().is_none();
        if torn > MAX_LINE || is_cut {
            let why = format!(
                "`{}` ends with a line of more than {MAX_LINE} bytes, so it is no audit log; move \
                 it away",
                self.path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let torn = u64::try_from(torn).unwrap_or(u64::MAX);
        Ok(End { line: line.map(<[u8]>::to_vec), torn })
    }
}

const WINDOW: u64 = 2 * 1024 * 1024 + 3;

fn count_lines(reader: &mut BufReader<File>) -> io::Result<u64> {
    let mut lines = 0;
    loop {
        let seen = reader.fill_buf()?;
        if seen.is_empty() {
            return Ok(lines);
        }
        let ends = seen.split(|byte| *byte == b'\n').count().saturating_sub(1);
        lines += u64::try_from(ends).unwrap_or(u64::MAX);
        let consumed = seen.len();
        reader.consume(consumed);
    }
}
