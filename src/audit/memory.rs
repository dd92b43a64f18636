use super::day::Day;
use super::sink::{AuditSink, Tail};
use parking_lot::{Condvar, Mutex};
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
        match self.0.kept.lock().failing {
            Some(kind) => Err(kind.into()),
            None => Ok(()),
        }
    }
}
