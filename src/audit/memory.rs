use super::day::Day;
use super::disk::{Disk, DiskFile};
use super::sink::{AuditSink, Tail};
use super::stream::Stream;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Keeps the lines in memory, for tests. Clones share the lines, so one goes into the log and
/// another reads; it can be told to fail.
#[derive(Debug, Clone, Default)]
pub struct MemorySink(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Kept>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Kept {
    day: Option<Day>,
    lines: Vec<String>,
    failing: Option<io::ErrorKind>,
    /// What is beside the lines: checkpoints, the journal.
    files: BTreeMap<String, Bytes>,
}

impl MemorySink {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lines so far, without line ends.
    pub fn lines(&self) -> Vec<String> {
        self.0.kept.lock().lines.clone()
    }

    /// The lines, as soon as there are `count` of them; whatever there is after `within`. Blocks
    /// the thread.
    pub fn wait_for(&self, count: usize, within: Duration) -> Vec<String> {
        let mut kept = self.0.kept.lock();
        self.0.more.wait_while_for(&mut kept, |kept| kept.lines.len() < count, within);
        kept.lines.clone()
    }

    /// From now on every append and every sync fails in this way.
    pub fn fail_with(&self, kind: io::ErrorKind) {
        self.0.kept.lock().failing = Some(kind);
    }

    /// From now on everything works again.
    pub fn heal(&self) {
        self.0.kept.lock().failing = None;
    }
}

impl AuditSink for MemorySink {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        let kept = self.0.kept.lock();
        let line = kept.lines.last().map(|line| line.clone().into_bytes());
        Ok(kept.day.map(|day| Tail { day, line, cuts: Vec::new() }))
    }

    fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()> {
        let text = str::from_utf8(lines)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut kept = self.0.kept.lock();
        if let Some(kind) = kept.failing {
            return Err(kind.into());
        }
        kept.day = Some(day);
        kept.lines.extend(text.lines().map(str::to_owned));
        drop(kept);
        self.0.more.notify_all();
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.works()
    }

    /// A disk in memory, with the lines in the file of the newest day.
    fn disk(&self) -> Option<(Arc<dyn Disk>, Stream)> {
        Some((Arc::new(MemoryDisk(Arc::clone(&self.0))), Stream::default()))
    }
}

impl Shared {
    fn works(&self) -> io::Result<()> {
        self.kept.lock().failing.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

/// Fails when the sink does.
#[derive(Debug)]
struct MemoryDisk(Arc<Shared>);

type Bytes = Arc<Mutex<Vec<u8>>>;

impl Disk for MemoryDisk {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    fn open(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let mut kept = self.0.kept.lock();
        let bytes = if kept.day_file().as_deref() == Some(name) {
            let lines: String = kept.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            Arc::new(Mutex::new(lines.into_bytes()))
        } else if let Some(bytes) = kept.files.get(name) {
            Arc::clone(bytes)
        } else if !create {
            return Err(io::ErrorKind::NotFound.into());
        } else if let Some(kind) = kept.failing {
            return Err(kind.into());
        } else {
            Arc::clone(kept.files.entry(name.to_owned()).or_default())
        };
        Ok(Box::new(MemoryFile { sink: Arc::clone(&self.0), bytes }))
    }

    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let kept = self.0.kept.lock();
        let day = kept.day_file();
        let names = kept.files.keys().chain(&day).filter_map(|name| name.strip_prefix(&prefix));
        Ok(names.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.0.works()?;
        let bytes = Arc::new(Mutex::new(bytes.to_vec()));
        self.0.kept.lock().files.insert(name.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.kept.lock().files.remove(name);
        self.0.works()
    }
}

impl Kept {
    fn day_file(&self) -> Option<String> {
        self.day.map(Day::file_name)
    }
}

#[derive(Debug)]
struct MemoryFile {
    sink: Arc<Shared>,
    bytes: Bytes,
}

impl DiskFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(u64::try_from(self.bytes.lock().len()).unwrap_or(u64::MAX))
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let held = self.bytes.lock();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(held.len());
        let some = held.get(from..).unwrap_or_default();
        let length = some.len().min(bytes.len());
        for (to, from) in bytes.iter_mut().zip(some) {
            *to = *from;
        }
        Ok(length)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.sink.works()?;
        let mut held = self.bytes.lock();
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let end = from.saturating_add(bytes.len());
        if held.len() < end {
            held.resize(end, 0);
        }
        held.get_mut(from..end).ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.sink.works()?;
        self.bytes.lock().resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sink.works()
    }

    fn is_in_place(&self) -> io::Result<bool> {
        Ok(true)
    }
}
