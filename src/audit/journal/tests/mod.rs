#[cfg(shuttle)]
mod shuttle_journal;

use crate::audit::tests::{LONG, MORNING, TestSigner, facts_at, options};
use crate::audit::{Admit, FileSink, Log, Slot, Totals, verify_dir};
use crate::call::{LineSigning, Status};
use crate::sign::Signer as _;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn open(dir: &Path) -> Log {
    let sink = FileSink::open(dir).unwrap();
    Log::open(options(&TestSigner::new(), sink).journal()).unwrap()
}

fn slot(log: &Log) -> Slot {
    match log.admit() {
        Admit::Slot(slot) => slot,
        Admit::Full | Admit::Closed => panic!("not admitted"),
    }
}

/// The directory as it would be after a loss of power that takes every unsynced day file.
fn after_power_cut(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("journal")).unwrap();
    for entry in fs::read_dir(dir.join("journal")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join("journal").join(entry.file_name())).unwrap();
    }
    copy
}

/// The directory as a kill of the process leaves it.
fn after_kill(dir: &Path) -> tempfile::TempDir {
    let copy = after_power_cut(dir);
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

/// What a start on the directory makes of it.
async fn recovered(dir: &Path) -> (Vec<Value>, Totals) {
    let log = open(dir);
    log.shutdown(LONG).await.unwrap();
    let totals = verify_dir(dir, &[TestSigner::new().public_key()]).unwrap();
    let mut lines = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "ndjson") {
            let text = fs::read_to_string(path).unwrap();
            lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
    }
    assert!(fs::read_dir(dir.join("journal")).map_or(true, |mut files| files.next().is_none()));
    (lines, totals)
}

#[tokio::test]
async fn a_durable_intent_has_a_record_after_a_crash_that_says_unknown() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let slot = slot(&log);
    let mut facts = facts_at(7, MORNING);
    log.intend(&mut facts).unwrap().wait().await.unwrap();
    let copy = after_power_cut(home.path());
    let (lines, totals) = recovered(copy.path()).await;
    assert_eq!((totals.records, totals.events, totals.by_status["unknown"]), (1, 1, 1));
    let record = lines.iter().find(|line| line.get("event").is_none()).unwrap();
    assert_eq!((&record["executed"], &record["recovered"]), (&true.into(), &true.into()));
    assert_eq!(record["decision_reason"], "outcome_unknown");
    assert_eq!(record["ts"], "2026-11-23T08:15:30.042Z");
    let event = lines.iter().find(|line| line.get("event").is_some()).unwrap();
    assert_eq!((&event["revived_unknown"], &event["revived_outcomes"]), (&1.into(), &0.into()));
    // The process that lives on writes its own line, once.
    log.push(slot, facts);
    log.shutdown(LONG).await.unwrap();
    let (lines, totals) = recovered(home.path()).await;
    assert_eq!((totals.records, totals.by_status["ok"]), (1, 1));
    assert_eq!(lines[0].get("recovered"), None);
}

#[tokio::test]
async fn a_durable_outcome_is_the_record_after_a_loss_of_power() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let mut expected = Vec::new();
    for n in 0..5 {
        let slot = slot(&log);
        let mut facts = facts_at(n, MORNING);
        log.intend(&mut facts).unwrap().wait().await.unwrap();
        facts.status = if n % 2 == 0 { Status::Ok } else { Status::Error };
        expected.push(facts.status.as_str());
        log.push_durable(Some(slot), facts).unwrap().wait().await.unwrap();
    }
    let copy = after_power_cut(home.path());
    let (lines, totals) = recovered(copy.path()).await;
    let found: Vec<_> =
        lines.iter().filter_map(|line| line.get("recovered").map(|_| &line["status"])).collect();
    assert_eq!(found, expected);
    assert_eq!(totals.records, 5);
    log.shutdown(LONG).await.unwrap();
}

#[tokio::test]
async fn a_line_that_stands_in_the_log_is_not_written_twice() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    for n in 0..20 {
        let slot = slot(&log);
        let mut facts = facts_at(n, MORNING);
        log.intend(&mut facts).unwrap().wait().await.unwrap();
        log.push(slot, facts);
    }
    // Whatever of the twenty stands in the day file by now, each has one record.
    let copy = after_kill(home.path());
    let (_, totals) = recovered(copy.path()).await;
    assert_eq!(totals.records, 20);
    log.shutdown(LONG).await.unwrap();
    let (_, totals) = recovered(home.path()).await;
    assert_eq!((totals.records, totals.by_status["ok"]), (20, 20));
}

#[tokio::test]
async fn a_second_crash_during_recovery_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let mut facts = facts_at(1, MORNING);
    let slot = slot(&log);
    log.intend(&mut facts).unwrap().wait().await.unwrap();
    let first = after_power_cut(home.path());
    let second = open(first.path());
    let copy = after_kill(first.path());
    let (_, totals) = recovered(copy.path()).await;
    assert_eq!(totals.records, 1);
    second.shutdown(LONG).await.unwrap();
    drop(slot);
}

#[tokio::test]
async fn a_clean_end_leaves_no_journal() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    for n in 0..3 {
        let slot = slot(&log);
        let mut facts = facts_at(n, MORNING);
        log.intend(&mut facts).unwrap().wait().await.unwrap();
        log.push(slot, facts);
    }
    assert_eq!(fs::read_dir(home.path().join("journal")).unwrap().count(), 1);
    log.shutdown(LONG).await.unwrap();
    assert_eq!(fs::read_dir(home.path().join("journal")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_journal_that_is_taken_away_refuses_one_call_and_is_made_anew() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let held: Vec<_> = (0..3).map(|_| slot(&log)).collect();
    let mut facts = facts_at(0, MORNING);
    log.intend(&mut facts).unwrap().wait().await.unwrap();
    fs::remove_dir_all(home.path().join("journal")).unwrap();
    assert!(log.intend(&mut facts_at(1, MORNING)).unwrap().wait().await.is_err());
    log.intend(&mut facts_at(2, MORNING)).unwrap().wait().await.unwrap();
    let (_, totals) = recovered(after_power_cut(home.path()).path()).await;
    assert_eq!(totals.records, 1);
    drop(held);
    log.shutdown(LONG).await.unwrap();
}

#[tokio::test]
async fn many_segments_are_used_again_when_their_calls_are_in_the_log() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    for round in 0..20 {
        let calls = (0..64).map(async |n| {
            let slot = log.admit_within(LONG).await.unwrap();
            let mut facts = facts_at(round * 64 + n, MORNING);
            log.intend(&mut facts).unwrap().wait().await.unwrap();
            log.push_durable(Some(slot), facts).unwrap().wait().await.unwrap();
        });
        futures::future::join_all(calls).await;
    }
    let files = fs::read_dir(home.path().join("journal")).unwrap().count();
    assert!(files < 14, "{files} segments");
    let copy = after_kill(home.path());
    let (_, totals) = recovered(copy.path()).await;
    assert_eq!(totals.records, 20 * 64);
    log.shutdown(LONG).await.unwrap();
}

#[tokio::test]
async fn calls_that_outgrow_the_journal_are_refused_and_fit_again_when_others_have_ended() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let mut held = Vec::new();
    let refused = loop {
        let slot = slot(&log);
        let mut facts = facts_at(u64::try_from(held.len()).unwrap(), MORNING);
        match log.intend(&mut facts).unwrap().wait().await {
            Ok(()) => held.push((slot, facts)),
            Err(_) => break (slot, facts),
        }
    };
    assert!(held.len() > 300, "{} calls had room", held.len());
    // The room that each was promised is there, though nobody else has any.
    for (slot, facts) in held {
        log.push_durable(Some(slot), facts).unwrap().wait().await.unwrap();
    }
    log.push(refused.0, refused.1);
    let mut facts = facts_at(100_000, MORNING);
    let slot = log.admit_within(LONG).await.unwrap();
    while log.intend(&mut facts).unwrap().wait().await.is_err() {
        tokio::task::yield_now().await;
    }
    log.push(slot, facts);
    log.shutdown(LONG).await.unwrap();
}

#[tokio::test]
async fn a_log_signed_by_checkpoints_does_not_open_when_its_checkpoint_is_gone_or_changed() {
    for damage in [None, Some("no note")] {
        let home = tempfile::tempdir().unwrap();
        let open = || {
            let sink = FileSink::open(home.path()).unwrap();
            Log::open(options(&TestSigner::new(), sink).line_signing(LineSigning::Checkpoint))
        };
        let log = open().unwrap();
        let slot = slot(&log);
        log.push(slot, facts_at(1, MORNING));
        log.shutdown(LONG).await.unwrap();
        drop(log);
        drop(open().unwrap());
        let checkpoint = home.path().join("checkpoint");
        match damage {
            Some(text) => fs::write(checkpoint, text).unwrap(),
            None => fs::remove_file(checkpoint).unwrap(),
        }
        let error = open().unwrap_err().to_string();
        assert!(error.starts_with("line 0 of the log"), "{error}");
    }
}
