use super::key::expiry;
use crate::clock::Timestamp;
use std::time::Duration;

/// How repeated idempotency keys are dealt with.
#[derive(Debug, Clone)]
pub struct DedupeOptions {
    is_off: bool,
    wait: Duration,
    bounds: Bounds,
}

/// How long results are kept, and how much of them.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    ttl: Duration,
    result: usize,
    rows: u64,
    bytes: u64,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what is bounded is these two")]
pub struct Used {
    /// Keys.
    pub rows: u64,
    /// Bytes of stored results.
    pub bytes: u64,
}

impl Default for DedupeOptions {
    fn default() -> Self {
        Self { is_off: false, wait: Duration::from_secs(2), bounds: Bounds::default() }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self { ttl: Duration::from_mins(30), result: 1 << 20, rows: 200_000, bytes: 256 << 20 }
    }
}

impl DedupeOptions {
    /// Keys are only recorded: a repeated call runs again.
    pub fn off() -> Self {
        Self { is_off: true, ..Self::default() }
    }

    /// How long a repeat waits while the first call still runs (two seconds), but never longer than
    /// its own deadline. Then it is refused and may come again.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// For how long a result is given back (30 minutes); from 30 seconds to 24 hours.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.bounds.ttl = ttl.clamp(Duration::from_secs(30), Duration::from_hours(24));
        self
    }

    /// The largest result that is stored (1 MiB). A call with a larger one has run all the same, so
    /// a repeat is refused until the time of the key is over.
    #[must_use]
    pub fn max_result_bytes(mut self, bytes: usize) -> Self {
        self.bounds.result = bytes;
        self
    }

    /// The most keys at a time (200,000); of one principal half as many. A call with a new key is
    /// refused while there are more.
    #[must_use]
    pub fn max_keys(mut self, keys: u64) -> Self {
        self.bounds.rows = keys;
        self
    }

    /// The most bytes of stored results (256 MiB); of one principal half as many. A result that
    /// does not fit is treated like one that is too large.
    #[must_use]
    pub fn max_stored_bytes(mut self, bytes: u64) -> Self {
        self.bounds.bytes = bytes;
        self
    }

    /// True where keys are only recorded.
    pub fn is_off(&self) -> bool {
        self.is_off
    }

    /// How long a repeat waits.
    pub fn waits(&self) -> Duration {
        self.wait
    }

    /// What a store has to keep to.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }
}

impl Bounds {
    /// True when one more key fits: all together, and of its principal.
    pub fn has_room(&self, all: Used, share: Used) -> bool {
        all.rows < self.rows && share.rows < half(self.rows)
    }

    /// True when a result of this length is to be stored.
    pub fn keeps(&self, len: usize, all: Used, share: Used) -> bool {
        let grown = |used: Used| used.bytes.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        len <= self.result && grown(all) <= self.bytes && grown(share) <= half(self.bytes)
    }

    /// Until when a result that is stored now is given back.
    pub fn expiry(&self, now: Timestamp) -> Timestamp {
        expiry(now, self.ttl)
    }
}

/// One principal must leave something for the others.
fn half(of: u64) -> u64 {
    of.div_ceil(2)
}
