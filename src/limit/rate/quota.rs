use crate::call::RateRule;
use std::time::Duration;

/// A rate, as durations: how long one call takes to come back, and how much may be taken ahead.
///
/// Rounding is to the caller's disadvantage: no more than `burst + per_second × time` calls fit into
/// any stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    interval: Duration,
    room: Duration,
}

impl Quota {
    /// The quota of this rule. A rate of 0 or below lets `burst` calls through, and no more.
    pub fn new(rule: RateRule) -> Self {
        // As good as never, and far from the end of what a duration can say.
        const NEVER: Duration = Duration::from_hours(100 * 366 * 24);
        let seconds = rule.per_second.recip();
        let rounded = Duration::try_from_secs_f64(seconds).unwrap_or(NEVER).min(NEVER);
        // The conversion rounds to the nearest nanosecond.
        let short = rounded.as_secs_f64() < seconds;
        let interval = rounded.saturating_add(Duration::from_nanos(u64::from(short)));
        let interval = interval.max(Duration::from_nanos(1));
        Self { interval, room: interval.saturating_mul(rule.burst.max(1)) }
    }

    /// Takes one call out of a bucket that is full again at `full_at`, and says when it is then.
    ///
    /// # Errors
    ///
    /// How long until there is room for one.
    pub fn take(self, full_at: Duration, now: Duration) -> Result<Duration, Duration> {
        let full_at = full_at.max(now).saturating_add(self.interval);
        match full_at.saturating_sub(now).checked_sub(self.room) {
            None | Some(Duration::ZERO) => Ok(full_at),
            Some(short) => Err(short),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn quota(per_second: f64, burst: u32) -> Quota {
        Quota::new(RateRule { per_second, burst })
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_call_for_each_interval() {
        let (quota, mut full_at) = (quota(2.0, 3), Duration::ZERO);
        let mut take = |millis| {
            let taken = quota.take(full_at, Duration::from_millis(millis));
            full_at = taken.unwrap_or(full_at);
            taken.map(|_| ()).map_err(|wait| wait.as_millis())
        };
        for (at, expected) in [
            (1000, Ok(())),
            (1000, Ok(())),
            (1000, Ok(())),
            (1000, Err(500)),
            (1400, Err(100)),
            (1500, Ok(())),
            (1501, Err(499)),
            // After a pause there is a burst again, and no more than that.
            (9000, Ok(())),
            (9000, Ok(())),
            (9000, Ok(())),
            (9000, Err(500)),
        ] {
            assert_eq!(take(at), expected, "at {at}");
        }
    }

    #[test]
    fn rates_at_the_ends_of_what_can_be_written_neither_panic_nor_let_everything_through() {
        for rate in [1e-300, f64::MIN_POSITIVE, 0.0, -1.0] {
            let quota = quota(rate, 1);
            let full_at = quota.take(Duration::ZERO, Duration::ZERO).unwrap();
            assert!(quota.take(full_at, Duration::from_hours(24 * 366)).is_err(), "{rate}");
        }
        let fast = quota(1e300, u32::MAX);
        assert!(fast.take(Duration::MAX, Duration::ZERO).is_err());
        assert!(fast.take(Duration::ZERO, Duration::from_secs(1)).is_ok());
    }

    proptest! {
        /// Over any stretch of time, whatever the calls before it.
        #[test]
        fn no_window_has_more_calls_than_burst_and_rate_allow(
            per_second in 0.01_f64..2000.0,
            burst in 1_u32..20,
            pauses in proptest::collection::vec(0_u64..400_000_000, 1..120),
        ) {
            let quota = quota(per_second, burst);
            let (mut now, mut full_at, mut admitted) = (Duration::ZERO, Duration::ZERO, Vec::new());
            for pause in pauses {
                now += Duration::from_nanos(pause);
                match quota.take(full_at, now) {
                    Ok(next) => {
                        full_at = next;
                        admitted.push(now);
                    }
                    Err(wait) => {
                        // Exact: a nanosecond before there is no room, and then there is.
                        prop_assert!(quota.take(full_at, now + wait).is_ok());
                        let before = (now + wait).saturating_sub(Duration::from_nanos(1));
                        prop_assert!(quota.take(full_at, before).is_err());
                    }
                }
            }
            for (from, start) in admitted.iter().enumerate() {
                for (to, end) in admitted.iter().enumerate().skip(from) {
                    let count = f64::from(u32::try_from(to - from + 1).unwrap());
                    let most = f64::from(burst) + per_second * end.saturating_sub(*start).as_secs_f64();
                    prop_assert!(count <= most + 1e-6, "{count} > {most}");
                }
            }
        }
    }
}
