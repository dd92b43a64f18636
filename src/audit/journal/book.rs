use std::collections::{HashMap, HashSet};

/// Which calls lie in the journal and not yet, durably, in the log, and what room is promised to
/// their outcomes.
#[derive(Debug, Default)]
pub(super) struct Book {
    live: HashMap<u64, Live>,
    reserved: u64,
    /// What was settled in this turn and in the last.
    settled: [HashSet<u64>; 2],
}

#[derive(Debug)]
struct Live {
    /// The segments, by number, that have the intent and the outcome.
    segments: [Option<u64>; 2],
    reserve: u64,
}

impl Book {
    /// The bytes that are promised.
    pub(super) fn reserved(&self) -> u64 {
        self.reserved
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The intent of call `id` lies in `segment`; `reserve` bytes are promised to its outcome.
    pub(super) fn intent(&mut self, id: u64, segment: u64, reserve: u64) {
        self.reserved = self.reserved.saturating_add(reserve);
        self.live.insert(id, Live { segments: [Some(segment), None], reserve });
    }

    /// The outcome of call `id` takes the room that it was promised.
    pub(super) fn take_reserve(&mut self, id: u64) {
        if let Some(live) = self.live.get_mut(&id) {
            self.reserved = self.reserved.saturating_sub(live.reserve);
            live.reserve = 0;
        }
    }

    /// The outcome of call `id` lies in `segment`.
    pub(super) fn outcome(&mut self, id: u64, segment: u64) {
        let live = self.live.entry(id).or_insert(Live { segments: [None, None], reserve: 0 });
        live.segments[1] = Some(segment);
    }

    /// Nothing of call `id` lies in the journal after all. Says how many entries there were.
    pub(super) fn forget(&mut self, id: u64) -> usize {
        self.remove(id).count()
    }

    /// The outcome of call `id` does not lie in the journal after all. Says how many entries there
    /// were, none or one.
    pub(super) fn forget_outcome(&mut self, id: u64) -> usize {
        let Some(live) = self.live.get_mut(&id) else { return 0 };
        let forgotten = live.segments[1].take();
        if live.segments[0].is_none() {
            self.live.remove(&id);
        }
        usize::from(forgotten.is_some())
    }

    /// The thread takes what was handed in since it last did.
    ///
    /// A line may become durable while the entries of its call still wait to be put in. They were
    /// handed in before, so they come in the turn in which the call is settled, or in the next.
    pub(super) fn turn(&mut self) {
        self.settled.swap(0, 1);
        self.settled[0].clear();
    }

    /// Call `id` was settled so lately that an entry of it may still come. Put in, it would hold its
    /// segment for good, since nobody settles the call again.
    pub(super) fn is_settled(&self, id: u64) -> bool {
        self.settled.iter().any(|settled| settled.contains(&id))
    }

    /// The line of call `id` is durable, or the call never was in the journal: gives the segments
    /// that have one call less.
    pub(super) fn settle(&mut self, id: u64) -> impl Iterator<Item = u64> + use<> {
        self.settled[0].insert(id);
        self.remove(id)
    }

    fn remove(&mut self, id: u64) -> impl Iterator<Item = u64> + use<> {
        let live = self.live.remove(&id);
        self.reserved = self.reserved.saturating_sub(live.as_ref().map_or(0, |live| live.reserve));
        live.map_or([None, None], |live| live.segments).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::Book;

    #[test]
    fn what_a_fault_takes_is_counted_only_where_it_still_lies_there() {
        let mut book = Book::default();
        for id in 0..3 {
            book.intent(id, 1, 100);
            book.outcome(id, 1);
        }
        assert_eq!((book.forget_outcome(0), book.forget_outcome(0), book.forget(0)), (1, 0, 1));
        assert_eq!((book.forget(1), book.forget_outcome(1)), (2, 0));
        assert_eq!(book.settle(2).count(), 2);
        assert_eq!((book.forget_outcome(2), book.forget(2)), (0, 0));
        assert_eq!((book.is_empty(), book.reserved()), (true, 0));
    }

    #[test]
    fn a_settled_call_is_known_until_all_that_was_handed_in_before_is_put_in() {
        let mut book = Book::default();
        book.settle(7).for_each(drop);
        book.turn();
        assert!(book.is_settled(7), "its outcome may have come after the last turn began");
        book.turn();
        assert!(!book.is_settled(7));
    }
}
