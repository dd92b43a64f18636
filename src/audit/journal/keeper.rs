use super::book::Book;
use super::entry::{self, Entry, Header, Kind};
use super::queue::{Item, Journal, Lost, Shared, Work};
use super::segment::Segment;
use super::{MAX_ENTRY, MAX_SEGMENTS, SEGMENT};
use crate::audit::disk::Disk;
use crate::audit::sync::{Builder, Mutex};
use crate::audit::sync_watch::{SyncWatch, SyncedFile};
use crate::clock::Clock;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Starts the thread of the journal. It makes its first file when there is a first intent.
pub(in crate::audit) fn start(
    disk: Arc<dyn Disk>,
    folder: String,
    clock: Arc<dyn Clock>,
    (epoch, base_seq): (u64, u64),
    watch: Option<SyncWatch>,
) -> io::Result<Journal> {
    let shared = Shared::new(base_seq);
    let mut keeper = Keeper {
        shared: Arc::clone(&shared),
        disk,
        folder,
        clock,
        epoch,
        base_seq,
        numbers: 0,
        files: 0,
        current: None,
        spare: Vec::new(),
        full: Vec::new(),
        book: Book::default(),
        waiting: Vec::new(),
        failed_at: None,
        watch,
    };
    let thread = Builder::new().name("sec0-journal".to_owned());
    let thread = thread.spawn(move || {
        let _end = EndGuard(Arc::clone(&keeper.shared));
        keeper.run();
    })?;
    Ok(Journal { shared, thread: Mutex::new(Some(thread)) })
}

/// What the thread has.
struct Keeper {
    shared: Arc<Shared>,
    disk: Arc<dyn Disk>,
    folder: String,
    clock: Arc<dyn Clock>,
    epoch: u64,
    base_seq: u64,
    /// How often a segment was begun, and how many files were made.
    numbers: u64,
    files: u64,
    current: Option<Segment>,
    /// Segments without a live call.
    spare: Vec<Segment>,
    /// Segments that are full, or spoiled by a fault, and have live calls.
    full: Vec<Segment>,
    book: Book,
    /// Who waits for the next sync.
    waiting: Vec<Waiting>,
    /// When a segment could not be made; until it is a while ago nobody tries again.
    failed_at: Option<Instant>,
    /// Who hears how long a sync took.
    watch: Option<SyncWatch>,
}

struct Waiting {
    id: u64,
    kind: Kind,
    ack: oneshot::Sender<Result<(), Lost>>,
}

/// What an outcome may have more than its intent: digest, task id, reasons, status.
const OUTCOME_EXTRA: usize = 4096;
/// How long a disk that gave no room is left alone.
const RETRY: Duration = Duration::from_millis(250);

impl Keeper {
    fn run(&mut self) {
        let mut work = Work::default();
        loop {
            self.shared.take(&mut work);
            self.base_seq = work.base_seq;
            self.book.turn();
            self.settle(&work.settled);
            if !work.items.is_empty() {
                self.write(&mut work);
            } else if work.is_closing {
                return self.leave();
            }
        }
    }

    fn settle(&mut self, ids: &[u64]) {
        for id in ids {
            for number in self.book.settle(*id) {
                let segments = self.current.iter_mut().chain(&mut self.full);
                if let Some(segment) = segments.into_iter().find(|one| one.number == number) {
                    segment.live = segment.live.saturating_sub(1);
                }
            }
        }
        let free: Vec<_> = self.full.extract_if(.., |segment| segment.live == 0).collect();
        for segment in free {
            if segment.is_spoiled {
                self.discard(&segment);
            } else {
                self.spare.push(segment);
            }
        }
    }

    fn write(&mut self, work: &mut Work) {
        // Nothing in the journal is needed any more: its first segment begins anew, in place.
        if self.book.is_empty()
            && let Some(mut current) = self.current.take_if(|current| current.is_used())
        {
            self.begin(&mut current);
            self.current = Some(current);
        }
        let mut rest = &*work.bytes;
        for item in work.items.drain(..) {
            let (payload, behind) = rest.split_at(item.length.min(rest.len()));
            rest = behind;
            self.put(item, payload);
        }
        self.sync();
    }

    fn put(&mut self, item: Item, payload: &[u8]) {
        let Item { kind, id, ack, .. } = item;
        let lost = |ack| tell(ack, Err(Lost));
        let length = entry::length(id, payload.len());
        let Ok(text) = str::from_utf8(payload) else { return lost(ack) };
        if length > MAX_ENTRY {
            tracing::error!(length, "a record is too large for the journal");
            return lost(ack);
        }
        let reserve = match kind {
            Kind::Intent => length.saturating_add(OUTCOME_EXTRA).min(MAX_ENTRY),
            Kind::Outcome => {
                self.book.take_reserve(id);
                0
            }
        };
        let (length, reserve) = (size(length), size(reserve));
        let room = if self.book.is_settled(id) { Ok(()) } else { self.make_room(length, reserve) };
        // Also when it was settled while there was no room.
        if self.book.is_settled(id) {
            return tell(ack, Ok(()));
        }
        if let Err(error) = room {
            report(&error);
            return lost(ack);
        }
        let Some(current) = &mut self.current else { return lost(ack) };
        current.put(&Entry { kind, id, payload: text });
        current.live += 1;
        match kind {
            Kind::Intent => self.book.intent(id, current.number, reserve),
            Kind::Outcome => self.book.outcome(id, current.number),
        }
        self.waiting.push(Waiting { id, kind, ack });
    }

    /// Sees to it that `length` bytes fit into the current segment, and that with `reserve` more
    /// every promise can still be kept.
    fn make_room(&mut self, length: u64, reserve: u64) -> io::Result<()> {
        let promised = self.book.reserved().saturating_add(reserve);
        while self.room() < promised.saturating_add(length) {
            let settled = self.shared.take_settled();
            if settled.is_empty() {
                let segment = self.make_segment()?;
                self.spare.push(segment);
            } else {
                self.settle(&settled);
            }
        }
        if self.current.as_ref().is_none_or(|current| current.left() < length) {
            self.sync();
            self.full.extend(self.current.take());
            let mut next = match self.spare.pop() {
                Some(next) => next,
                None => self.make_segment()?,
            };
            self.begin(&mut next);
            self.current = Some(next);
        }
        Ok(())
    }

    /// The bytes that can be promised: an entry never lies across two segments, so the end of each
    /// may be lost.
    fn room(&self) -> u64 {
        let usable = |left: u64| left.saturating_sub(size(MAX_ENTRY));
        let current = self.current.as_ref().map_or(0, |current| usable(current.left()));
        let spare = usable(SEGMENT).saturating_mul(size(self.spare.len()));
        current.saturating_add(spare)
    }

    fn begin(&mut self, segment: &mut Segment) {
        self.numbers += 1;
        segment.begin(Header { epoch: self.epoch, number: self.numbers, base_seq: self.base_seq });
    }

    fn make_segment(&mut self) -> io::Result<Segment> {
        if self.spare.len() + self.full.len() + usize::from(self.current.is_some()) >= MAX_SEGMENTS
        {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the journal is full"));
        }
        let now = self.clock.monotonic();
        if self.failed_at.is_some_and(|at| now.saturating_duration_since(at) < RETRY) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk gave no room"));
        }
        self.files += 1;
        let name = format!("{}/{}-{}", self.folder, self.epoch, self.files);
        let made = self.on_disk(|keeper| {
            keeper.disk.hold()?;
            Segment::make(&*keeper.disk, name)
        });
        self.failed_at = made.is_err().then_some(now);
        made
    }

    /// Makes durable what was put in, and tells who waits for it.
    fn sync(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let began = self.clock.monotonic();
        let synced = self.on_disk(|keeper| match &mut keeper.current {
            Some(current) => current.sync(),
            None => Err(io::ErrorKind::NotFound.into()),
        });
        if let Some(watch) = self.watch.as_ref().filter(|_| synced.is_ok()) {
            let took = self.clock.monotonic().saturating_duration_since(began);
            watch.hear(SyncedFile::Journal, took);
        }
        let waiting = std::mem::take(&mut self.waiting);
        if let Err(error) = &synced {
            report(error);
            self.spoil(&waiting);
        }
        let said = synced.map_err(|_reported| Lost);
        for one in waiting {
            tell(one.ack, said);
        }
    }

    /// Nobody knows what the current segment has of the last entries: it takes no more, and stays
    /// until the calls whose intents were durable in it are settled.
    fn spoil(&mut self, waiting: &[Waiting]) {
        let Some(mut current) = self.current.take() else { return };
        current.is_spoiled = true;
        for one in waiting {
            // What was settled since it was put in is not counted any more.
            let forgotten = match one.kind {
                Kind::Intent => self.book.forget(one.id),
                // It leaves its intent as it is.
                Kind::Outcome => self.book.forget_outcome(one.id),
            };
            current.live = current.live.saturating_sub(forgotten);
        }
        if current.live > 0 {
            self.full.push(current);
        } else {
            self.discard(&current);
        }
    }

    /// Runs something that may hang, so that those who come meanwhile can see it.
    fn on_disk<T>(&mut self, act: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        self.shared.busy(Some(self.clock.monotonic()));
        let done = catch_unwind(AssertUnwindSafe(|| act(self)));
        self.shared.busy(None);
        done.unwrap_or_else(|_panic| Err(io::Error::other("the disk panicked")))
    }

    fn discard(&self, segment: &Segment) {
        if let Err(error) = self.disk.remove(&segment.name) {
            let name = &segment.name;
            tracing::warn!(name, %error, "a segment of the journal cannot be removed");
        }
    }

    /// The end: files in which no call is live are of no use to anybody.
    fn leave(&mut self) {
        let segments = self.current.iter().chain(&self.spare).chain(&self.full);
        if self.book.is_empty() {
            segments.for_each(|segment| self.discard(segment));
        }
    }
}

fn report(error: &io::Error) {
    tracing::error!(%error, "the journal cannot be written, the calls that wait are refused");
}

fn tell(ack: oneshot::Sender<Result<(), Lost>>, said: Result<(), Lost>) {
    if ack.send(said).is_err() {
        tracing::trace!("a call gave up before its record was durable");
    }
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Whoever waits learns that the thread has ended, also when it ends by a panic.
pub(super) struct EndGuard(pub(super) Arc<Shared>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.end();
    }
}
