//! Checkpoints, key changes and proofs, read back from logs that hold and logs that were changed.

use super::by_hand::{By, ByHand, note};
use super::*;
use crate::digest::Digest;
use crate::tlog::{Edge, Proof, leaf_hash, origin_of};
use proptest::prelude::*;
use proptest::sample::Index;
use rustix::fs::FlockOperation;
use serde_json::json;
use std::fs;
use std::path::Path;

const BOTH: [By; 2] = [By::Record, By::Checkpoint];
const DAY_1: &str = "audit-2026-11-23.ndjson";
const DAY_2: &str = "audit-2026-11-24.ndjson";
const CLOSED: &str = "checkpoints/2026-11-23";

/// Two days of `lines` lines each, under checkpoints.
fn log(by: By, lines: u64) -> (tempfile::TempDir, ByHand) {
    let dir = tempfile::tempdir().unwrap();
    let mut log = ByHand::new(dir.path(), by);
    for n in 0..lines * 2 {
        let day = if n < lines { 0 } else { DAY };
        log.call(n, MORNING + day);
    }
    log.checkpoint();
    (dir, log)
}

/// Two days of three small lines.
fn small(by: By) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut log = ByHand::new(dir.path(), by);
    let event = json!({ "event": "reload" });
    log.event(MORNING, &event).event(MORNING, &event).event(MORNING + DAY, &event).checkpoint();
    dir
}

fn verify(dir: &Path) -> Result<Totals, VerifyError> {
    verifier().verify_dir(dir)
}

#[track_caller]
fn why(dir: &Path) -> String {
    verify(dir).unwrap_err().to_string()
}

/// Changes lines of a file, from 0.
fn edit(dir: &Path, file: &str, change: impl FnOnce(&mut Vec<String>)) {
    let text = fs::read_to_string(dir.join(file)).unwrap();
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    change(&mut lines);
    fs::write(dir.join(file), lines.concat()).unwrap();
}

fn edit_line(dir: &Path, file: &str, line: usize) {
    edit(dir, file, |lines| {
        assert!(lines[line].contains("\"executed\":true"), "{}", lines[line]);
        lines[line] = lines[line].replacen("\"executed\":true", "\"executed\":false", 1);
    });
}

#[test]
fn a_log_under_checkpoints_holds_in_both_ways_of_signing() {
    for by in BOTH {
        let (dir, _) = log(by, 3);
        let totals = verify(dir.path()).unwrap();
        assert_eq!((totals.records, totals.checkpoints, totals.uncovered), (6, 2, 0));
        assert_eq!((totals.checkpoint_size, totals.last_seq), (Some(6), Some(5)));
        assert_eq!(totals.keys, [TestSigner::new().public_key().key_id()]);
        assert_eq!(verifier().every_signature(true).verify_dir(dir.path()).unwrap(), totals);
    }
}

#[test]
fn any_byte_changed_removed_doubled_swapped_or_cut_off_is_seen() {
    for by in BOTH {
        let dir = small(by);
        for file in [DAY_1, DAY_2, "checkpoint", CLOSED] {
            let path = dir.path().join(file);
            let good = fs::read(&path).unwrap();
            let is_seen = |what: &str, at: usize, bytes: &[u8]| {
                fs::write(&path, bytes).unwrap();
                assert!(verify(dir.path()).is_err(), "{by:?} {file}: {what} at {at}");
            };
            for at in 0..good.len() {
                let (before, rest) = good.split_at(at);
                is_seen("changed", at, &[before, &[rest[0] ^ 1], &rest[1..]].concat());
                let (what, bytes) = match at % 4 {
                    0 => ("cut", before.to_vec()),
                    1 => ("doubled", [before, &rest[..1], rest].concat()),
                    2 if rest.len() > 1 && rest[0] != rest[1] => {
                        ("swapped", [before, &[rest[1], rest[0]], &rest[2..]].concat())
                    }
                    _ => ("removed", [before, &rest[1..]].concat()),
                };
                is_seen(what, at, &bytes);
            }
            fs::remove_file(&path).unwrap();
            // The oldest day may be gone by retention, which shows in the totals.
            let first = verify(dir.path()).map(|totals| totals.first_seq);
            let expected = if file == DAY_1 { Some(Some(2)) } else { None };
            assert_eq!(first.ok(), expected, "{by:?} {file} removed");
            fs::write(&path, &good).unwrap();
            verify(dir.path()).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(cases(48))]
    #[test]
    fn any_change_of_a_larger_log_is_seen(
        by_record: bool, file in 0..4_usize, at: Index, to: Index, kind in 0..5, byte: u8,
    ) {
        let (dir, _) = log(if by_record { By::Record } else { By::Checkpoint }, 20);
        let path = dir.path().join([DAY_1, DAY_2, "checkpoint", CLOSED][file]);
        let good = fs::read(&path).unwrap();
        let (one, two) = (at.index(good.len()), to.index(good.len()));
        let (from, to) = (one.min(two), one.max(two) + 1);
        let changed = match kind {
            0 => [&good[..from], &[byte], &good[from + 1..]].concat(),
            1 => [&good[..from], &good[to..]].concat(),
            2 => [&good[..to], &good[from..]].concat(),
            3 => good[..from].to_vec(),
            _ => {
                let mut swapped = good.clone();
                swapped.swap(one, two);
                swapped
            }
        };
        prop_assume!(changed != good);
        fs::write(&path, changed).unwrap();
        prop_assert!(verify(dir.path()).is_err());
    }
}

#[test]
fn the_changed_line_is_named_where_signatures_can_tell_and_else_the_next_one() {
    for line in 0..8 {
        let (dir, _) = log(By::Record, 8);
        edit_line(dir.path(), DAY_1, line);
        let expected = format!("{DAY_1}:{}: the signature does not fit", line + 1);
        assert!(why(dir.path()).starts_with(&expected), "{}", why(dir.path()));
        let (dir, _) = log(By::Checkpoint, 8);
        edit_line(dir.path(), DAY_1, line);
        // The last line of a day is the last leaf under its checkpoint, so the tree alone tells.
        let expected = match line {
            7 => format!("{DAY_1}:1: the line, or one of the 7 behind it, is not the one that `"),
            line => format!("{DAY_1}:{}: `prev_sha256` is not", line + 2),
        };
        assert!(why(dir.path()).starts_with(&expected), "{}", why(dir.path()));
    }
}

/// Ties lines of a day anew, as somebody without the key can.
fn chain_anew(dir: &Path, file: &str) {
    edit(dir, file, |lines| {
        for at in 1..lines.len() {
            let prev = Digest::of(lines[at - 1].trim_end().as_bytes()).to_string();
            let old = json(&lines[at])["prev_sha256"].as_str().unwrap().to_owned();
            lines[at] = lines[at].replace(&old, &prev);
        }
    });
}

#[test]
fn lines_that_were_chained_anew_are_found_in_the_tree() {
    let (dir, _) = log(By::Checkpoint, 11);
    edit_line(dir.path(), DAY_1, 9);
    chain_anew(dir.path(), DAY_1);
    // 11 is 8, 2 and 1: the first tree of 8 is as it was.
    let expected = format!("{DAY_1}:9: the line, or the one behind it, is not the one that");
    assert!(why(dir.path()).starts_with(&expected), "{}", why(dir.path()));
    assert!(why(dir.path()).contains(&format!("`{CLOSED}`")), "{}", why(dir.path()));
    let (dir, _) = log(By::Record, 11);
    edit_line(dir.path(), DAY_1, 9);
    chain_anew(dir.path(), DAY_1);
    assert!(why(dir.path()).starts_with(&format!("{DAY_1}:10: the signature")));
}

#[test]
fn a_checkpoint_vouches_for_signatures_unless_every_one_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = ByHand::new(dir.path(), By::Checkpoint);
    let sig = Signature::from_bytes([9; 64]).to_string();
    log.event(MORNING, &json!({ "event": "reload", "sig": sig })).checkpoint();
    assert_eq!(verify(dir.path()).unwrap().events, 1);
    let error = verifier().every_signature(true).verify_dir(dir.path()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{DAY_1}:1: the signature does not fit")), "{error}");
}

#[test]
fn lines_behind_the_newest_checkpoint_need_their_signatures() {
    let (dir, mut log) = log(By::Record, 2);
    log.call(4, MORNING + DAY).call(5, MORNING + DAY);
    let totals = verify(dir.path()).unwrap();
    assert_eq!((totals.records, totals.uncovered, totals.checkpoint_size), (6, 2, Some(4)));
    edit_line(dir.path(), DAY_2, 3);
    assert!(why(dir.path()).starts_with(&format!("{DAY_2}:4: the signature does not fit")));
}

#[test]
fn unsigned_lines_behind_it_hold_only_while_a_process_writes() {
    let (dir, mut log) = log(By::Checkpoint, 2);
    log.call(4, MORNING + DAY);
    let lost = format!("{DAY_2}:3: the line is covered by no checkpoint");
    assert!(why(dir.path()).starts_with(&lost), "{}", why(dir.path()));
    let lock = fs::File::create(dir.path().join("lock")).unwrap();
    assert!(why(dir.path()).starts_with(&lost), "{}", why(dir.path()));
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert_eq!(verify(dir.path()).unwrap().uncovered, 1);
    drop(lock);
    assert!(verify(dir.path()).is_err());
}

#[test]
fn a_key_change_is_followed_from_the_old_key_alone() {
    for by in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let mut log = ByHand::new(dir.path(), by);
        log.call(0, MORNING).change_key(MORNING, 8).call(2, MORNING).call(3, MORNING + DAY);
        log.checkpoint();
        let totals = verify(dir.path()).unwrap();
        let keys = [7, 8].map(|seed| TestSigner::from_seed(seed).public_key());
        assert_eq!(totals.keys, keys.map(|key| key.key_id()));
        assert_eq!((totals.records, totals.events), (3, 1));
        verifier().every_signature(true).verify_dir(dir.path()).unwrap();
        let error = verify_dir(dir.path(), &keys[1..]).unwrap_err().to_string();
        assert!(error.starts_with("checkpoint") || error.contains(":1: signed by the"), "{error}");
    }
}

#[test]
fn a_key_that_gave_way_signs_neither_lines_nor_checkpoints_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = ByHand::new(dir.path(), By::Record);
    log.call(0, MORNING).change_key(MORNING, 8).call(2, MORNING);
    let mut edge = Edge::new();
    for line in fs::read_to_string(dir.path().join(DAY_1)).unwrap().lines() {
        edge.push(leaf_hash(line.as_bytes()));
    }
    log.checkpoint();
    let good = fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    let prev = fs::read_to_string(dir.path().join(DAY_1)).unwrap();
    let prev = Digest::of(prev.lines().last().unwrap().as_bytes());
    let old = note(&TestSigner::new(), &origin_of("acme", None), &edge, Some(prev));
    fs::write(dir.path().join("checkpoint"), old).unwrap();
    let error = why(dir.path());
    assert!(error.starts_with("checkpoint: signed by none of the keys"), "{error}");
    fs::write(dir.path().join("checkpoint"), good).unwrap();
    // Back to the key that gave way, without a line that says so.
    let mut again = ByHand::new(dir.path().join("again").as_path(), By::Record);
    again.call(0, MORNING).change_key(MORNING, 8);
    again.take_back(&TestSigner::new());
    again.call(2, MORNING).checkpoint();
    let error = why(&dir.path().join("again"));
    assert!(error.contains("gave way to another one with line 1"), "{error}");
}

#[test]
fn the_line_of_a_key_change_is_checked_under_a_checkpoint_too() {
    for member in ["new_public_key", "new_key_id"] {
        let dir = tempfile::tempdir().unwrap();
        let mut log = ByHand::new(dir.path(), By::Checkpoint);
        let key = TestSigner::from_seed(8).public_key();
        let mut members = json!({
            "event": "key_change", "new_key_id": key.key_id(), "new_public_key": key.to_string(),
        });
        members[member] = "ed25519:AAAA".into();
        log.event(MORNING, &members).checkpoint();
        assert!(why(dir.path()).contains(":1: `new_key_id` and `new_public_key` are not one"));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut log = ByHand::new(dir.path(), By::Checkpoint);
    log.change_key(MORNING, 8);
    log.take_back(&TestSigner::new());
    edit(dir.path(), DAY_1, |lines| {
        let sig = json(&lines[0])["sig"].as_str().unwrap().to_owned();
        lines[0] = lines[0].replace(&sig, &Signature::from_bytes([9; 64]).to_string());
    });
    log.read_again().checkpoint();
    assert!(why(dir.path()).contains(":1: the signature does not fit"), "{}", why(dir.path()));
}

#[test]
fn older_days_may_be_gone_when_their_last_checkpoint_is_there() {
    for by in BOTH {
        let (dir, mut log) = log(by, 3);
        log.call(6, MORNING + 2 * DAY).checkpoint();
        fs::remove_file(dir.path().join(DAY_1)).unwrap();
        let totals = verify(dir.path()).unwrap();
        assert_eq!((totals.first_seq, totals.records, totals.checkpoints), (Some(3), 4, 3));
        // The line behind the gap was changed.
        let kept = fs::read(dir.path().join(DAY_2)).unwrap();
        edit(dir.path(), DAY_2, |lines| drop(lines.remove(0)));
        assert!(why(dir.path()).contains(":1: `seq` is 4, so older lines are gone"));
        fs::write(dir.path().join(DAY_2), &kept).unwrap();
        fs::remove_file(dir.path().join(CLOSED)).unwrap();
        assert!(why(dir.path()).contains(":1: `seq` is 3, so older lines are gone"));
    }
}

#[test]
fn a_checkpoint_of_another_log_or_day_is_refused() {
    let (dir, log_1) = log(By::Record, 3);
    let (other, _) = log(By::Record, 2);
    let put = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    let good = fs::read(dir.path().join(CLOSED)).unwrap();
    put(CLOSED, &fs::read(other.path().join(CLOSED)).unwrap());
    assert!(
        why(dir.path()).starts_with(&format!("{DAY_1}:1: the line, or the one behind it"))
            || why(dir.path()).starts_with(CLOSED),
        "{}",
        why(dir.path())
    );
    put(CLOSED, log_1.note().as_bytes());
    assert!(
        why(dir.path()).starts_with(&format!("{CLOSED}: it is for 6 lines, and the log has 3"))
    );
    put(CLOSED, &good);
    let newest = fs::read(dir.path().join("checkpoint")).unwrap();
    let mut edge = Edge::new();
    let mut last = None;
    for file in [DAY_1, DAY_2] {
        for line in fs::read_to_string(dir.path().join(file)).unwrap().lines() {
            edge.push(leaf_hash(line.as_bytes()));
            last = Some(Digest::of(line.as_bytes()));
        }
    }
    for (tenant, writer) in [("acne", None), ("acme", Some("w"))] {
        let foreign = note(&TestSigner::new(), &origin_of(tenant, writer), &edge, last);
        put("checkpoint", foreign.as_bytes());
        let error = why(dir.path());
        assert!(error.starts_with("checkpoint: it is of the log `sec0-audit/ac"), "{error}");
    }
    put("checkpoint", &newest);
    verify(dir.path()).unwrap();
}

#[test]
fn a_kept_checkpoint_catches_a_shorter_empty_missing_or_rewritten_log() {
    let (dir, log_1) = log(By::Record, 3);
    let kept = log_1.note();
    let check = |dir: &Path| {
        let verifier = verifier().checkpoint("kept", kept.as_bytes()).unwrap();
        verifier.verify_dir(dir).map_err(|error| error.to_string())
    };
    assert_eq!(check(dir.path()).unwrap().checkpoints, 3);
    // Grown since.
    let (grown, mut more) = log(By::Record, 3);
    more.call(6, MORNING + DAY).checkpoint();
    assert_eq!(check(grown.path()).unwrap().records, 7);
    let (shorter, _) = log(By::Record, 2);
    assert!(check(shorter.path()).unwrap_err().starts_with("kept: the log is shorter than its"));
    let empty = tempfile::tempdir().unwrap();
    ByHand::new(empty.path(), By::Record);
    let missing = empty.path().join("missing");
    for dir in [empty.path(), &missing] {
        assert!(check(dir).unwrap_err().contains("it has 0 lines of 6"), "{:?}", check(dir));
    }
    assert!(check(Path::new("/dev/null/x")).is_err());
    // Rewritten as a whole by somebody with the key.
    let rewritten = tempfile::tempdir().unwrap();
    let mut log = ByHand::new(rewritten.path(), By::Record);
    for n in 1..7 {
        log.call(n, MORNING);
    }
    log.checkpoint();
    verify(rewritten.path()).unwrap();
    let error = check(rewritten.path()).unwrap_err();
    assert!(error.contains("not the one that `kept` covers"), "{error}");
}

#[test]
fn each_writer_of_a_directory_is_verified_and_a_kept_checkpoint_finds_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let writer = |id| Stream::of_writer(id).unwrap();
    let mut notes = Vec::new();
    for id in ["a", "b"] {
        let mut log = ByHand::of_writer(dir.path(), By::Checkpoint, writer(id));
        log.call(0, MORNING).call(1, MORNING + DAY).checkpoint();
        notes.push(log.note());
    }
    let totals = verify(dir.path()).unwrap();
    assert_eq!((totals.streams, totals.records, totals.checkpoints), (2, 4, 4));
    assert_eq!((totals.last_seq, totals.checkpoint_size), (None, None));
    // A file that is being written beside a checkpoint is not the checkpoint of a writer.
    fs::write(dir.path().join("checkpoint.new"), "half a note").unwrap();
    assert_eq!(verify(dir.path()).unwrap().streams, 2);
    let one = verifier().verify_stream(dir.path(), &writer("a")).unwrap();
    assert_eq!((one.records, one.last_seq), (2, Some(1)));
    for name in [
        "audit-2026-11-23.b.ndjson",
        "audit-2026-11-24.b.ndjson",
        "checkpoint.b",
        "checkpoints/2026-11-23.b",
    ] {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    assert_eq!(verify(dir.path()).unwrap().streams, 1);
    let kept = verifier().checkpoint("kept", notes[1].as_bytes()).unwrap();
    let error = kept.verify_dir(dir.path()).unwrap_err().to_string();
    assert!(error.starts_with("kept: the log is shorter than its checkpoint"), "{error}");
}

#[test]
fn recovered_lines_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = ByHand::new(dir.path(), By::Record);
    log.event(MORNING, &json!({ "event": "recovery", "recovered": true }));
    log.event(MORNING, &json!({ "event": "reload" })).checkpoint();
    assert_eq!(verify(dir.path()).unwrap().recovered, 1);
}

#[test]
fn each_line_has_a_proof_that_holds_alone_and_for_no_other_line() {
    for by in BOTH {
        let (dir, mut log) = log(by, 5);
        log.call(10, MORNING + DAY);
        let key = TestSigner::new().public_key();
        let origin = origin_of("acme", None);
        let all: Vec<String> = [DAY_1, DAY_2]
            .iter()
            .flat_map(|file| {
                let text = fs::read_to_string(dir.path().join(file)).unwrap();
                text.lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        for (seq, line) in (0_u64..10).zip(&all) {
            let proven = prove(dir.path(), &Stream::default(), seq).unwrap();
            assert_eq!(proven.line, line.as_bytes());
            let proof = Proof::parse(proven.proof.to_string().as_bytes()).unwrap();
            assert_eq!(proof.extra(), Some(line.as_bytes()));
            let checkpoint = proof.verify(line.as_bytes(), &key, Some(&origin)).unwrap();
            assert_eq!(checkpoint.size(), if seq < 5 { 5 } else { 10 });
            let others = all.iter().filter(|other| *other != line);
            assert!(
                others.clone().all(|other| proof.verify(other.as_bytes(), &key, None).is_err())
            );
        }
        let error = prove(dir.path(), &Stream::default(), 10).unwrap_err().to_string();
        assert!(error.starts_with("no checkpoint covers line 10: the newest one covers 10"));
        edit_line(dir.path(), DAY_2, 1);
        let error = prove(dir.path(), &Stream::default(), 7).unwrap_err().to_string();
        assert!(error.contains("do not lead to the root of `checkpoint`"), "{error}");
        fs::remove_file(dir.path().join(DAY_1)).unwrap();
        let error = prove(dir.path(), &Stream::default(), 3).unwrap_err().to_string();
        assert!(error.starts_with("line 3 is not where its number says"), "{error}");
    }
}
