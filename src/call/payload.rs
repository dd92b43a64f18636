use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Arguments and result of one call as they were, where they are to be kept.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Payloads {
    /// The arguments.
    pub input: Option<Payload>,
    /// The result.
    pub output: Option<Payload>,
}

/// One payload as JSON text, or the beginning of it.
pub struct Payload {
    json: String,
    bytes: u64,
    room: Arc<Room>,
}

impl Payload {
    /// The text `json`, of `bytes` bytes before it was cut, for which there was `room`.
    pub(crate) fn new(json: String, bytes: u64, room: Room) -> Self {
        Self { json, bytes, room: Arc::new(room) }
    }

    /// The text, or its beginning.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// How long the whole text is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The room it takes, for a copy of it that lives longer.
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// True where there is only the beginning.
    pub fn is_cut(&self) -> bool {
        u64::try_from(self.json.len()).unwrap_or(u64::MAX) < self.bytes
    }
}

/// Says nothing of the text: it may hold secrets.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// A part of the memory that all payloads together may take; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Room {
    used: Arc<AtomicUsize>,
    bytes: usize,
}

impl Room {
    /// `bytes` of the memory of which so many are `used`; `None` when that is more than `most`.
    pub(crate) fn take(used: &Arc<AtomicUsize>, bytes: usize, most: usize) -> Option<Self> {
        let taken = used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        // Dropped at once, it gives back what it took too much.
        let room = Self { used: Arc::clone(used), bytes };
        (taken <= most).then_some(room)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_all_payloads_together_has_a_bound() {
        let used = Arc::default();
        let (one, two) = (Room::take(&used, 6, 10), Room::take(&used, 4, 10));
        assert!(one.is_some() && two.is_some());
        assert!(Room::take(&used, 1, 10).is_none());
        drop(one);
        assert_eq!(used.load(Ordering::Relaxed), 4);
        assert!(Room::take(&used, 6, 10).is_some());
    }

    #[test]
    fn a_payload_is_not_shown() {
        let room = Room::take(&Arc::default(), 9, 10).unwrap();
        let shown = format!("{:?}", Payload::new("\"hunter2\"".to_owned(), 9, room));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
