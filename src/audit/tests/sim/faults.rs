//! What each fault of a disk does to the log, one by one.

use super::super::{
    LONG, MORNING, TestSigner, events, facts, facts_at, json, numbers, options, push,
};
use super::{Fault, Gate, Op, SimDisk, Survival, check};
use crate::audit::{Admit, AuditSink as _, Day, Disk as _, Health, Log, Refused, ShutdownError};
use rustix::io::Errno;
use std::io;
use std::time::Duration;

const TODAY: &str = "audit-2026-11-23.ndjson";

fn day() -> Day {
    Day::parse("2026-11-23").unwrap()
}

fn text(disk: &SimDisk) -> String {
    let files = disk.files();
    let today = files.into_iter().find(|(name, _)| name == TODAY);
    today.map_or(String::new(), |(_, bytes)| String::from_utf8(bytes).unwrap())
}

fn open(disk: &SimDisk) -> Log {
    let signer = TestSigner::new();
    Log::open(options(&signer, disk.sink()).drop_within(Duration::ZERO)).unwrap()
}

/// Waits for a state that another thread brings about, without sleeping.
async fn until(reached: impl Fn() -> bool) {
    let reached = async {
        while !reached() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, reached).await.unwrap();
}

async fn written(disk: &SimDisk, lines: usize) {
    until(|| text(disk).lines().count() >= lines).await;
}

fn lines(disk: &SimDisk) -> Vec<String> {
    check(disk).unwrap().into_iter().map(|record| record.text).collect()
}

/// Writes, breaks the disk, has records wait and calls refused, mends it, and finds everything.
async fn through_a_fault(begin: impl FnOnce(&SimDisk), end: impl FnOnce(&SimDisk)) {
    let disk = SimDisk::default();
    let log = open(&disk);
    (0..3).for_each(|n| push(&log, facts(n)));
    written(&disk, 3).await;
    begin(&disk);
    (3..8).for_each(|n| push(&log, facts(n)));
    until(|| log.health() == Health::Unavailable).await;
    assert_eq!(numbers(&lines(&disk)), [0, 1, 2], "nothing of what failed is left");
    (0..4).for_each(|_| log.refused());
    end(&disk);
    until(|| log.health() == Health::Working).await;
    push(&log, facts(8));
    log.shutdown(LONG).await.unwrap();
    let kept = lines(&disk.after_crash(Survival::Nothing));
    assert_eq!(numbers(&kept), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(events(&kept, "recovery").len(), 1);
    assert_eq!(events(&kept, "recovery")[0]["refused_calls"], 4);
}

#[tokio::test]
async fn a_full_disk_refuses_calls_until_it_has_room_and_loses_nothing() {
    let fill = |disk: &SimDisk| disk.set_capacity(Some(text(disk).len() + 100));
    through_a_fault(fill, |disk| disk.set_capacity(None)).await;
}

#[tokio::test]
async fn a_disk_that_fails_refuses_calls_until_it_works_and_loses_nothing() {
    through_a_fault(|disk| disk.fail_all(None, Errno::IO), SimDisk::heal).await;
}

#[tokio::test]
async fn a_disk_that_turns_read_only_refuses_calls_until_it_is_writable_and_loses_nothing() {
    let turn = |disk: &SimDisk| {
        disk.fail_all(Op::Write, Errno::ROFS);
        disk.fail_all(Op::SetLength, Errno::ROFS);
    };
    through_a_fault(turn, SimDisk::heal).await;
}

#[tokio::test]
async fn an_operation_that_fails_once_is_made_good_by_itself() {
    for op in [Op::Hold, Op::IsInPlace, Op::Length, Op::Write, Op::Open] {
        let disk = SimDisk::default();
        let log = open(&disk);
        disk.next(op, Fault::Fail(Errno::IO));
        (0..3).for_each(|n| push(&log, facts(n)));
        written(&disk, 3).await;
        disk.next(op, Fault::Fail(Errno::IO));
        (3..6).for_each(|n| push(&log, facts(n)));
        log.shutdown(LONG).await.unwrap();
        let kept = lines(&disk.after_crash(Survival::Nothing));
        assert_eq!(numbers(&kept), [0, 1, 2, 3, 4, 5], "{op:?}");
    }
}

#[tokio::test]
async fn a_disk_that_fails_for_good_leaves_a_log_that_holds_and_can_be_gone_on_with() {
    let disk = SimDisk::default();
    let log = open(&disk);
    push(&log, facts(0));
    written(&disk, 1).await;
    disk.fail_all(None, Errno::IO);
    (1..4).for_each(|n| push(&log, facts(n)));
    until(|| log.health() == Health::Unavailable).await;
    let late = log.shutdown(Duration::ZERO).await.unwrap_err();
    assert_eq!(late, ShutdownError::Late { unwritten: 3, in_flight: 0 });
    drop(log);

    let next = disk.after_kill();
    let log = open(&next);
    push(&log, facts(4));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(numbers(&lines(&next)), [0, 4]);
}

#[tokio::test]
async fn a_disk_that_takes_half_of_each_write_gets_whole_lines() {
    let disk = SimDisk::default();
    let log = open(&disk);
    for n in 0..20 {
        disk.next(Op::Write, Fault::Short);
        push(&log, facts(n));
    }
    log.shutdown(LONG).await.unwrap();
    assert!(disk.count(Op::Write) > 1);
    assert_eq!(numbers(&lines(&disk)), (0..20).collect::<Vec<_>>());
}

/// A log of three lines in which somebody or something changes the bytes.
async fn damaged(damage: impl FnOnce(&mut Vec<u8>)) -> (SimDisk, Vec<String>) {
    let disk = SimDisk::default();
    let log = open(&disk);
    (0..3).for_each(|n| push(&log, facts(n)));
    log.shutdown(LONG).await.unwrap();
    let whole = lines(&disk);
    let mut bytes = text(&disk).into_bytes();
    damage(&mut bytes);
    (SimDisk::of([(TODAY.to_owned(), bytes)]), whole)
}

/// Opens a log, and says what the event of its recovery says was cut off.
async fn cut_by_opening(disk: &SimDisk) -> u64 {
    let log = open(disk);
    push(&log, facts(7));
    log.shutdown(LONG).await.unwrap();
    let kept = lines(disk);
    let cut = events(&kept, "recovery").remove(0);
    assert_eq!(cut["file"], TODAY);
    cut["cut_bytes"].as_u64().unwrap()
}

#[tokio::test]
async fn a_torn_last_line_is_cut_off_and_the_cut_is_recorded() {
    let (disk, whole) = damaged(|bytes| bytes.truncate(bytes.len() - 100)).await;
    let torn = u64::try_from(whole[2].len() - 99).unwrap();
    assert_eq!(cut_by_opening(&disk).await, torn);
    assert_eq!(numbers(&lines(&disk)), [0, 1, 7]);
}

#[tokio::test]
async fn a_block_that_was_never_written_is_cut_off_with_all_behind_it() {
    let in_second_line = |bytes: &mut Vec<u8>| {
        let first = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let block = first.next_multiple_of(512);
        bytes[block..block + 512].fill(0);
    };
    let (disk, whole) = damaged(in_second_line).await;
    let lost = u64::try_from(whole[1].len() + whole[2].len() + 2).unwrap();
    assert_eq!(cut_by_opening(&disk).await, lost);
    assert_eq!(numbers(&lines(&disk)), [0, 7]);
}

#[test]
fn reading_shows_what_a_failed_sync_has_lost_and_the_next_sync_says_nothing() {
    let disk = SimDisk::default();
    let mut file = disk.open("file", true).unwrap();
    file.write_at(b"lost", 0).unwrap();
    disk.next(Op::Sync, Fault::Fail(Errno::IO));
    file.sync().unwrap_err();
    file.sync().unwrap();
    assert_eq!(disk.files(), [("file".to_owned(), b"lost".to_vec())]);
    let after = disk.after_crash(Survival::All);
    assert_eq!(after.files(), [("file".to_owned(), Vec::new())]);
}

#[test]
fn lines_whose_sync_failed_survive_a_power_cut_after_the_next_good_one() {
    let disk = SimDisk::default();
    let mut sink = disk.sink();
    sink.append(day(), b"1\n").unwrap();
    sink.sync().unwrap();
    sink.append(day(), b"2\n").unwrap();
    disk.next(Op::Sync, Fault::Fail(Errno::IO));
    assert!(sink.sync().is_err());
    assert_eq!(text(&disk.after_crash(Survival::All)), "1\n");
    // The fault does not have to be over at once, nor to be in the sync itself.
    disk.next(Op::IsInPlace, Fault::Fail(Errno::IO));
    assert!(sink.append(day(), b"3\n").is_err());
    sink.append(day(), b"3\n").unwrap();
    sink.sync().unwrap();
    assert_eq!(text(&disk.after_crash(Survival::Nothing)), "1\n2\n3\n");
}

#[tokio::test]
async fn a_sync_that_fails_at_the_end_is_told_and_the_next_start_makes_it_good() {
    let disk = SimDisk::default();
    let log = open(&disk);
    push(&log, facts(0));
    written(&disk, 1).await;
    disk.fail_all(Op::Sync, Errno::IO);
    let error = log.shutdown(LONG).await.unwrap_err();
    assert!(matches!(error, ShutdownError::NotSynced(_)), "{error:?}");
    let next = disk.after_kill();
    open(&next).shutdown(LONG).await.unwrap();
    assert_eq!(numbers(&lines(&next.after_crash(Survival::Nothing))), [0]);
}

#[tokio::test]
async fn a_file_unlinked_under_the_writer_is_made_anew_and_the_gap_shows() {
    let disk = SimDisk::default();
    let log = open(&disk);
    push(&log, facts(0));
    written(&disk, 1).await;
    disk.unlink(TODAY);
    (1..4).for_each(|n| push(&log, facts(n)));
    log.shutdown(LONG).await.unwrap();
    let left: Vec<_> = text(&disk).lines().map(str::to_owned).collect();
    assert_eq!(numbers(&left), [1, 2, 3]);
    assert!(check(&disk).unwrap_err().contains("Some(1) where 0 belongs"));
}

#[tokio::test]
async fn a_file_renamed_under_the_writer_is_made_anew_and_no_line_is_lost() {
    let disk = SimDisk::default();
    let log = open(&disk);
    push(&log, facts(0));
    written(&disk, 1).await;
    disk.rename(TODAY, "aside");
    (1..4).for_each(|n| push(&log, facts(n)));
    log.shutdown(LONG).await.unwrap();
    let parts = disk.files();
    let whole = [&parts[0].1[..], &parts[1].1[..]];
    assert_eq!((&*parts[0].0, &*parts[1].0), ("aside", TODAY));
    let joined = SimDisk::of([(TODAY.to_owned(), whole.concat())]);
    assert_eq!(numbers(&lines(&joined)), [0, 1, 2, 3]);
}

#[tokio::test]
async fn a_directory_that_is_removed_is_made_anew_as_soon_as_it_can_be() {
    let disk = SimDisk::default();
    let log = open(&disk);
    push(&log, facts(0));
    written(&disk, 1).await;
    disk.fail_all(Op::Hold, Errno::ACCESS);
    disk.remove_directory();
    (1..4).for_each(|n| push(&log, facts(n)));
    until(|| log.health() == Health::Unavailable).await;
    assert!(disk.files().is_empty());
    disk.heal();
    until(|| log.health() == Health::Working).await;
    log.shutdown(LONG).await.unwrap();
    let left: Vec<_> = text(&disk).lines().map(str::to_owned).collect();
    assert_eq!(numbers(&left), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_has_calls_wait_at_entry_and_loses_nothing() {
    let (disk, gate) = (SimDisk::default(), Gate::default());
    let signer = TestSigner::new();
    let log = Log::open(options(&signer, disk.sink()).capacity(2)).unwrap();
    disk.next(Op::Write, Fault::Hang(gate.clone()));
    (0..2).for_each(|n| push(&log, facts(n)));
    gate.wait_until_reached();
    assert!(matches!(log.admit(), Admit::Full));
    assert_eq!(log.admit_within(Duration::ZERO).await.unwrap_err(), Refused::Backlog);
    log.refused();
    let late = log.shutdown(Duration::ZERO).await.unwrap_err();
    assert!(matches!(late, ShutdownError::Late { unwritten: 2, .. }), "{late:?}");
    gate.open();
    log.shutdown(LONG).await.unwrap();
    assert_eq!(numbers(&lines(&disk)), [0, 1]);
    assert_eq!(events(&lines(&disk), "recovery")[0]["refused_calls"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_hangs_at_the_end_is_waited_for_as_long_as_asked() {
    let (disk, gate) = (SimDisk::default(), Gate::default());
    let log = open(&disk);
    push(&log, facts(0));
    written(&disk, 1).await;
    disk.next(Op::Sync, Fault::Hang(gate.clone()));
    assert!(log.shutdown(Duration::ZERO).await.is_err());
    gate.wait_until_reached();
    gate.open();
    log.shutdown(LONG).await.unwrap();
    assert_eq!(numbers(&lines(&disk.after_crash(Survival::Nothing))), [0]);
}

#[test]
fn a_write_that_fails_leaves_nothing_where_the_disk_has_room_for_a_part() {
    let disk = SimDisk::default();
    let mut sink = disk.sink();
    disk.set_capacity(Some(12));
    sink.append(day(), b"one line\n").unwrap();
    let error = sink.append(day(), b"another\n").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(text(&disk), "one line\n");
    disk.set_capacity(Some(20));
    sink.append(day(), b"another\n").unwrap();
    assert_eq!(text(&disk), "one line\nanother\n");
}

#[test]
fn appends_are_synced_by_themselves_before_more_is_unsynced_than_a_start_looks_at() {
    let disk = SimDisk::default();
    let mut sink = disk.sink();
    let line = [vec![b'x'; 1 << 20], b"\n".to_vec()].concat();
    for _ in 0..9 {
        sink.append(day(), &line).unwrap();
    }
    let kept = text(&disk.after_crash(Survival::Nothing));
    assert!(kept.lines().count() >= 2, "{} lines are durable", kept.lines().count());
}

#[tokio::test]
async fn a_record_of_the_day_before_stays_in_the_file_of_the_day() {
    let disk = SimDisk::default();
    let log = open(&disk);
    push(&log, facts_at(0, MORNING));
    written(&disk, 1).await;
    push(&log, facts_at(1, MORNING - 86_400_000));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(json(&lines(&disk)[1])["ts"], "2026-11-22T08:15:30.042Z");
    assert_eq!(disk.days().len(), 1);
}
