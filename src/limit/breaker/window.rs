use crate::call::BreakerRule;
use std::time::Duration;

/// How one call of a tool went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a circuit knows no more of a call")]
pub struct Sample {
    /// It failed: by its own word, by a panic, or by its deadline.
    pub failed: bool,
    /// How long the tool took.
    pub latency: Duration,
}

/// What was counted of some calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u32,
    pub(super) failed: u32,
    /// Those that reached the bound on the 95th percentile. With their number the percentile can be
    /// held against its bound without an error: no latency has to be kept.
    pub(super) slow: u32,
}

/// The calls of the last while, in slots of a twelfth of it: the oldest ones are forgotten between
/// eleven and twelve twelfths after they came.
#[derive(Debug, Default)]
pub(super) struct Window {
    slots: [Slot; SLOTS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Which twelfth since the beginning it counts.
    number: u64,
    counts: Counts,
}

const SLOTS: usize = 12;

impl Counts {
    pub(super) fn add(&mut self, sample: Sample, rule: &BreakerRule) {
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(u32::from(sample.failed));
        self.slow = self.slow.saturating_add(u32::from(is_slow(sample, rule)));
    }

    /// True when these calls open a circuit.
    pub(super) fn open(self, rule: &BreakerRule) -> bool {
        if self.calls < rule.min_samples.max(1) {
            return false;
        }
        let share = f64::from(self.failed) * 100.0;
        let fails = rule.error_rate_pct.is_some_and(|most| share >= most * f64::from(self.calls));
        // The 95th percentile is the smallest latency that at least 95 of 100 calls do not exceed.
        // It reaches the bound exactly when more than one call in twenty does.
        let drags = u64::from(self.slow).saturating_mul(20) > u64::from(self.calls);
        fails || (rule.p95_latency.is_some() && drags)
    }
}

impl Window {
    /// Counts a call, and says what the window has then.
    pub(super) fn add(&mut self, sample: Sample, rule: &BreakerRule, now: Duration) -> Counts {
        let number = number(now, rule.window);
        let turns = u64::try_from(SLOTS).unwrap_or(u64::MAX);
        let at = usize::try_from(number % turns).unwrap_or(0);
        if let Some(slot) = self.slots.get_mut(at) {
            if slot.number < number {
                *slot = Slot { number, counts: Counts::default() };
            }
            slot.counts.add(sample, rule);
        }
        let recent = self.slots.iter().filter(|slot| slot.number.saturating_add(turns) > number);
        recent.fold(Counts::default(), |sum, slot| Counts {
            calls: sum.calls.saturating_add(slot.counts.calls),
            failed: sum.failed.saturating_add(slot.counts.failed),
            slow: sum.slow.saturating_add(slot.counts.slow),
        })
    }
}

/// True when the call speaks against closing a circuit.
pub(super) fn is_bad(sample: Sample, rule: &BreakerRule) -> bool {
    (sample.failed && rule.error_rate_pct.is_some()) || is_slow(sample, rule)
}

pub(super) fn is_slow(sample: Sample, rule: &BreakerRule) -> bool {
    rule.p95_latency.is_some_and(|bound| sample.latency >= bound)
}

fn number(now: Duration, window: Duration) -> u64 {
    let slots = u128::try_from(SLOTS).unwrap_or(u128::MAX);
    let width = window.as_nanos().checked_div(slots).unwrap_or(0).max(1);
    u64::try_from(now.as_nanos().checked_div(width).unwrap_or(0)).unwrap_or(u64::MAX)
}
