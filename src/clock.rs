//! Time as a parameter: nothing below the program asks the machine for it directly.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z on the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment that lies `millis` after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

/// Where the time comes from.
///
/// The two readings are different clocks on purpose: the wall clock dates a record and may step,
/// the monotonic one measures and never does.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The wall clock.
    fn wall(&self) -> Timestamp;

    /// The monotonic clock.
    fn monotonic(&self) -> Instant;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct System;

impl System {
    /// The machine's clocks behind the pointer that the options take.
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(Self)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place that reads the machine's clocks")]
impl Clock for System {
    fn wall(&self) -> Timestamp {
        // A clock before 1970 reads as 1970: the order of records is `seq`, never `ts`.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

/// A wall clock that is set by hand, for tests. The monotonic reading stays the machine's, since
/// timers run on it.
#[derive(Debug, Default)]
pub struct Manual {
    wall: AtomicI64,
}

impl Manual {
    /// A clock that stands at `wall`.
    pub fn at(wall: Timestamp) -> Self {
        Self { wall: AtomicI64::new(wall.as_millis()) }
    }

    /// Steps the wall clock to `wall`, backwards too.
    pub fn set(&self, wall: Timestamp) {
        self.wall.store(wall.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for Manual {
    fn wall(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Instant {
        System.monotonic()
    }
}
