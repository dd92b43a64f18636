use crate::dedupe::{DedupeOptions, DedupeStore, MemoryStore, StoreError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the options say of idempotency keys, and where these are once the layer has started.
#[derive(Debug, Default)]
pub(super) struct Deduping {
    pub(super) options: DedupeOptions,
    pub(super) store: Option<Arc<dyn DedupeStore>>,
}

/// Where the idempotency keys of one layer are.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) store: Arc<dyn DedupeStore>,
    /// How long a repeat waits for the first.
    pub(super) wait: Duration,
}

impl Deduping {
    /// Opens the store: the one that was given, else `sec0.db` in `dir`, else memory.
    ///
    /// `dir` is the audit directory after its log was opened.
    pub(super) fn open(&mut self, dir: Option<&Path>) -> Result<(), StoreError> {
        if self.store.is_none() && !self.options.is_off() {
            let store = match dir {
                Some(dir) => self.in_directory(dir)?,
                None => Arc::new(MemoryStore::new(self.options.bounds())),
            };
            self.store = Some(store);
        }
        if self.store.as_ref().is_some_and(|store| !store.is_durable()) {
            tracing::warn!("idempotency keys are kept in memory; they do not survive a restart");
        }
        Ok(())
    }

    #[cfg(feature = "sqlite")]
    fn in_directory(&self, dir: &Path) -> Result<Arc<dyn DedupeStore>, StoreError> {
        use crate::store::sqlite::SqliteStore;
        let opened = SqliteStore::open(dir, self.options.bounds());
        opened
            .map(|store| -> Arc<dyn DedupeStore> { Arc::new(store) })
            .map_err(|error| StoreError::Failed(error.to_string().into()))
    }

    #[cfg(not(feature = "sqlite"))]
    #[expect(clippy::unnecessary_wraps, reason = "a file can fail to open")]
    fn in_directory(&self, _: &Path) -> Result<Arc<dyn DedupeStore>, StoreError> {
        Ok(Arc::new(MemoryStore::new(self.options.bounds())))
    }

    /// What the steps share; `None` where keys are only recorded.
    pub(super) fn share(self) -> Option<Keeping> {
        let store = self.store.filter(|_| !self.options.is_off())?;
        Some(Keeping { store, wait: self.options.waits() })
    }
}
