//! Days that change, clocks that step, and a log that is cut off in the middle of both.

use super::super::{
    DAY, LONG, MORNING, TestSigner, events, facts_at, numbers, options, push, task,
};
use super::{Fault, SimDisk, Survival, check};
use crate::audit::{Log, verify_dir};
use crate::sign::Signer as _;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn open(disk: &SimDisk, signer: &Arc<TestSigner>) -> Option<Log> {
    Log::open(options(signer, disk.sink()).drop_within(Duration::ZERO).batch_lines(2)).ok()
}

fn texts(disk: &SimDisk) -> Vec<String> {
    check(disk).unwrap().into_iter().map(|record| record.text).collect()
}

fn november(day: u32) -> String {
    format!("audit-2026-11-{day}.ndjson")
}

#[tokio::test]
async fn a_clock_that_steps_over_midnight_and_back_keeps_every_line_in_order() {
    let disk = SimDisk::default();
    let log = open(&disk, &TestSigner::new()).unwrap();
    let days = [1, 0, 1, 3, 0, 2, 3, 4, 0];
    for (n, day) in (0..).zip(days) {
        push(&log, facts_at(n, MORNING + day * DAY));
    }
    log.shutdown(LONG).await.unwrap();
    let records = check(&disk).unwrap();
    let days = [24, 24, 24, 26, 26, 26, 26, 27, 27];
    assert!(records.iter().map(|record| &record.file).eq(&days.map(november)));
}

#[tokio::test]
async fn a_start_under_a_clock_that_was_stepped_back_goes_on_in_the_newest_file() {
    let disk = SimDisk::default();
    for (n, day) in [(0, 2), (1, 0), (2, 3), (3, 1)] {
        let log = open(&disk, &TestSigner::new()).unwrap();
        push(&log, facts_at(n, MORNING + day * DAY));
        log.shutdown(LONG).await.unwrap();
    }
    let records = check(&disk).unwrap();
    assert!(records.iter().map(|record| &record.file).eq(&[25, 25, 26, 26].map(november)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_changes_under_load_has_every_record_once_and_in_order() {
    let disk = SimDisk::default();
    let log = Log::open(options(&TestSigner::new(), disk.sink()).capacity(64)).unwrap();
    let callers = (0..8_u64).map(|caller| {
        let log = log.clone();
        task(async move {
            for n in 0..100 {
                let slot = log.admit_within(LONG).await.unwrap();
                // Some arrive before midnight and some after, and they end in any order.
                let at = MORNING + DAY * i64::from(n * 8 + caller > 400 || n % 7 == 6);
                log.push(slot, facts_at(caller * 100 + n, at));
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    log.shutdown(LONG).await.unwrap();
    assert_eq!(numbers(&texts(&disk)), (0..800).collect::<Vec<_>>());
    assert_eq!(disk.days().len(), 2);
    assert_eq!(texts(&disk.after_crash(Survival::Nothing)).len(), 800);
}

/// Records calls of two days until the log is shut down or the power is cut; says whether it is
/// shut down.
async fn record(disk: &SimDisk, from: u64) -> bool {
    let Some(log) = open(disk, &TestSigner::new()) else { return false };
    for n in from..from + 8 {
        push(&log, facts_at(n, MORNING + DAY * i64::from(n % 8 > 3)));
    }
    let off = async {
        while !disk.is_off() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = log.shutdown(LONG) => ended.is_ok(),
        () = off => false,
    }
}

#[tokio::test]
async fn a_log_whose_power_is_cut_at_any_operation_opens_again_and_holds() {
    for number in 0.. {
        let disk = SimDisk::default();
        disk.at(number, Fault::Crash);
        let is_done = record(&disk, 0).await;
        for survival in disk.survivals(4) {
            let after = disk.after_crash(survival);
            let before = disk.after_crash(survival);
            assert!(record(&after, 100).await, "{number} {survival:?}");
            let lines = texts(&after.after_crash(Survival::Nothing));
            let numbers: BTreeSet<_> = numbers(&lines).into_iter().collect();
            assert!(numbers.is_superset(&(100..108).collect()), "{number} {survival:?}");
            assert!(!is_done || numbers.is_superset(&(0..8).collect()), "{number} {survival:?}");
            let is_shorter = before.files().iter().any(|(_, bytes)| {
                bytes.contains(&0) || bytes.last().is_some_and(|last| *last != b'\n')
            });
            let cuts = events(&lines, "recovery").len();
            assert_eq!(cuts > 0, is_shorter, "{number} {survival:?}");
        }
        if is_done {
            assert!(number > 10, "{number} operations are not all there are");
            return;
        }
    }
}

#[tokio::test]
async fn what_a_power_cut_left_verifies_with_real_signatures_once_it_is_recovered() {
    for seed in 0..8 {
        let (disk, signer) = (SimDisk::default(), TestSigner::new());
        disk.at(12 + seed, Fault::Crash);
        let log = open(&disk, &signer).unwrap();
        (0..20).for_each(|n| push(&log, facts_at(n, MORNING)));
        while !disk.is_off() {
            tokio::task::yield_now().await;
        }
        drop(log);
        let after = disk.after_crash(Survival::Blocks { seed });
        let log = open(&after, &signer).unwrap();
        (20..24).for_each(|n| push(&log, facts_at(n, MORNING + DAY)));
        log.shutdown(LONG).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        for (name, bytes) in after.files() {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let totals = verify_dir(home.path(), &[TestSigner::new().public_key()]).unwrap();
        assert!(totals.records >= 4 && totals.first_seq == Some(0), "{totals:?}");
    }
}
