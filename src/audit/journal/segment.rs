use super::SEGMENT;
use super::entry::{Entry, Header, write};
use crate::audit::disk::{Disk, DiskFile};
use crate::digest::Digest;
use std::io;

/// One file of the journal, and how far it is full.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) name: String,
    pub(super) number: u64,
    file: Box<dyn DiskFile>,
    /// How far it is durable.
    at: u64,
    /// What the next entry is chained to.
    chain: Digest,
    /// What was put in and is not written.
    buffer: Vec<u8>,
    /// Calls whose intent or outcome lies here and whose line is not durable.
    pub(super) live: usize,
    /// A write or a sync failed: it takes no more.
    pub(super) is_spoiled: bool,
}

impl Segment {
    /// Makes a segment and has the disk give all of its bytes now: a disk that fills up later has
    /// room for what was promised. Zeros that are there already are also synced fastest.
    pub(super) fn make(disk: &dyn Disk, name: String) -> io::Result<Self> {
        let mut file = disk.open(&name, true)?;
        let zeros = vec![0; usize::try_from(SEGMENT).unwrap_or(0)];
        let filled = file.write_whole_at(&zeros, 0).and_then(|()| file.sync());
        if let Err(error) = filled {
            // Half of it would take the room that the log needs.
            if let Err(error) = disk.remove(&name) {
                tracing::warn!(name, %error, "a segment of the journal cannot be removed");
            }
            return Err(error);
        }
        let chain = Digest::from_bytes([0; 32]);
        Ok(Self {
            name,
            number: 0,
            file,
            at: 0,
            chain,
            buffer: Vec::new(),
            live: 0,
            is_spoiled: false,
        })
    }

    /// Begins it, anew if it was used before: nothing of that is valid any more.
    pub(super) fn begin(&mut self, header: Header) {
        self.number = header.number;
        self.at = 0;
        self.buffer.clear();
        self.chain = header.write(&mut self.buffer);
    }

    pub(super) fn put(&mut self, entry: &Entry<'_>) {
        self.chain = write(&mut self.buffer, entry, &self.chain);
    }

    /// The bytes that are free.
    pub(super) fn left(&self) -> u64 {
        let taken = self.at.saturating_add(u64::try_from(self.buffer.len()).unwrap_or(u64::MAX));
        SEGMENT.saturating_sub(taken)
    }

    pub(super) fn is_used(&self) -> bool {
        self.at > 0
    }

    /// Makes what was put in durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if !self.file.is_in_place()? {
            let why = format!("`{}` was removed or replaced by somebody", self.name);
            return Err(io::Error::new(io::ErrorKind::NotFound, why));
        }
        self.file.write_whole_at(&self.buffer, self.at)?;
        self.file.sync()?;
        self.at = self.at.saturating_add(u64::try_from(self.buffer.len()).unwrap_or(u64::MAX));
        self.buffer.clear();
        Ok(())
    }
}
