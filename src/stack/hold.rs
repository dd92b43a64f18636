use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// How many calls are held for a decision, in all and of each caller.
///
/// A call that is held has its place in the log all the while. Without a bound of their own, calls
/// that wait for a human would take the places of all others.
#[derive(Debug)]
pub(super) struct Holding {
    most: usize,
    most_of_one: usize,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    all: usize,
    of: HashMap<Box<str>, usize>,
}

/// One call that is held, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    holding: Arc<Holding>,
    principal: Box<str>,
}

impl Holding {
    /// Half of the places of the log for all, and a quarter for each caller.
    pub(super) fn of(capacity: usize) -> Self {
        let (most, most_of_one) = (capacity.div_ceil(2), capacity.div_ceil(4));
        Self { most, most_of_one, now: Mutex::default() }
    }

    /// Room for one more; `None` where there is none.
    pub(super) fn hold(self: &Arc<Self>, principal: &str) -> Option<Held> {
        let mut now = self.now.lock();
        let own = now.of.get(principal).copied().unwrap_or_default();
        if now.all >= self.most || own >= self.most_of_one {
            return None;
        }
        now.all += 1;
        *now.of.entry(principal.into()).or_default() += 1;
        Some(Held { holding: Arc::clone(self), principal: principal.into() })
    }
}

impl Holding {
    /// How many are held now.
    pub(super) fn count(&self) -> usize {
        self.now.lock().all
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut now = self.holding.now.lock();
        now.all = now.all.saturating_sub(1);
        if let Some(own) = now.of.get_mut(&self.principal) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                now.of.remove(&self.principal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_leaves_room_for_others_and_all_leave_room_for_calls_that_do_not_wait() {
        let holding = Arc::new(Holding::of(16));
        let hold = |who: &str, count: usize| -> Vec<_> {
            (0..count).map_while(|_| holding.hold(who)).collect()
        };
        let mut ana = hold("ana", 16);
        assert_eq!(ana.len(), 4);
        let bo = hold("bo", 16);
        assert_eq!((bo.len(), hold("cy", 16).len()), (4, 0));
        drop(ana.pop());
        assert_eq!(hold("ana", 16).len(), 1);
        drop((ana, bo));
        assert_eq!(hold("cy", 16).len(), 4);
        assert!(holding.now.lock().of.is_empty());
    }
}
