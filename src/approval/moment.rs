use super::escalation::{Escalation, later};
use crate::clock::Timestamp;
use std::time::Duration;

/// When a decision is looked at: by a clock that may step, and by one that cannot.
///
/// - An escalation is over when *either* says so: a wall clock that steps forward ends it early,
///   and one that steps back does not keep it alive for whoever has measured.
/// - It is approved by time-out only when the whole time was *measured*. No step of the wall clock
///   approves, and a program that starts anew measures anew: later, never earlier.
///
/// A wall clock that steps back while nobody measures (between two programs, say) could make
/// something that was over look alive. Against that a store keeps the first end:
/// [`History::ended`](super::History::ended).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "one clock alone would decide wrongly")]
pub struct Moment {
    /// The wall clock.
    pub wall: Timestamp,
    /// For how long the escalation has been there at least, by a monotonic clock of the program
    /// that made or loaded it; `None` where nobody has measured.
    pub measured: Option<Duration>,
}

impl Moment {
    /// This time on the wall clock, with nothing measured.
    pub fn at(wall: Timestamp) -> Self {
        Self { wall, measured: None }
    }

    /// True when somebody has measured that the whole time has passed.
    pub(super) fn has_measured(&self, whole: Duration) -> bool {
        self.measured.is_some_and(|measured| measured >= whole)
    }

    /// True when `escalation`, if it has so much time, is over by either clock.
    pub(super) fn is_past(&self, escalation: &Escalation, whole: Duration) -> bool {
        self.wall >= later(escalation.created_at(), whole) || self.has_measured(whole)
    }
}
