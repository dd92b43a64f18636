use std::time::Duration;

/// How long to wait before a failed call is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff;

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);

    /// The wait after `tries` tries that failed: 50 ms, twice as long each time, at most a second,
    /// of which `random` takes away up to a half, so that callers who failed together do not come
    /// back together.
    pub fn after(tries: u32, random: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let whole = Self::FIRST.saturating_mul(doubled).min(Self::LONGEST);
        let share = f64::from(random) / f64::from(u32::MAX);
        whole.saturating_sub((whole / 2).mul_f64(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_second_and_chance_takes_half_of_it_at_most() {
        for (tries, whole) in [(1, 50), (2, 100), (3, 200), (5, 800), (6, 1000), (u32::MAX, 1000)] {
            assert_eq!(Backoff::after(tries, 0).as_millis(), whole, "{tries}");
            assert_eq!(Backoff::after(tries, u32::MAX).as_millis(), whole / 2, "{tries}");
            let between = Backoff::after(tries, u32::MAX / 2).as_millis();
            assert!((whole / 2..=whole).contains(&between), "{tries}: {between}");
        }
    }
}
