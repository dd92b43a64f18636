//! What stands in the place of the export where it is not built in.

use super::error::OtelError;
use super::gauges::Gauges;
use super::live::Began;
use super::settings::Settings;
use super::told::Told;
use crate::audit::SyncedFile;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// There is none.
#[derive(Debug)]
pub(super) enum Pipeline {}

impl Pipeline {
    #[expect(clippy::unnecessary_wraps, reason = "the one that exports may fail")]
    pub(super) fn start(_: &Settings) -> Result<Option<Arc<Self>>, OtelError> {
        tracing::warn!(
            "`otel` is set, but sec0 was built without its feature `otlp`: nothing is exported"
        );
        Ok(None)
    }

    pub(super) fn result_room(&self) -> Option<usize> {
        match *self {}
    }

    pub(super) fn end(&self, _: &mut Began, _: &Told<'_>) {
        match *self {}
    }

    pub(super) fn watch(&self, _: Weak<dyn Gauges>) {
        match *self {}
    }

    pub(super) fn synced(&self, _: SyncedFile, _: Duration) {
        match *self {}
    }

    pub(super) fn flush(&self, _: Duration) -> Result<(), String> {
        match *self {}
    }

    pub(super) fn shutdown(&self, _: Duration) -> Result<(), String> {
        match *self {}
    }

    pub(super) fn dropped(&self) -> u64 {
        match *self {}
    }
}
