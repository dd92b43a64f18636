use super::quota::Quota;
use crate::call::RateRule;
use crate::limit::whole_millis;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is left of the quotas of every caller.
///
/// A call spends of all quotas that are for it, or, where one of them has no room, of none.
///
/// # Bounds
///
/// A bucket that is full again is as good as none and may be forgotten; one that is not never is.
/// There is room for 262,144 that are not full. Callers for whom there is no room are refused until
/// there is: nobody gets a new bucket by crowding out an old one.
#[derive(Debug)]
pub struct Rates {
    quotas: Box<[Quota]>,
    since: Instant,
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    /// The most buckets of one shard.
    most: usize,
}

/// When each bucket is full again. All of one caller's lie in one shard, so that several are spent
/// under one lock.
#[derive(Debug, Default)]
struct Shard {
    full_at: HashMap<(Arc<str>, usize), Duration>,
    /// Until then there is no use in looking for buckets that are full.
    crowded_until: Duration,
}

impl Rates {
    const SHARDS: usize = 64;
    const MOST: usize = 4096;

    /// All buckets full at `since`, the beginning of time. `None` without rules: nothing is to be
    /// counted then.
    pub fn new(rules: impl IntoIterator<Item = RateRule>, since: Instant) -> Option<Self> {
        let quotas: Box<[_]> = rules.into_iter().map(Quota::new).collect();
        if quotas.is_empty() {
            return None;
        }
        let shards = std::iter::repeat_with(Mutex::default).take(Self::SHARDS).collect();
        // Even a caller of whom every rule is true must fit in.
        let most = Self::MOST.max(quotas.len().saturating_mul(2));
        Some(Self { quotas, since, shards, hasher: RandomState::new(), most })
    }

    /// Spends one call of `principal` from each of the quotas with these numbers.
    ///
    /// # Errors
    ///
    /// How long until all of them have room, in whole milliseconds, rounded up. Nothing is spent
    /// then.
    pub fn spend(
        &self,
        principal: &Arc<str>,
        which: impl Iterator<Item = usize> + Clone,
        now: Instant,
    ) -> Result<(), Duration> {
        let now = now.saturating_duration_since(self.since);
        let quotas = which.filter_map(|number| Some((number, *self.quotas.get(number)?)));
        let Some(shard) = self.shard(principal) else { return Ok(()) };
        let mut shard = shard.lock();
        let (mut wait, mut new) = (Duration::ZERO, 0_usize);
        for (number, quota) in quotas.clone() {
            let known = shard.full_at.get(&(Arc::clone(principal), number)).copied();
            new = new.saturating_add(usize::from(known.is_none()));
            if let Err(short) = quota.take(known.unwrap_or_default(), now) {
                wait = wait.max(short);
            }
        }
        if wait.is_zero() {
            wait = shard.make_room(new, self.most, now);
        }
        if !wait.is_zero() {
            return Err(whole_millis(wait));
        }
        for (number, quota) in quotas {
            let full_at = shard.full_at.entry((Arc::clone(principal), number)).or_default();
            *full_at = quota.take(*full_at, now).unwrap_or(*full_at);
        }
        Ok(())
    }

    fn shard(&self, principal: &Arc<str>) -> Option<&Mutex<Shard>> {
        let shards = u64::try_from(self.shards.len()).unwrap_or(u64::MAX);
        let at = self.hasher.hash_one(principal).checked_rem(shards)?;
        self.shards.get(usize::try_from(at).unwrap_or(0))
    }
}

impl Shard {
    /// Makes room for `new` more buckets; how long until there is, where there is none.
    fn make_room(&mut self, new: usize, most: usize, now: Duration) -> Duration {
        let fits = |len: usize| len.saturating_add(new) <= most;
        if new == 0 || fits(self.full_at.len()) {
            return Duration::ZERO;
        }
        if now >= self.crowded_until {
            self.full_at.retain(|_, full_at| *full_at > now);
            if fits(self.full_at.len()) {
                return Duration::ZERO;
            }
            self.crowded_until = self.full_at.values().copied().min().unwrap_or(now);
        }
        self.crowded_until.saturating_sub(now).max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(rules: &[(f64, u32)], since: Instant) -> Rates {
        let rule =
            |(per_second, burst): &(f64, u32)| RateRule { per_second: *per_second, burst: *burst };
        Rates::new(rules.iter().map(rule), since).unwrap()
    }

    fn start() -> Instant {
        crate::clock::Clock::monotonic(&crate::clock::System::default())
    }

    fn name(name: &str) -> Arc<str> {
        name.into()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn without_rules_nothing_is_counted() {
        assert!(Rates::new([], start()).is_none());
    }

    #[test]
    fn each_caller_has_a_bucket_and_the_wait_is_told_in_whole_milliseconds() {
        let now = start();
        let rates = rates(&[(3.0, 1)], now);
        let (alice, bob) = (name("user:alice"), name("user:bob"));
        assert_eq!(rates.spend(&alice, 0..1, now), Ok(()));
        let wait = Duration::from_millis(334);
        assert_eq!(rates.spend(&alice, 0..1, now), Err(wait));
        assert_eq!(rates.spend(&bob, 0..1, now), Ok(()));
        assert_eq!(rates.spend(&name("user:alice"), 0..1, now + wait), Ok(()));
    }

    #[test]
    fn of_several_quotas_none_is_spent_where_one_has_no_room() {
        let now = start();
        let rates = rates(&[(1.0, 10), (1.0, 1)], now);
        let alice = name("user:alice");
        assert_eq!(rates.spend(&alice, 0..2, now), Ok(()));
        for _ in 0..100 {
            assert_eq!(rates.spend(&alice, 0..2, now), Err(SECOND));
        }
        // Nine of ten are left in the first.
        for _ in 0..9 {
            assert_eq!(rates.spend(&alice, 0..1, now), Ok(()));
        }
        assert_eq!(rates.spend(&alice, 0..1, now), Err(SECOND));
    }

    #[test]
    fn a_bucket_that_is_not_full_is_never_forgotten_and_one_that_is_makes_room() {
        let now = start();
        let mut rates = rates(&[(1.0, 1)], now);
        (rates.most, rates.shards) = (2, Box::from([Mutex::default()]));
        let spend = |caller: &str, at| rates.spend(&name(caller), 0..1, at);
        assert_eq!(spend("a", now), Ok(()));
        assert_eq!(spend("b", now + SECOND / 2), Ok(()));
        assert_eq!(spend("c", now + SECOND / 2), Err(SECOND / 2));
        assert_eq!(spend("d", now + SECOND * 3 / 4), Err(SECOND / 4));
        assert_eq!(spend("a", now + SECOND * 3 / 4), Err(SECOND / 4));
        assert_eq!(spend("c", now + SECOND), Ok(()));
        assert_eq!(spend("b", now + SECOND), Err(SECOND / 2));
        assert_eq!(rates.shards[0].lock().full_at.len(), 2);
    }
}
