use super::disk::Disk;
use std::sync::Arc;

/// Files of a journal that was recovered.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    disk: Option<Arc<dyn Disk>>,
    /// Removed when everything that was in them is durable in the log.
    files: Vec<String>,
    /// How many records of theirs are not synced yet.
    records: usize,
}

impl Leftovers {
    pub(super) fn new(disk: Option<Arc<dyn Disk>>, files: Vec<String>, records: usize) -> Self {
        let mut leftovers = Self { disk, files, records };
        if records == 0 {
            leftovers.remove();
        }
        leftovers
    }

    /// So many of the records are in the log.
    pub(super) fn are_written(&mut self, records: usize) {
        self.records = self.records.saturating_sub(records);
    }

    /// What is in the log is durable there.
    pub(super) fn are_synced(&mut self) {
        if self.records == 0 {
            self.remove();
        }
    }

    /// Removes the files. One that stays is looked through again at the next start.
    fn remove(&mut self) {
        let Some(disk) = self.disk.take() else { return };
        for name in self.files.drain(..) {
            if let Err(error) = disk.remove(&name) {
                tracing::warn!(name, %error, "a segment of the journal cannot be removed");
            }
        }
    }
}
