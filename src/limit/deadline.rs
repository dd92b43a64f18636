use std::time::{Duration, Instant};

/// The moment until which a call may run, counted from its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    entered: Instant,
    allowed: Duration,
}

impl Deadline {
    /// The deadline of a call that entered then and may take so long.
    pub fn new(entered: Instant, allowed: Duration) -> Self {
        Self { entered, allowed }
    }

    /// The deadline of a call for which this much of its time does not count.
    #[must_use]
    pub fn after(&self, waited: Duration) -> Self {
        Self { entered: self.entered, allowed: self.allowed.saturating_add(waited) }
    }

    /// The moment itself; `None` when it lies beyond what the clock can say.
    pub fn at(&self) -> Option<Instant> {
        self.entered.checked_add(self.allowed)
    }

    /// True when `now` is past it.
    pub fn passed(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.entered) > self.allowed
    }
}
