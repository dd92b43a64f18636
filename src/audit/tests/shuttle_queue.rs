//! The queue before the writer, under schedules that are chosen: nothing that is handed in is lost,
//! and nobody who waits is forgotten.

use super::facts;
use crate::audit::queue::{Entry, Missing, Phase, Rest, Shared, Slot};
use crate::audit::sync::{explore, point};
use crate::audit::writer::EndGuard;
use crate::audit::{Event, ShutdownError};
use crate::clock::{Clock as _, System};
use shuttle::future::block_on;
use shuttle::thread::{JoinHandle, spawn, yield_now};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

const SCHEDULES: usize = 3000;
/// A wait that ends by itself, at any moment.
const SHORT: Duration = Duration::from_millis(1);
/// A wait that only somebody else ends.
const NEVER: Option<Duration> = Some(Duration::MAX);

fn admit(shared: &Arc<Shared>) -> Option<Slot> {
    shared.slots().try_acquire().ok()?.forget();
    Some(Slot::of(shared))
}

fn push(shared: &Shared, slot: Slot, number: u64) {
    drop(slot.spend());
    shared.push_call(facts(number));
}

/// What a writer found: the numbers of the calls, how many others, how many were only counted.
#[derive(Debug, Default)]
struct Found {
    calls: Vec<u64>,
    others: usize,
    missed: u64,
}

/// Goes round as the writer does, and writes to nowhere. Asleep, it wakes for nothing but a
/// notification.
fn write(shared: &Shared) -> Found {
    let (mut found, mut spare) = (Found::default(), Vec::new());
    loop {
        let pulse = shared.take(&mut spare);
        let (mut calls, mut others) = (0, 0);
        for entry in spare.drain(..) {
            if let Entry::Call(facts) = entry {
                let key = facts.claimed.idempotency_key.unwrap();
                found.calls.push(key.parse().unwrap());
                calls += 1;
            } else {
                others += 1;
            }
        }
        found.others += others;
        if let Some(missed) = shared.take_missed(System.monotonic(), Duration::ZERO) {
            found.missed += missed.refused + missed.ran + missed.events;
            others += 1;
        }
        if calls + others > 0 {
            shared.written(calls, others);
        } else if pulse.phase == Phase::Open {
            shared.rest(Rest::Asleep, None);
        } else {
            shared.settle();
            if pulse.is_done {
                shared.end(Ok(()));
                return found;
            }
            shared.rest(Rest::Straggling, Some(SHORT));
        }
    }
}

fn writer(shared: &Arc<Shared>) -> JoinHandle<Found> {
    let shared = Arc::clone(shared);
    spawn(move || write(&shared))
}

/// Does `act` in another thread.
fn aside<T: Send + 'static>(
    shared: &Arc<Shared>,
    act: impl FnOnce(&Arc<Shared>) -> T + Send + 'static,
) -> JoinHandle<T> {
    let shared = Arc::clone(shared);
    spawn(move || act(&shared))
}

/// Does `again` until `woken`; a wake-up that never comes makes the schedule endless, which fails.
fn until(woken: &AtomicBool, mut again: impl FnMut()) {
    while !woken.load(Ordering::SeqCst) {
        again();
        yield_now();
    }
}

#[test]
fn what_is_pushed_while_the_writer_goes_to_sleep_is_written_without_another_push() {
    explore(SCHEDULES, || {
        let shared = Arc::new(Shared::new(6, 1));
        let writer = writer(&shared);
        let callers: Vec<_> = (0..3)
            .map(|caller| {
                aside(&shared, move |shared| {
                    for number in [caller * 2, caller * 2 + 1] {
                        push(shared, admit(shared).unwrap(), number);
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        while shared.unwritten() > 0 {
            yield_now();
        }
        shared.close();
        let found = writer.join().unwrap();
        assert_eq!(shared.slots().available_permits(), 6, "every slot is given back");
        for pair in [[0, 1], [2, 3], [4, 5]] {
            let of_one: Vec<_> =
                found.calls.iter().copied().filter(|number| pair.contains(number)).collect();
            assert_eq!(of_one, pair, "each once, in the order of its caller");
        }
    });
}

#[test]
fn what_has_no_room_is_counted_and_the_count_is_written_without_another_push() {
    explore(SCHEDULES, || {
        let shared = Arc::new(Shared::new(1, 1));
        let seen = Arc::new(AtomicUsize::new(0));
        let total = Arc::clone(&seen);
        // One that sleeps after every round, however little it found.
        let writer = aside(&shared, move |shared| {
            let mut spare = Vec::new();
            while total.load(Ordering::SeqCst) < 5 {
                shared.rest(Rest::Asleep, None);
                assert!(shared.take(&mut spare).phase == Phase::Open);
                let missed = shared.take_missed(System.monotonic(), Duration::ZERO);
                let others = spare.len() + usize::from(missed.is_some());
                let counted =
                    missed.map_or(0, |missed| missed.refused + missed.ran + missed.events);
                shared.written(0, others);
                total.fetch_add(spare.len() + usize::try_from(counted).unwrap(), Ordering::SeqCst);
                spare.clear();
            }
        });
        let callers = [
            aside(&shared, |shared| {
                shared.push_other(Entry::Refused(facts(1)), &System);
                shared.push_unplaced(facts(2), &System);
            }),
            aside(&shared, |shared| {
                shared.miss(Missing::Refused, &System);
                let event =
                    Event::key_change(System.wall(), crate::sign::PublicKey::from_bytes([1; 32]));
                shared.push_other(Entry::Event(Box::new(event)), &System);
            }),
            aside(&shared, |shared| shared.push_other(Entry::Refused(facts(3)), &System)),
        ];
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        writer.join().unwrap();
        assert_eq!((seen.load(Ordering::SeqCst), shared.unwritten()), (5, 0));
    });
}

#[test]
fn one_close_wakes_a_writer_that_goes_to_sleep() {
    explore(SCHEDULES, || {
        let shared = Arc::new(Shared::new(1, 1));
        let writer = aside(&shared, |shared| shared.rest(Rest::Asleep, None));
        shared.close();
        writer.join().unwrap();
    });
}

#[test]
fn one_push_wakes_a_writer_that_waits_for_the_last_calls() {
    explore(SCHEDULES, || {
        let shared = Arc::new(Shared::new(1, 1));
        let slot = admit(&shared).unwrap();
        shared.close();
        let writer = aside(&shared, |shared| shared.rest(Rest::Straggling, NEVER));
        push(&shared, slot, 1);
        writer.join().unwrap();
    });
}

#[test]
fn whoever_waits_for_room_wakes_a_writer_that_lets_records_gather() {
    wakes(Rest::Lingering, |shared| shared.hurry());
}

#[test]
fn the_end_wakes_a_writer_in_every_rest() {
    for_each_rest(|rest| wakes(rest, |shared| shared.close()));
}

#[test]
fn a_call_that_ends_without_a_record_wakes_a_writer_that_waits_for_the_last_calls() {
    wakes(Rest::Straggling, |shared| {
        shared.close();
        drop(Slot::of(shared));
    });
}

fn for_each_rest(act: impl Fn(Rest)) {
    [Rest::Lingering, Rest::BackingOff, Rest::Asleep, Rest::Straggling].into_iter().for_each(act);
}

/// `wake`, done once the writer rests, ends a rest that nothing else ends. Before that it may come
/// too early for all but [`Rest::Asleep`]: those rests are short.
fn wakes(rest: Rest, wake: fn(&Arc<Shared>)) {
    explore(SCHEDULES / 3, move || {
        let shared = Arc::new(Shared::new(1, 1));
        let woken = Arc::new(AtomicBool::new(false));
        let writer = aside(&shared, {
            let woken = Arc::clone(&woken);
            move |shared| {
                shared.rest(rest, NEVER);
                woken.store(true, Ordering::SeqCst);
            }
        });
        until(&woken, || wake(&shared));
        writer.join().unwrap();
    });
}

#[test]
fn an_end_with_calls_under_way_waits_for_each_and_admits_no_other() {
    explore(SCHEDULES, || {
        let shared = Arc::new(Shared::new(3, 1));
        let [first, second] = [admit(&shared).unwrap(), admit(&shared).unwrap()];
        let writer = writer(&shared);
        let recorded = aside(&shared, |shared| push(shared, first, 1));
        let dropped = spawn(|| drop(second));
        let late = aside(&shared, |shared| {
            let slot = admit(shared);
            let is_admitted = slot.is_some();
            if let Some(slot) = slot {
                push(shared, slot, 2);
            }
            is_admitted
        });
        shared.close();
        assert!(admit(&shared).is_none(), "admitted after the end began");
        let mut calls = writer.join().unwrap().calls;
        calls.sort_unstable();
        let expected = if late.join().unwrap() { vec![1, 2] } else { vec![1] };
        assert_eq!(calls, expected);
        assert_eq!(*shared.ended.borrow(), Some(Ok(())));
        recorded.join().unwrap();
        dropped.join().unwrap();
    });
}

#[test]
fn whoever_drops_the_log_with_a_call_under_way_waits_for_the_rest_and_no_longer() {
    explore(SCHEDULES, || {
        let shared = Arc::new(Shared::new(3, 1));
        let under_way = admit(&shared).unwrap();
        let writer = writer(&shared);
        for number in 0..2 {
            push(&shared, admit(&shared).unwrap(), number);
        }
        shared.close();
        assert!(shared.settle_or_give_up(Duration::MAX));
        assert_eq!((shared.unwritten(), shared.in_flight()), (0, 1));
        push(&shared, under_way, 2);
        assert_eq!(writer.join().unwrap().calls, [0, 1, 2]);
        assert!(shared.settle_or_give_up(Duration::MAX));
    });
}

#[test]
fn whoever_drops_the_log_learns_that_the_writer_has_ended() {
    explore(SCHEDULES, || {
        let shared = Arc::new(Shared::new(1, 1));
        let writer = writer(&shared);
        push(&shared, admit(&shared).unwrap(), 1);
        shared.close();
        assert!(shared.settle_or_give_up(Duration::MAX));
        assert!(shared.ended.borrow().is_some());
        assert_eq!(writer.join().unwrap().calls, [1]);
    });
}

#[test]
fn a_writer_that_cannot_write_is_given_up_and_ends() {
    explore(SCHEDULES, || {
        let shared = Arc::new(Shared::new(2, 1));
        push(&shared, admit(&shared).unwrap(), 1);
        let under_way = admit(&shared).unwrap();
        let writer = aside(&shared, |shared| {
            loop {
                let pulse = shared.take(&mut Vec::new());
                if pulse.phase == Phase::GivenUp && shared.in_flight() == 0 {
                    return shared.end(Err(ShutdownError::GivenUp(shared.unwritten())));
                }
                shared.rest(Rest::BackingOff, Some(SHORT));
            }
        });
        let caller = spawn(|| drop(under_way));
        shared.close();
        assert!(!shared.settle_or_give_up(SHORT));
        assert!(shared.settle_or_give_up(Duration::MAX), "it ends all the same");
        assert_eq!(*shared.ended.borrow(), Some(Err(ShutdownError::GivenUp(1))));
        writer.join().unwrap();
        caller.join().unwrap();
    });
}

#[test]
fn everybody_who_waits_learns_that_the_writer_panicked() {
    explore(SCHEDULES, || {
        let shared = Arc::new(Shared::new(1, 1));
        let slot = admit(&shared).unwrap();
        let for_room = aside(&shared, |shared| block_on(shared.slots().acquire()).is_err());
        let for_the_rest = aside(&shared, |shared| shared.settle_or_give_up(Duration::MAX));
        let for_the_end = aside(&shared, |shared| {
            let mut ended = shared.ended.subscribe();
            block_on(ended.wait_for(Option::is_some)).unwrap().clone()
        });
        let writer = aside(&shared, |shared| {
            let _end = EndGuard(Arc::clone(shared));
            shared.take(&mut Vec::new());
        });
        push(&shared, slot, 1);
        assert!(for_room.join().unwrap());
        assert!(for_the_rest.join().unwrap());
        assert_eq!(for_the_end.join().unwrap(), Some(Err(ShutdownError::Panicked)));
        writer.join().unwrap();
        assert!(admit(&shared).is_none());
    });
}

#[test]
fn room_goes_to_those_who_wait_in_the_order_in_which_they_came() {
    explore(SCHEDULES, || {
        let shared = Arc::new(Shared::new(1, 1));
        let slot = admit(&shared).unwrap();
        let writer = writer(&shared);
        let served = Arc::new(AtomicUsize::new(0));
        let is_queued = Arc::new(AtomicBool::new(false));
        let waiters: Vec<_> = (0..2)
            .map(|place| {
                is_queued.store(false, Ordering::SeqCst);
                let waiter = aside(&shared, {
                    let (served, queued) = (Arc::clone(&served), Arc::clone(&is_queued));
                    move |shared| {
                        let mut wait = pin!(shared.slots().acquire());
                        let mut context = Context::from_waker(Waker::noop());
                        assert!(wait.as_mut().poll(&mut context).is_pending());
                        queued.store(true, Ordering::SeqCst);
                        point();
                        block_on(poll_fn(|context| wait.as_mut().poll(context))).unwrap().forget();
                        assert_eq!(served.fetch_add(1, Ordering::SeqCst), place);
                        push(shared, Slot::of(shared), 10);
                    }
                });
                until(&is_queued, || ());
                waiter
            })
            .collect();
        let hasty = aside(&shared, {
            let served = Arc::clone(&served);
            move |shared| {
                // Counted by somebody else only after it was given, so never too early.
                match shared.slots().try_acquire() {
                    Ok(_permit) => served.load(Ordering::SeqCst) == 2,
                    Err(_) => true,
                }
            }
        });
        push(&shared, slot, 1);
        assert!(hasty.join().unwrap(), "somebody who came later went first");
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        shared.close();
        assert_eq!(writer.join().unwrap().calls, [1, 10, 10]);
    });
}
