use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Which file was made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a log has these two")]
pub enum SyncedFile {
    /// The lines.
    Log,
    /// The intents.
    Journal,
}

impl SyncedFile {
    /// The name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Journal => "journal",
        }
    }
}

/// Hears how long each sync of a log took. It is called by the threads of the log: it must not wait.
#[derive(Clone)]
pub struct SyncWatch(Arc<dyn Fn(SyncedFile, Duration) + Send + Sync>);

impl SyncWatch {
    /// One that calls `hear`.
    pub fn new(hear: impl Fn(SyncedFile, Duration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(super) fn hear(&self, file: SyncedFile, took: Duration) {
        (self.0)(file, took);
    }
}

impl fmt::Debug for SyncWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SyncWatch")
    }
}
