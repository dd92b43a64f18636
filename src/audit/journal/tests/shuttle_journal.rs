//! The journal under schedules that are chosen: what is handed in is acknowledged once, whatever
//! the thread does meanwhile, and nobody waits for an answer that never comes.

use super::super::keeper::{EndGuard, start};
use super::super::queue::{Ack, Journal, Lost, Shared, Stuck, Work};
use crate::audit::sync::{Mutex, explore, point};
use crate::audit::tests::SimDisk;
use crate::clock::{Clock as _, System};
use shuttle::future::block_on;
use shuttle::thread::{JoinHandle, spawn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SCHEDULES: usize = 3000;
/// With segments to fill and entries to chain.
const SCHEDULES_ON_DISK: usize = 400;

/// A caller who lets the disk take its time.
fn patient() -> Stuck {
    Stuck { now: System.monotonic(), after: Duration::MAX }
}

/// A caller for whom whatever the disk does now has taken too long.
fn impatient() -> Stuck {
    Stuck { now: System.monotonic() + Duration::from_hours(1), after: Duration::from_secs(1) }
}

/// The answer; a thread that ended without one has lost it.
fn answer(ack: Ack) -> Result<(), Lost> {
    block_on(ack).unwrap_or(Err(Lost))
}

fn on(disk: &SimDisk) -> Arc<Journal> {
    let disk = Arc::new(disk.clone());
    Arc::new(start(disk, "journal".to_owned(), System::shared(), (1, 0), None).unwrap())
}

/// A journal whose thread is `run`.
fn with(run: impl FnOnce(&Shared) + Send + 'static) -> Arc<Journal> {
    let shared = Shared::new(0);
    let thread = spawn({
        let shared = Arc::clone(&shared);
        move || {
            let _end = EndGuard(Arc::clone(&shared));
            run(&shared);
        }
    });
    Arc::new(Journal { shared, thread: Mutex::new(Some(thread)) })
}

/// Acknowledges everything until the end, and checks that the records fit the items.
fn acknowledge(shared: &Shared) {
    let mut work = Work::default();
    loop {
        shared.take(&mut work);
        let length: usize = work.items.iter().map(|item| item.length).sum();
        assert_eq!(length, work.bytes.len(), "records and items do not belong together");
        if work.items.is_empty() && work.is_closing {
            return;
        }
        shared.busy(Some(System.monotonic()));
        shared.busy(None);
        for item in work.items.drain(..) {
            // Whoever does not wait for it needs none.
            item.ack.send(Ok(())).unwrap_or_else(|_unheard| ());
        }
    }
}

fn caller<T: Send + 'static>(
    journal: &Arc<Journal>,
    act: impl FnOnce(&Journal) -> T + Send + 'static,
) -> JoinHandle<T> {
    let journal = Arc::clone(journal);
    spawn(move || act(&journal))
}

/// Two calls, one after the other, each durable before and after.
fn two_calls(journal: &Journal) -> Vec<u64> {
    let call = |payload: &str| {
        let (id, ack) = journal.intend(payload.as_bytes(), patient()).unwrap();
        assert_eq!(answer(ack), Ok(()));
        let (same, ack) = journal.conclude(Some(id), b"the end", patient()).unwrap();
        assert_eq!((answer(ack), same), (Ok(()), id));
        journal.settled(&[id], id);
        id
    };
    ["a", "a longer one"].map(call).to_vec()
}

fn calls_of_many(journal: &Arc<Journal>, callers: usize) {
    let callers: Vec<_> = (0..callers).map(|_| caller(journal, two_calls)).collect();
    let mut ids: Vec<_> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
    ids.sort_unstable();
    let expected: Vec<_> = (0..).take(ids.len()).collect();
    assert_eq!(ids, expected, "each call has a number of its own");
    journal.close();
    assert!(journal.intend(b"late", patient()).is_err());
}

#[test]
fn everything_handed_in_is_acknowledged_while_the_thread_falls_asleep_again_and_again() {
    explore(SCHEDULES, || calls_of_many(&with(acknowledge), 3));
}

#[test]
fn on_a_disk_everything_is_acknowledged_and_the_end_leaves_no_file() {
    explore(SCHEDULES_ON_DISK, || {
        let disk = SimDisk::default();
        calls_of_many(&on(&disk), 3);
        assert!(disk.files().is_empty(), "every call was settled");
    });
}

#[test]
fn an_end_acknowledges_what_was_handed_in_before_it() {
    explore(SCHEDULES, || {
        let journal = with(acknowledge);
        let (_, first) = journal.intend(b"before", patient()).unwrap();
        let callers: Vec<_> = (0..2)
            .map(|_| caller(&journal, |journal| journal.intend(b"meanwhile", patient())))
            .collect();
        journal.close();
        assert_eq!(answer(first), Ok(()));
        for caller in callers {
            if let Ok((_, ack)) = caller.join().unwrap() {
                // Taken in before the thread had ended, so it has an answer.
                answer(ack).unwrap_or_default();
            }
        }
        assert!(journal.intend(b"after", patient()).is_err());
    });
}

#[test]
fn an_end_on_a_disk_keeps_what_it_acknowledged() {
    explore(SCHEDULES_ON_DISK, || {
        let disk = SimDisk::default();
        let journal = on(&disk);
        let callers: Vec<_> = (0..3)
            .map(|_| {
                caller(&journal, |journal| {
                    let (_, ack) = journal.intend(b"meanwhile", patient()).ok()?;
                    answer(ack).ok()
                })
            })
            .collect();
        journal.close();
        let durable = callers.into_iter().filter_map(|caller| caller.join().unwrap()).count();
        let found: usize =
            disk.files().iter().map(|(_, bytes)| occurrences(bytes, b"meanwhile")).sum();
        assert_eq!(found, durable);
    });
}

#[test]
fn two_who_end_it_at_once_both_come_back() {
    explore(SCHEDULES, || {
        let journal = with(acknowledge);
        let other = caller(&journal, Journal::close);
        journal.close();
        other.join().unwrap();
    });
}

#[test]
fn a_thread_that_dies_leaves_nobody_waiting() {
    explore(SCHEDULES, || {
        let dead = Arc::new(AtomicBool::new(false));
        let dies = Arc::clone(&dead);
        // It leaves as a panic does: with what it has in hand, and with a full queue behind it.
        let journal = with(move |shared| {
            shared.take(&mut Work::default());
            dies.store(true, Ordering::SeqCst);
        });
        let callers: Vec<_> = (0..3)
            .map(|_| {
                caller(&journal, |journal| match journal.intend(b"x", patient()) {
                    Ok((_, ack)) => answer(ack),
                    Err(Lost) => Err(Lost),
                })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), Err(Lost));
        }
        assert!(dead.load(Ordering::SeqCst));
        journal.close();
    });
}

#[test]
fn a_stuck_disk_refuses_at_once_and_hands_nothing_in() {
    explore(SCHEDULES, || {
        let taken = Arc::new(Mutex::new(0));
        let journal = with({
            let taken = Arc::clone(&taken);
            move |shared| {
                let mut work = Work::default();
                while !work.is_closing || !work.items.is_empty() {
                    shared.take(&mut work);
                    shared.busy(Some(System.monotonic()));
                    point();
                    shared.busy(None);
                    *taken.lock() += work.items.len();
                    work.items.drain(..).for_each(|item| item.ack.send(Ok(())).unwrap());
                }
            }
        });
        let callers: Vec<_> = (0..3)
            .map(|_| {
                caller(&journal, |journal| {
                    journal.intend(b"x", impatient()).map(|(_, ack)| answer(ack))
                })
            })
            .collect();
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Ok(())) | Err(Lost))));
        assert_eq!(*taken.lock(), accepted);
        let (_, ack) = journal.intend(b"x", impatient()).unwrap();
        assert_eq!(answer(ack), Ok(()), "it is not stuck any more");
        journal.close();
    });
}

#[test]
fn a_disk_that_is_busy_refuses_the_impatient_and_answers_the_others() {
    explore(SCHEDULES_ON_DISK, || {
        let disk = SimDisk::default();
        let journal = on(&disk);
        let callers: Vec<_> = (0..3)
            .map(|_| {
                caller(&journal, |journal| {
                    journal.intend(b"meanwhile", impatient()).map(|(_, ack)| answer(ack))
                })
            })
            .collect();
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Ok(())) | Err(Lost))));
        let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
        let found: usize =
            disk.files().iter().map(|(_, bytes)| occurrences(bytes, b"meanwhile")).sum();
        assert_eq!(found, accepted);
        journal.close();
    });
}

fn occurrences(bytes: &[u8], word: &[u8]) -> usize {
    bytes.windows(word.len()).filter(|window| *window == word).count()
}
