use super::error::StoreError;
use super::key::{Asked, DedupeKey, Share};
use super::options::{Bounds, Used};
use super::state::{Finding, Holding, judge};
use super::store::{Answer, Begun, DedupeStore, Ending, Ticket};
use crate::clock::Timestamp;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::future::ready;
use std::sync::Arc;

/// Keys and results in the memory of this process: they do not survive its end, and no other
/// process sees them.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    bounds: Bounds,
    keys: HashMap<DedupeKey, Entry>,
    used: HashMap<Share, Used>,
    all: Used,
    /// The keys with a result, oldest first.
    aging: VecDeque<(Timestamp, DedupeKey)>,
    runs: u64,
}

#[derive(Debug)]
struct Entry {
    run: u64,
    share: Share,
    arguments: [u8; 32],
    holding: Holding,
    result: Option<Vec<u8>>,
}

impl MemoryStore {
    /// An empty store with these bounds.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(Held { bounds, ..Held::default() })))
    }

    /// Frees a key whose call ended unknown; false when there is none.
    pub fn release(&self, key: &DedupeKey) -> bool {
        let mut held = self.0.lock();
        let is_unknown = |entry: &Entry| entry.holding == Holding::Unknown;
        let found = held.keys.get(key).is_some_and(is_unknown);
        if found {
            held.remove(key);
        }
        found
    }

    fn ticket(&self, key: DedupeKey, run: u64) -> Ticket {
        let held = Arc::clone(&self.0);
        Ticket::new(move |ending, now| {
            held.lock().end(key, run, ending, now.unwrap_or_default());
            Box::pin(ready(Ok(())))
        })
    }
}

impl DedupeStore for MemoryStore {
    fn begin(&self, asked: &Arc<Asked>, now: Timestamp) -> Answer<Begun> {
        let begun = self.0.lock().begin(asked, now);
        // Outside the lock: a ticket that is dropped takes it.
        let answer = begun.map(|begun| match begun {
            Ok(run) => Begun::First(self.ticket(asked.key, run)),
            Err(told) => told,
        });
        Box::pin(ready(answer))
    }

    fn flush(&self) -> Answer<()> {
        Box::pin(ready(Ok(())))
    }

    fn is_durable(&self) -> bool {
        false
    }
}

impl Held {
    /// The number of the run that may begin, or what the caller is told instead.
    fn begin(&mut self, asked: &Asked, now: Timestamp) -> Result<Result<u64, Begun>, StoreError> {
        self.purge(now);
        let entry = self.keys.get(&asked.key);
        let held = entry.map(|entry| (entry.holding, entry.arguments));
        match judge(held, asked, now) {
            Finding::Free => {}
            Finding::OtherArguments => return Ok(Err(Begun::OtherArguments)),
            Finding::Running => return Ok(Err(Begun::Running)),
            Finding::NotKept => return Ok(Err(Begun::NotKept)),
            Finding::Unknown => return Ok(Err(Begun::Unknown)),
            Finding::Stored => {
                let result = entry.and_then(|entry| entry.result.clone());
                return Ok(Err(result.map_or(Begun::NotKept, Begun::Stored)));
            }
        }
        self.remove(&asked.key);
        let used = self.used.entry(asked.share).or_default();
        if !self.bounds.has_room(self.all, *used) {
            return Err(StoreError::Full);
        }
        used.rows += 1;
        self.all.rows += 1;
        self.runs += 1;
        let holding = Holding::Running { owner_lives: true };
        let (run, share, arguments) = (self.runs, asked.share, asked.arguments);
        self.keys.insert(asked.key, Entry { run, share, arguments, holding, result: None });
        Ok(Ok(run))
    }

    fn end(&mut self, key: DedupeKey, run: u64, ending: Ending, now: Timestamp) {
        let Some(entry) = self.keys.get_mut(&key).filter(|entry| entry.run == run) else { return };
        match ending {
            Ending::Freed => self.remove(&key),
            Ending::Unknown => entry.holding = Holding::Unknown,
            Ending::Done(result) => {
                let used = self.used.entry(entry.share).or_default();
                let (bounds, all) = (self.bounds, self.all);
                entry.result = result.filter(|bytes| bounds.keeps(bytes.len(), all, *used));
                let until = bounds.expiry(now);
                entry.holding = Holding::Done { is_kept: entry.result.is_some(), until };
                let kept = len(entry);
                used.bytes += kept;
                self.all.bytes += kept;
                self.aging.push_back((until, key));
            }
        }
    }

    fn purge(&mut self, now: Timestamp) {
        while let Some((_, key)) = self.aging.pop_front_if(|(until, _)| *until <= now) {
            let is_over = |entry: &Entry| matches!(entry.holding, Holding::Done { until, .. } if until <= now);
            if self.keys.get(&key).is_some_and(is_over) {
                self.remove(&key);
            }
        }
    }

    fn remove(&mut self, key: &DedupeKey) {
        let Some(entry) = self.keys.remove(key) else { return };
        let bytes = len(&entry);
        for used in [Some(&mut self.all), self.used.get_mut(&entry.share)].into_iter().flatten() {
            used.rows = used.rows.saturating_sub(1);
            used.bytes = used.bytes.saturating_sub(bytes);
        }
        if self.used.get(&entry.share).is_some_and(|used| used.rows == 0) {
            self.used.remove(&entry.share);
        }
    }
}

fn len(entry: &Entry) -> u64 {
    let len = entry.result.as_ref().map_or(0, Vec::len);
    u64::try_from(len).unwrap_or(u64::MAX)
}
