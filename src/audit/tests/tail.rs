//! What a start goes on behind: the lines that no checkpoint covers, and who signed them.

use super::by_hand::{By, ByHand};
use super::*;
use crate::call::LineSigning;
use proptest::prelude::*;
use std::fs;
use std::path::Path;

const DAY_1: &str = "audit-2026-11-23.ndjson";
const DAY_2: &str = "audit-2026-11-24.ndjson";

/// Two days of three lines under a checkpoint, and three lines behind it.
fn killed(by: By) -> (tempfile::TempDir, ByHand) {
    let dir = tempfile::tempdir().unwrap();
    let mut log = ByHand::new(dir.path(), by);
    for n in 0..6 {
        log.call(n, MORNING + DAY * i64::from(n > 2));
    }
    log.checkpoint();
    for n in 6..9 {
        log.call(n, MORNING + DAY);
    }
    (dir, log)
}

fn open_as(dir: &Path, seed: u8, signing: LineSigning, former: &[u8]) -> Result<Log, OpenError> {
    let signer = TestSigner::from_seed(seed);
    let options = options(&signer, FileSink::open(dir).unwrap()).line_signing(signing);
    let key = |seed: &u8| TestSigner::from_seed(*seed).public_key();
    Log::open(former.iter().map(key).fold(options, LogOptions::former_key))
}

fn open(dir: &Path, by: By) -> Result<Log, OpenError> {
    open_as(dir, 7, signing(by), &[])
}

fn signing(by: By) -> LineSigning {
    match by {
        By::Record => LineSigning::Record,
        By::Checkpoint => LineSigning::Checkpoint,
    }
}

/// Goes on with one more line and ends well.
async fn goes_on(opened: Result<Log, OpenError>) {
    let log = opened.unwrap();
    push(&log, facts_at(99, MORNING + DAY));
    log.shutdown(LONG).await.unwrap();
}

/// The start fails, says so, and writes nothing.
#[track_caller]
fn refused(dir: &Path, by: By) -> String {
    let files = || [DAY_1, DAY_2, "checkpoint"].map(|file| fs::read(dir.join(file)).ok());
    let before = files();
    let error = open(dir, by).unwrap_err().to_string();
    assert_eq!(files(), before, "{error}");
    error
}

/// Changes a line of a file, from 0, and ties those behind it anew.
fn forge(dir: &Path, at: usize, change: impl Fn(&mut serde_json::Value)) {
    let path = dir.join(DAY_2);
    let text = fs::read_to_string(&path).unwrap();
    let (first, mut prev) = (text.lines().next().unwrap(), None);
    assert!(json(first)["seq"] == 3, "{first}");
    let mut out = String::new();
    for (number, line) in text.lines().enumerate() {
        let mut line = json(line);
        if let Some(prev) = prev.take() {
            line["prev_sha256"] = serde_json::Value::String(prev);
        }
        if number == at {
            change(&mut line);
        }
        let line = crate::canonical::to_vec(&line).unwrap();
        prev = Some(crate::digest::Digest::of(&line).to_string());
        out += str::from_utf8(&line).unwrap();
        out.push('\n');
    }
    fs::write(path, out).unwrap();
}

type Change = fn(&mut serde_json::Value);

/// What somebody without the key can do to a line, and what is said of it.
fn forgeries() -> [(&'static str, Change); 6] {
    [
        ("the signature does not fit the line", |line| line["executed"] = false.into()),
        ("the signature does not fit the line", |line| {
            line["sig"] = Signature::from_bytes([9; 64]).to_string().into();
        }),
        ("the signature does not fit the line", |line| sign(line, 8)),
        ("signed by the key `ed25519:", |line| {
            line["key_id"] = TestSigner::from_seed(8).public_key().key_id().into();
            sign(line, 8);
        }),
        ("`sig` is no `ed25519:` signature", |line| line["sig"] = "ed25519:AAAA".into()),
        ("`key_id` is missing", |line| drop(line.as_object_mut().unwrap().remove("key_id"))),
    ]
}

fn sign(line: &mut serde_json::Value, seed: u8) {
    line.as_object_mut().unwrap().remove("sig");
    let message = crate::canonical::to_vec(&*line).unwrap();
    let signature = TestSigner::from_seed(seed).key.sign(&message).to_bytes();
    line["sig"] = Signature::from_bytes(signature).to_string().into();
}

#[test]
fn a_start_refuses_a_line_that_was_made_without_the_key_and_names_it() {
    for (why, change) in forgeries() {
        for at in 3..6 {
            // Whatever signs the lines to come: those that have a signature are held to it.
            for by in [By::Record, By::Checkpoint] {
                let (dir, _) = killed(By::Record);
                forge(dir.path(), at, change);
                let error = refused(dir.path(), by);
                let expected = format!("{DAY_2}:{}: {why}", at + 1);
                assert!(error.starts_with(&expected), "{error}");
                fs::remove_file(dir.path().join("checkpoint")).unwrap();
                let error = refused(dir.path(), by);
                assert!(error.starts_with(&expected), "without its checkpoint: {error}");
            }
        }
    }
}

#[test]
fn a_line_without_signature_is_refused_where_lines_have_one() {
    let (dir, _) = killed(By::Record);
    forge(dir.path(), 5, |line| drop(line.as_object_mut().unwrap().remove("sig")));
    let error = refused(dir.path(), By::Record);
    assert!(error.starts_with(&format!("{DAY_2}:6: `sig` is missing")), "{error}");
    assert!(error.contains("if `audit.signing` was `checkpoint` until now"), "{error}");
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    let error = refused(dir.path(), By::Record);
    assert!(error.starts_with("line 8 of the log"), "{error}");
}

#[test]
fn a_line_without_signature_that_was_changed_is_seen_by_the_one_behind_it() {
    let (dir, _) = killed(By::Checkpoint);
    let path = dir.path().join(DAY_2);
    let mut lines: Vec<_> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    lines[3] = lines[3].replacen("\"executed\":true", "\"executed\":false", 1);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let error = refused(dir.path(), By::Checkpoint);
    assert!(error.starts_with(&format!("{DAY_2}:5: `prev_sha256` is not")), "{error}");
}

#[tokio::test]
async fn what_a_killed_writer_left_is_gone_on_with_and_verifies() {
    for by in [By::Record, By::Checkpoint] {
        for torn in ["", "{\"actor\":\"acme\",\"ag"] {
            let (dir, _) = killed(by);
            let path = dir.path().join(DAY_2);
            let whole = fs::read_to_string(&path).unwrap();
            fs::write(&path, whole.clone() + torn).unwrap();
            goes_on(open(dir.path(), by)).await;
            let totals = verifier().every_signature(true).verify_dir(dir.path()).unwrap();
            assert_eq!((totals.records, totals.uncovered), (10, 0));
            assert_eq!(totals.events, u64::from(!torn.is_empty()), "the cut is recorded");
            assert!(fs::read_to_string(path).unwrap().starts_with(&whole));
        }
    }
    let (dir, _) = killed(By::Record);
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    goes_on(open(dir.path(), By::Record)).await;
    verifier().every_signature(true).verify_dir(dir.path()).unwrap();
}

#[tokio::test]
async fn a_change_of_keys_behind_the_last_checkpoint_is_followed() {
    for by in [By::Record, By::Checkpoint] {
        for seed in [7, 8] {
            let (dir, mut log) = killed(by);
            log.change_key(MORNING + DAY, 8).call(10, MORNING + DAY);
            let opened = open_as(dir.path(), seed, signing(by), &[7]);
            drop(opened.unwrap_or_else(|error| panic!("{by:?} {seed}: {error}")));
        }
    }
    let (dir, mut log) = killed(By::Record);
    log.change_key(MORNING + DAY, 8).call(10, MORNING + DAY);
    goes_on(open_as(dir.path(), 8, LineSigning::Record, &[7])).await;
    assert_eq!(verify_dir(dir.path(), &[TestSigner::new().public_key()]).unwrap().events, 1);
}

#[test]
fn a_change_of_keys_that_the_old_key_did_not_sign_is_refused() {
    for by in [By::Record, By::Checkpoint] {
        let (dir, mut log) = killed(by);
        log.change_key(MORNING + DAY, 8);
        forge(dir.path(), 6, |line| sign(line, 8));
        let error = refused(dir.path(), by);
        assert!(error.starts_with(&format!("{DAY_2}:7: the signature does not fit")), "{error}");
        forge(dir.path(), 6, |line| drop(line.as_object_mut().unwrap().remove("sig")));
        let error = refused(dir.path(), by);
        assert!(error.starts_with(&format!("{DAY_2}:7: `sig` is missing")), "{error}");
    }
}

#[test]
fn a_key_that_gave_way_signs_nothing_behind_that() {
    let (dir, mut log) = killed(By::Record);
    log.change_key(MORNING + DAY, 8).take_back(&TestSigner::new());
    log.call(10, MORNING + DAY);
    let error = refused(dir.path(), By::Record);
    let expected = format!("{DAY_2}:8: signed by the key `");
    assert!(error.starts_with(&expected) && error.contains("gave way"), "{error}");
}

#[tokio::test]
async fn a_log_under_another_key_opens_when_that_key_is_named() {
    let (dir, _) = killed(By::Record);
    let record = LineSigning::Record;
    let error = open_as(dir.path(), 8, record, &[]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{DAY_1}:1: signed by the key `ed25519:")), "{error}");
    assert!(error.contains("name the key with `Sec0Options::former_key`"), "{error}");
    goes_on(open_as(dir.path(), 8, record, &[7])).await;
}

#[tokio::test]
async fn a_log_may_change_its_way_of_signing_after_a_clean_end_and_back() {
    let dir = tempfile::tempdir().unwrap();
    for by in [By::Checkpoint, By::Record, By::Checkpoint, By::Checkpoint, By::Record] {
        goes_on(open(dir.path(), by)).await;
    }
    assert_eq!(verifier().verify_dir(dir.path()).unwrap().records, 5);
}

#[tokio::test]
async fn a_log_that_was_killed_between_two_ways_of_signing_is_settled_by_one_start_with_the_old() {
    let (dir, _) = killed(By::Record);
    goes_on(open(dir.path(), By::Checkpoint)).await;
    let (dir, _) = killed(By::Checkpoint);
    assert!(refused(dir.path(), By::Record).starts_with(&format!("{DAY_2}:4: `sig` is missing")));
    goes_on(open(dir.path(), By::Checkpoint)).await;
    goes_on(open(dir.path(), By::Record)).await;
    verifier().verify_dir(dir.path()).unwrap();
}

#[test]
fn a_key_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let sink = FileSink::open(dir.path()).unwrap();
    let none = PublicKey::from_bytes([0; 32]);
    let error = Log::open(options(&TestSigner::new(), sink).former_key(none)).unwrap_err();
    assert!(error.to_string().starts_with(&format!("the key with the id `{}`", none.key_id())));
}

proptest! {
    #![proptest_config(cases(24))]
    /// Lines are longer and shorter than a window, and what is no line stands between them.
    #[test]
    fn every_line_from_a_number_on_is_shown_once_and_in_its_place(
        lengths in prop::collection::vec(
            prop_oneof![4 => 0..600_usize, 2 => 200_000..MAX_LINE - 50, 1 => MAX_LINE..3_000_000],
            1..12,
        ),
        split in 0..12_usize, from in 0..12_u64, is_torn: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let disk = LocalDisk::open(dir.path(), &Stream::default()).unwrap();
        let (mut files, mut expected, mut seq) = ([String::new(), String::new()], Vec::new(), 0);
        let mut numbers = [0, 0];
        for (at, length) in lengths.iter().enumerate() {
            let file = usize::from(at >= split);
            numbers[file] += 1;
            let filler = "x".repeat(*length);
            let line = format!("{{\"a\":\"{filler}\",\"seq\":{seq}}}");
            files[file] += &line;
            files[file] += "\n";
            if line.len() <= MAX_LINE {
                expected.push((seq, line, format!("{}:{}", [DAY_1, DAY_2][file], numbers[file])));
                seq += 1;
            }
        }
        if is_torn {
            files[1] += "{\"a\":";
        }
        fs::write(dir.path().join(DAY_1), &files[0]).unwrap();
        fs::write(dir.path().join(DAY_2), &files[1]).unwrap();
        expected.retain(|(seq, ..)| *seq >= from);
        let mut shown = Vec::new();
        let stream = Stream::default();
        behind::from(&disk, &stream, from, |error| error, |line, text, place| {
            if line.seq.is_some_and(|seq| seq >= from) {
                let text = String::from_utf8(text.to_vec()).unwrap();
                shown.push((line.seq.unwrap(), text, place.shown()));
            }
            Ok(())
        }).unwrap();
        prop_assert!(shown == expected, "{} lines of {}", shown.len(), expected.len());
    }
}
