use crate::approval::{ApprovalStore, MemoryApprovals};
use crate::dedupe::{DedupeOptions, DedupeStore, MemoryStore, StoreError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the options say of idempotency keys and approvals, and where these are once the layer has
/// started.
#[derive(Debug, Default)]
pub(super) struct Deduping {
    pub(super) options: DedupeOptions,
    pub(super) store: Option<Arc<dyn DedupeStore>>,
    pub(super) approvals: Option<Arc<dyn ApprovalStore>>,
}

/// Where the idempotency keys of one layer are.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) store: Arc<dyn DedupeStore>,
    /// How long a repeat waits for the first.
    pub(super) wait: Duration,
}

impl Deduping {
    /// Opens the stores of keys and of approvals, where none was given: `sec0.db` in `dir`, else
    /// memory.
    ///
    /// `dir` is the audit directory after its log was opened.
    pub(super) fn open(&mut self, dir: Option<&Path>) -> Result<(), StoreError> {
        match dir {
            Some(dir) => self.in_directory(dir)?,
            None => self.in_memory(),
        }
        if self.store.as_ref().is_some_and(|store| !store.is_durable()) {
            tracing::warn!("idempotency keys are kept in memory; they do not survive a restart");
        }
        Ok(())
    }

    fn in_memory(&mut self) {
        if self.store.is_none() && !self.options.is_off() {
            self.store = Some(Arc::new(MemoryStore::new(self.options.bounds())));
        }
        self.approvals.get_or_insert_with(|| Arc::new(MemoryApprovals::default()));
    }

    /// Both in one file, and over one connection: what waits at the same time is synced once.
    #[cfg(feature = "sqlite")]
    fn in_directory(&mut self, dir: &Path) -> Result<(), StoreError> {
        use crate::approval::ApprovalBounds;
        use crate::store::sqlite::{SqliteApprovals, SqliteStore};
        let failed =
            |error: crate::store::sqlite::DbError| StoreError::Failed(error.to_string().into());
        let bounds = ApprovalBounds::default();
        if self.store.is_none() && !self.options.is_off() {
            let keys = SqliteStore::open(dir, self.options.bounds()).map_err(failed)?;
            if self.approvals.is_none() {
                let approvals = SqliteApprovals::beside(&keys, bounds).map_err(failed)?;
                self.approvals = Some(Arc::new(approvals));
            }
            self.store = Some(Arc::new(keys));
        } else if self.approvals.is_none() {
            self.approvals = Some(Arc::new(SqliteApprovals::open(dir, bounds).map_err(failed)?));
        }
        Ok(())
    }

    #[cfg(not(feature = "sqlite"))]
    #[expect(clippy::unnecessary_wraps, reason = "a file can fail to open")]
    fn in_directory(&mut self, _: &Path) -> Result<(), StoreError> {
        self.in_memory();
        Ok(())
    }

    /// What the steps share; `None` where keys are only recorded.
    pub(super) fn share(self) -> Option<Keeping> {
        let store = self.store.filter(|_| !self.options.is_off())?;
        Some(Keeping { store, wait: self.options.waits() })
    }
}
