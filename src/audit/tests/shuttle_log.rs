//! A whole log under schedules that are chosen: callers, writer and journal, on a disk in memory.

use super::{Admit, Log, LogOptions, SimDisk, TestSigner, assert_chained, facts, numbers, options};
use super::{MemorySink, Mood};
use crate::audit::sync::explore;
use shuttle::thread::spawn;
use std::time::Duration;

fn stamped(sink: impl crate::audit::AuditSink + 'static) -> LogOptions {
    let signer = TestSigner::new();
    signer.turn(Mood::Stamps);
    // The wait of whoever drops the log has no end: a record that is forgotten is a deadlock.
    options(&signer, sink).capacity(2).drop_within(Duration::MAX)
}

/// Three callers with two calls each, and the last to leave drops the log.
fn three_callers(log: Log, call: fn(&Log, u64)) {
    let callers: Vec<_> = (0..3)
        .map(|caller| {
            let log = log.clone();
            spawn(move || [caller * 2, caller * 2 + 1].into_iter().for_each(|n| call(&log, n)))
        })
        .collect();
    drop(log);
    callers.into_iter().for_each(|caller| caller.join().unwrap());
}

#[test]
fn dropping_the_last_handle_writes_every_call_once() {
    explore(500, || {
        let sink = MemorySink::new();
        three_callers(Log::open(stamped(sink.clone())).unwrap(), |log, n| match log.admit() {
            Admit::Slot(slot) => log.push(slot, facts(n)),
            Admit::Full => log.push_refused(facts(n)),
            Admit::Closed => panic!("closed under a handle"),
        });
        let lines = sink.lines();
        assert_eq!(numbers(&lines), [0, 1, 2, 3, 4, 5]);
        assert_chained(&lines);
    });
}

#[test]
fn with_a_journal_every_call_is_written_once_and_a_clean_end_leaves_no_segment() {
    explore(200, || {
        let disk = SimDisk::default();
        three_callers(Log::open(stamped(disk.sink()).journal()).unwrap(), |log, n| {
            let mut facts = facts(n);
            // One that has no place is refused, and that is durable as well.
            let slot = match log.admit() {
                Admit::Slot(slot) => Some(slot),
                Admit::Full | Admit::Closed => None,
            };
            if slot.is_some() {
                drop(log.intend(&mut facts));
            }
            drop(log.push_durable(slot, facts));
        });
        let files = disk.files();
        let days = files.iter().filter(|(name, _)| disk.days().contains(name));
        let text: Vec<u8> = days.flat_map(|(_, bytes)| bytes.clone()).collect();
        let lines: Vec<String> =
            str::from_utf8(&text).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(numbers(&lines), [0, 1, 2, 3, 4, 5]);
        assert_chained(&lines);
        assert!(!files.iter().any(|(name, _)| name.starts_with("journal/")), "a segment is left");
    });
}
