use super::agents::{Agents, NotCopied, is_fit};
use super::day::Day;
use super::disk::Disk;
use super::envelope::Site;
use super::error::OpenError;
use super::queue::Entry;
use super::raw::{Direction, write_payload};
use super::side_file::SideFile;
use super::stream::Stream;
use crate::call::Room;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// What is written beside the log, on a thread of its own: copies by agent, and payloads.
///
/// It gets a line only when the log has it, and none of it is evidence. What cannot be written, or
/// finds no room, is left out and counted; no call and no line of the log ever waits for it.
#[derive(Debug)]
pub(super) struct Aside {
    has_copies: bool,
    jobs: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    counts: Arc<Counts>,
}

/// What is to be written beside the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The most files a day, where there are to be copies.
    pub(super) copies: Option<usize>,
    pub(super) payloads: bool,
}

/// What was not written beside the log since it was opened. The log itself has every line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LeftOut {
    /// Lines without their copy by agent.
    pub copies: u64,
    /// Arguments and results that were to be kept as they are.
    pub payloads: u64,
}

/// The counts behind [`LeftOut`], and how much waits.
#[derive(Debug, Default)]
pub(super) struct Counts {
    copies: AtomicU64,
    payloads: AtomicU64,
    waiting: AtomicUsize,
}

/// One thing to write.
#[derive(Debug)]
pub(super) enum Item {
    Copy { node: Box<str>, agent: Box<str>, line: Vec<u8> },
    Payload { line: Vec<u8>, _room: Arc<Room> },
}

struct Job {
    day: Day,
    items: Vec<Item>,
    bytes: usize,
}

/// How many bytes may wait, and in how many batches.
const MOST_BYTES: usize = 32 * 1024 * 1024;
const MOST_JOBS: usize = 256;

impl Aside {
    /// Starts the thread, where it has anything to do.
    pub(super) fn wanted(
        home: Option<&(Arc<dyn Disk>, Stream)>,
        wanted: Option<Wanted>,
    ) -> Result<(Option<Self>, Option<Arc<Counts>>), OpenError> {
        let Some((home, wanted)) = home.zip(wanted) else { return Ok((None, None)) };
        let aside = Self::start(home, wanted)?;
        let counts = Arc::clone(&aside.counts);
        Ok((Some(aside), Some(counts)))
    }

    fn start((disk, stream): &(Arc<dyn Disk>, Stream), wanted: Wanted) -> Result<Self, OpenError> {
        let counts = Arc::new(Counts::default());
        let (jobs, incoming) = sync_channel(MOST_JOBS);
        let most = wanted.copies.unwrap_or(0);
        let mut keeper = Keeper {
            agents: Agents::new(Arc::clone(disk), stream.clone(), most),
            disk: Arc::clone(disk),
            stream: stream.clone(),
            payloads: None,
            counts: Arc::clone(&counts),
            is_told: false,
            full: None,
        };
        let thread = std::thread::Builder::new().name("sec0-aside".to_owned());
        let thread = thread.spawn(move || keeper.run(&incoming)).map_err(OpenError::Thread)?;
        Ok(Self {
            has_copies: wanted.copies.is_some(),
            jobs: Mutex::new(Some(jobs)),
            thread: Mutex::new(Some(thread)),
            counts,
        })
    }

    /// Notes the copy of a line that was sealed, for when the log has it.
    pub(super) fn copy(&self, entry: &Entry, line: &[u8], items: &mut Vec<Item>) {
        if !self.has_copies {
            return;
        }
        let Some((node, agent)) = agent_of(entry) else { return };
        if is_fit(&node) && is_fit(&agent) {
            let (node, agent) = (node.into(), agent.into());
            items.push(Item::Copy { node, agent, line: line.to_vec() });
        } else {
            self.counts.copies.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes the payloads of a call whose line was sealed with this `seq`.
    pub(super) fn payloads(entry: &Entry, site: &Site, seq: u64, items: &mut Vec<Item>) {
        let (Entry::Call(facts) | Entry::Refused(facts)) = entry else { return };
        let Some(payloads) = facts.payloads.as_deref() else { return };
        let both = [(Direction::Input, &payloads.input), (Direction::Output, &payloads.output)];
        for (direction, payload) in both {
            if let Some(payload) = payload {
                let mut line = Vec::with_capacity(payload.json().len().saturating_add(1024));
                write_payload(&mut line, (direction, payload), facts, site, seq);
                items.push(Item::Payload { line, _room: Arc::clone(payload.room()) });
            }
        }
    }

    /// Hands on what was noted: the log has its lines, in the file of `day`.
    pub(super) fn send(&self, day: Day, items: &mut Vec<Item>) {
        if items.is_empty() {
            return;
        }
        let items = std::mem::take(items);
        let bytes = items.iter().map(Item::bytes).sum();
        let job = Job { day, items, bytes };
        let before = self.counts.waiting.fetch_add(bytes, Ordering::Relaxed);
        let refused = match &*self.jobs.lock() {
            Some(jobs) if before.saturating_add(bytes) <= MOST_BYTES => {
                jobs.try_send(job).err().map(|refused| match refused {
                    std::sync::mpsc::TrySendError::Full(job)
                    | std::sync::mpsc::TrySendError::Disconnected(job) => job,
                })
            }
            Some(_) | None => Some(job),
        };
        if let Some(job) = refused {
            job.items.iter().for_each(|item| self.counts.left_out(item));
            self.counts.waiting.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Writes what was handed on, and ends.
    pub(super) fn close(&self) {
        drop(self.jobs.lock().take());
        let thread = self.thread.lock().take();
        if let Some(Err(_panic)) = thread.map(JoinHandle::join) {
            tracing::error!("the thread `sec0-aside` panicked");
        }
        let LeftOut { copies, payloads } = self.counts.get();
        if copies + payloads > 0 {
            tracing::warn!(copies, payloads, "not everything was written beside the audit log");
        }
    }
}

impl Counts {
    pub(super) fn get(&self) -> LeftOut {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LeftOut { copies: read(&self.copies), payloads: read(&self.payloads) }
    }

    pub(super) fn left_out_payload(&self) {
        self.payloads.fetch_add(1, Ordering::Relaxed);
    }

    fn left_out(&self, item: &Item) {
        match item {
            Item::Copy { .. } => &self.copies,
            Item::Payload { .. } => &self.payloads,
        }
        .fetch_add(1, Ordering::Relaxed);
    }
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Copy { line, .. } | Self::Payload { line, .. } => line.len(),
        }
    }
}

/// Node and run that a call claims, where it claims both.
fn agent_of(entry: &Entry) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    match entry {
        Entry::Call(facts) | Entry::Refused(facts) => {
            let claimed = &facts.claimed;
            Some((claimed.node_id.as_deref()?.into(), claimed.agent_ref.as_deref()?.into()))
        }
        Entry::Revived(revived) => {
            Some((revived.text("nodeId")?.into(), revived.text("agentRef")?.into()))
        }
        Entry::Event(_) | Entry::Noted(_) | Entry::KeyChange(_) => None,
    }
}

/// What the thread has.
struct Keeper {
    agents: Agents,
    disk: Arc<dyn Disk>,
    stream: Stream,
    payloads: Option<SideFile>,
    counts: Arc<Counts>,
    /// The fault that lasts has been told.
    is_told: bool,
    /// The day of which it has been told that it has all its files.
    full: Option<Day>,
}

impl Keeper {
    fn run(&mut self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            for item in job.items {
                let written = catch_unwind(AssertUnwindSafe(|| self.write(job.day, &item)));
                let panicked = |_| Err(io::Error::other("the disk panicked").into());
                self.note(job.day, &item, written.unwrap_or_else(panicked));
            }
            self.counts.waiting.fetch_sub(job.bytes, Ordering::Relaxed);
        }
        let synced = self.agents.sync();
        let payloads = self.payloads.as_mut().map_or(Ok(()), SideFile::sync);
        if let Err(error) = synced.and(payloads) {
            tracing::warn!(%error, "what is written beside the audit log cannot be synced");
        }
    }

    fn write(&mut self, day: Day, item: &Item) -> Result<(), NotCopied> {
        match item {
            Item::Copy { node, agent, line } => self.agents.append(day, (node, agent), line),
            Item::Payload { line, .. } => Ok(self.append_payload(day, line)?),
        }
    }

    fn append_payload(&mut self, day: Day, line: &[u8]) -> io::Result<()> {
        let name = self.stream.raw(day);
        let mut file = match self.payloads.take() {
            Some(file) if file.name == name && file.is_in_place()? => file,
            Some(mut other) => {
                other.sync()?;
                SideFile::open(&*self.disk, name)?
            }
            None => SideFile::open(&*self.disk, name)?,
        };
        file.append(line)?;
        self.payloads = Some(file);
        Ok(())
    }

    fn note(&mut self, day: Day, item: &Item, written: Result<(), NotCopied>) {
        let Err(why) = written else {
            self.is_told = false;
            return;
        };
        self.counts.left_out(item);
        let is_told = match why {
            NotCopied::Full(_) => self.full.replace(day) == Some(day),
            NotCopied::Disk(_) => std::mem::replace(&mut self.is_told, true),
        };
        if !is_told {
            tracing::warn!(%why, "something cannot be written beside the audit log; it is left out");
        }
    }
}
