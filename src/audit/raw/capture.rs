use super::options::{RawContext, RawPayloads};
use super::{Direction, options::Redact};
use crate::audit::aside::Counts;
use crate::call::{Payload, Room};
use serde::Serialize;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Takes payloads on the way of a call.
#[derive(Debug)]
pub struct Capture {
    wanted: RawPayloads,
    /// Bytes of payloads that are in memory.
    used: Arc<AtomicUsize>,
    counts: Arc<Counts>,
}

/// How many bytes of payloads may be in memory.
const MOST_BYTES: usize = 32 * 1024 * 1024;

impl Capture {
    pub(in crate::audit) fn new(wanted: RawPayloads, counts: Arc<Counts>) -> Self {
        Self { wanted, used: Arc::default(), counts }
    }

    /// The payload to keep of `value`, which must not be nested deeper than canonical JSON may be;
    /// `None` where nothing of it is wanted. What cannot be taken is left out and counted.
    pub fn take(&self, value: &impl Serialize, context: &RawContext<'_>) -> Option<Payload> {
        let is_wanted = match context.direction {
            Direction::Input => self.wanted.inputs,
            Direction::Output => self.wanted.outputs,
        };
        if !is_wanted {
            return None;
        }
        let taken = catch_unwind(AssertUnwindSafe(|| self.text_of(value, context)));
        let payload = taken.unwrap_or_else(|panic| {
            // It may panic again while it is dropped.
            std::mem::forget(panic);
            tracing::error!("the function that redacts payloads panicked; the payload is not kept");
            None
        });
        if payload.is_none() {
            self.counts.left_out_payload();
        }
        payload
    }

    fn text_of(&self, value: &impl Serialize, context: &RawContext<'_>) -> Option<Payload> {
        let mut text = Beginning { kept: Vec::new(), most: self.wanted.max_bytes, bytes: 0 };
        let written = match self.wanted.redact.as_deref() {
            None => serde_json::to_writer(&mut text, value),
            Some(redact) => redacted(value, redact, context, &mut text),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "a payload has no JSON form; it is not kept");
            return None;
        }
        let json = text.kept_text();
        let room = Room::take(&self.used, json.len(), MOST_BYTES)?;
        Some(Payload::new(json, text.bytes, room))
    }
}

fn redacted(
    value: &impl Serialize,
    redact: &Redact,
    context: &RawContext<'_>,
    text: &mut Beginning,
) -> serde_json::Result<()> {
    let mut value = serde_json::to_value(value)?;
    redact(&mut value, context);
    serde_json::to_writer(text, &value)
}

/// Keeps the beginning of what is written to it, and counts the rest.
struct Beginning {
    kept: Vec<u8>,
    most: usize,
    bytes: u64,
}

impl Beginning {
    /// What was kept, up to the last whole character.
    fn kept_text(&mut self) -> String {
        let kept = std::mem::take(&mut self.kept);
        String::from_utf8(kept).unwrap_or_else(|error| {
            let whole = error.utf8_error().valid_up_to();
            let mut kept = error.into_bytes();
            kept.truncate(whole);
            // Nothing is lost: this much is text.
            String::from_utf8_lossy(&kept).into_owned()
        })
    }
}

impl io::Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
