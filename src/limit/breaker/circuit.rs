use super::window::{Counts, Sample, Window, is_bad};
use crate::call::{BreakerRule, CircuitChange, CircuitState};
use std::time::Duration;

/// What the circuit of a tool says to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each answer must be acted on")]
pub enum Passage {
    /// It passes.
    Free,
    /// It is one of those by which the circuit is tried, and its end must be told.
    Tried(Probe),
    /// It does not pass; after this long another one may.
    Barred(Duration),
}

/// The place of a call by which a circuit is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe(u64);

impl Probe {
    /// The place with this number, as [`Probe::number`] gave it.
    pub fn of_number(number: u64) -> Self {
        Self(number)
    }

    /// The number by which it is known.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// The circuit of one tool.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    phase: Phase,
    /// How often it was tried: what an earlier try brings to light counts no more.
    trials: u64,
}

#[derive(Debug)]
enum Phase {
    /// The window is made when there is something to count.
    Closed(Option<Box<Window>>),
    Open {
        until: Duration,
    },
    Trying {
        taken: u32,
        went: Counts,
        /// When those who were let through are waited for no longer.
        until: Duration,
    },
}

impl Default for Phase {
    fn default() -> Self {
        Self::Closed(None)
    }
}

impl Circuit {
    pub(super) fn admit(&mut self, rule: &BreakerRule, now: Duration) -> Passage {
        match &mut self.phase {
            Phase::Closed(_) => Passage::Free,
            Phase::Trying { taken, .. } if *taken < rule.probes.max(1) => {
                *taken = taken.saturating_add(1);
                Passage::Tried(Probe(self.trials))
            }
            Phase::Open { until } | Phase::Trying { until, .. } if *until > now => {
                Passage::Barred(until.saturating_sub(now))
            }
            Phase::Open { .. } | Phase::Trying { .. } => {
                self.trials = self.trials.saturating_add(1);
                let until = now.saturating_add(rule.open);
                self.phase = Phase::Trying { taken: 1, went: Counts::default(), until };
                Passage::Tried(Probe(self.trials))
            }
        }
    }

    /// Open while it is tried, too.
    pub(super) fn state(&self) -> CircuitState {
        match self.phase {
            Phase::Closed(_) => CircuitState::Closed,
            Phase::Open { .. } | Phase::Trying { .. } => CircuitState::Open,
        }
    }

    pub(super) fn end(
        &mut self,
        probe: Option<Probe>,
        sample: Option<Sample>,
        rule: &BreakerRule,
        now: Duration,
    ) -> Option<CircuitChange> {
        match (&mut self.phase, sample) {
            (Phase::Closed(window), Some(sample)) => {
                let counts = window.get_or_insert_default().add(sample, rule, now);
                if !counts.open(rule) {
                    return None;
                }
                self.phase = Phase::Open { until: now.saturating_add(rule.open) };
                Some(change(CircuitState::Open, counts))
            }
            (Phase::Trying { .. } | Phase::Open { .. }, Some(_))
                if probe != Some(Probe(self.trials)) =>
            {
                None
            }
            (Phase::Trying { .. }, Some(sample)) if is_bad(sample, rule) => {
                self.phase = Phase::Open { until: now.saturating_add(rule.open) };
                None
            }
            (Phase::Trying { went, .. }, Some(sample)) => {
                went.add(sample, rule);
                let went = *went;
                if went.calls < rule.probes.max(1) {
                    return None;
                }
                self.phase = Phase::Closed(None);
                Some(change(CircuitState::Closed, went))
            }
            (Phase::Trying { taken, .. }, None) if probe == Some(Probe(self.trials)) => {
                *taken = taken.saturating_sub(1);
                None
            }
            (Phase::Closed(_) | Phase::Open { .. } | Phase::Trying { .. }, _) => None,
        }
    }
}

fn change(state: CircuitState, counts: Counts) -> CircuitChange {
    let Counts { calls, failed, slow } = counts;
    CircuitChange { state, calls, failed, slow }
}
