use std::iter;

/// What a power cut leaves of the changes that were not synced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Survival {
    Nothing,
    All,
    /// So many of them, in the order in which they were made, and half of the next one.
    First {
        changes: usize,
        torn: bool,
    },
    /// Any blocks of them, and any of the lengths that the file had. A block that was not written
    /// reads as its old content, or as zeros.
    Blocks {
        seed: u64,
    },
}

/// One file: what is durable, what was changed since, and what reading shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    durable: Vec<u8>,
    pending: Vec<Change>,
    seen: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Change {
    /// When, counted over all files of the disk.
    at: u64,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// What a disk writes whole or not at all.
const BLOCK: usize = 512;

impl Image {
    pub(crate) fn durable(bytes: Vec<u8>) -> Self {
        Self { seen: bytes.clone(), durable: bytes, pending: Vec::new() }
    }

    pub(crate) fn seen(&self) -> &[u8] {
        &self.seen
    }

    pub(crate) fn write(&mut self, at: u64, offset: usize, bytes: &[u8]) {
        self.change(at, What::Write { offset, bytes: bytes.to_vec() });
    }

    pub(crate) fn set_length(&mut self, at: u64, length: usize) {
        self.change(at, What::Length(length));
    }

    fn change(&mut self, at: u64, what: What) {
        what.apply(&mut self.seen);
        self.pending.push(Change { at, what });
    }

    pub(crate) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.what.apply(&mut self.durable);
        }
    }

    /// A sync that failed: the changes are never written, though reading shows them, and the next
    /// sync knows nothing of them.
    pub(crate) fn lose(&mut self) {
        self.pending.clear();
    }

    /// The moments of what is not durable.
    pub(crate) fn unsynced(&self) -> impl Iterator<Item = u64> {
        self.pending.iter().map(|change| change.at)
    }

    /// What is there after a power cut that leaves the changes before `until`, and half of the one
    /// at `torn`.
    pub(crate) fn first(&self, until: u64, torn: Option<u64>) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for Change { at, what } in &self.pending {
            if *at < until {
                what.apply(&mut bytes);
            } else if Some(*at) == torn
                && let What::Write { offset, bytes: written } = what
            {
                put(&mut bytes, *offset, &written[..written.len() / 2]);
            }
        }
        bytes
    }

    /// What is there after a power cut that leaves any of the blocks.
    pub(crate) fn blocks(&self, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let mut whole = bytes.clone();
        let mut lengths = vec![bytes.len()];
        for Change { what, .. } in &self.pending {
            what.apply(&mut whole);
            lengths.push(whole.len());
            for part in what.blocks() {
                if random.bool() {
                    part.apply(&mut bytes);
                }
            }
        }
        bytes.resize(lengths[random.usize(..lengths.len())], 0);
        bytes
    }
}

impl What {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => put(to, *offset, bytes),
            Self::Length(length) => to.resize(*length, 0),
        }
    }

    /// The change, cut at the borders of blocks.
    fn blocks(&self) -> Vec<Self> {
        let Self::Write { offset, bytes } = self else { return vec![self.clone()] };
        let (mut at, mut rest) = (*offset, &bytes[..]);
        let next = || {
            let (part, behind) = rest.split_at(rest.len().min(BLOCK - at % BLOCK));
            let block = Self::Write { offset: at, bytes: part.to_vec() };
            (at, rest) = (at + part.len(), behind);
            (!part.is_empty()).then_some(block)
        };
        iter::from_fn(next).collect()
    }
}

fn put(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[offset..end].copy_from_slice(bytes);
}
