use super::*;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

const FILES: [&str; 2] = ["audit-2026-11-23.ndjson", "audit-2026-11-24.ndjson"];

/// Two days with four lines each.
static SEALED: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    for (day, start) in [(0, 0), (DAY, 4)] {
        let sink = FileSink::open(dir.path()).unwrap();
        let log = Log::open(options(&TestSigner::new(), sink)).unwrap();
        (start..start + 4).for_each(|n| push(&log, facts_at(n, MORNING + day)));
    }
    FILES.map(|file| fs::read(dir.path().join(file)).unwrap())
});

/// The checkpoints of these days.
static SEALS: LazyLock<[(&str, Vec<u8>); 2]> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in FILES.iter().zip(&*SEALED) {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    by_hand::seal(dir.path());
    ["checkpoint", "checkpoints/2026-11-23"]
        .map(|name| (name, fs::read(dir.path().join(name)).unwrap()))
});

fn verify(files: &[Vec<u8>; 2]) -> Result<Totals, VerifyError> {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in FILES.iter().zip(files) {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let dir = dir.path();
    fs::create_dir(dir.join("checkpoints")).unwrap();
    SEALS.iter().for_each(|(name, note)| fs::write(dir.join(name), note).unwrap());
    verify_dir(dir, &[TestSigner::new().public_key()])
}

fn lines(file: &[u8]) -> Vec<Vec<u8>> {
    file.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// The sealed log with the lines of one day changed.
fn with_lines(day: usize, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> [Vec<u8>; 2] {
    let mut files = SEALED.clone();
    let mut changed = lines(&files[day]);
    change(&mut changed);
    files[day] = changed.concat();
    files
}

fn fault(files: &[Vec<u8>; 2]) -> String {
    verify(files).unwrap_err().to_string()
}

#[test]
fn the_sealed_log_verifies() {
    let totals = verify(&SEALED).unwrap();
    assert_eq!((totals.files, totals.records, totals.events), (2, 8, 0));
    assert_eq!((totals.first_seq, totals.last_seq), (Some(0), Some(7)));
    assert_eq!(totals.first_ts.as_deref(), Some("2026-11-23T08:15:30.042Z"));
    assert_eq!(totals.last_ts.as_deref(), Some("2026-11-24T08:15:30.042Z"));
    let bytes = SEALED.iter().map(Vec::len).sum::<usize>();
    assert_eq!(totals.bytes, u64::try_from(bytes).unwrap());
}

proptest! {
    #![proptest_config(cases(64))]
    #[test]
    fn a_changed_byte_is_seen(day in 0..2_usize, at: prop::sample::Index, byte: u8) {
        let mut files = SEALED.clone();
        let at = at.index(files[day].len());
        prop_assume!(files[day][at] != byte);
        files[day][at] = byte;
        prop_assert!(verify(&files).is_err());
    }

    #[test]
    fn a_removed_or_inserted_byte_is_seen(
        day in 0..2_usize, at: prop::sample::Index, byte: u8, insert: bool,
    ) {
        let mut files = SEALED.clone();
        let at = at.index(files[day].len());
        if insert { files[day].insert(at, byte) } else { files[day].remove(at); }
        prop_assert!(verify(&files).is_err());
    }

    #[test]
    fn a_cut_inside_a_line_is_seen(day in 0..2_usize, at: prop::sample::Index) {
        let mut files = SEALED.clone();
        let at = at.index(files[day].len());
        prop_assume!(at > 0 && files[day][at - 1] != b'\n');
        files[day].truncate(at);
        prop_assert!(verify(&files).is_err());
    }

    #[test]
    fn lines_that_change_places_are_seen(one in 0..8_usize, other in 0..8_usize) {
        prop_assume!(one != other);
        let mut all: Vec<_> = SEALED.iter().flat_map(|file| lines(file)).collect();
        all.swap(one, other);
        prop_assert!(verify(&[all[..4].concat(), all[4..].concat()]).is_err());
    }
}

#[test]
fn every_deleted_or_doubled_line_is_seen() {
    for (day, line) in (0..2).flat_map(|day| (0..4).map(move |line| (day, line))) {
        let doubled = with_lines(day, |lines| lines.insert(line, lines[line].clone()));
        assert!(verify(&doubled).is_err(), "{day} {line}");
        let deleted = verify(&with_lines(day, |lines| drop(lines.remove(line))));
        assert!(deleted.is_err(), "{day} {line}");
    }
}

#[test]
fn the_first_bad_line_is_named_with_the_likely_cause() {
    let edited = |at: usize, from: &str, to: &str| {
        with_lines(0, |lines| {
            let line = String::from_utf8(lines[at].clone()).unwrap();
            assert!(line.contains(from), "{line}");
            lines[at] = line.replace(from, to).into_bytes();
        })
    };
    for (files, message) in [
        (edited(1, "\"ok\"", "\"no\""), "audit-2026-11-23.ndjson:2: the signature does not fit"),
        (
            edited(2, "{\"", "{ \""),
            "audit-2026-11-23.ndjson:3: not in canonical form from column 2",
        ),
        (edited(0, "{", ""), "audit-2026-11-23.ndjson:1: not a JSON object"),
        (
            edited(0, "\"executed\":true", "\"executed\":true,\"executed\":true"),
            "audit-2026-11-23.ndjson:1: not in canonical form",
        ),
        (
            edited(0, "\"prev_sha256\":\"0", "\"prev_sha256\":\"1"),
            "audit-2026-11-23.ndjson:1: `prev_sha256` is not the SHA-256",
        ),
        (
            edited(0, "\"key_id\":\"ed", "\"key_id\":\"ee"),
            "audit-2026-11-23.ndjson:1: signed by the key",
        ),
        (
            with_lines(1, |lines| drop(lines.drain(..2))),
            "audit-2026-11-24.ndjson:1: `seq` is 6 where 4 belongs; 2 lines",
        ),
        (
            with_lines(0, |lines| lines.push(lines[3].clone())),
            "audit-2026-11-23.ndjson:5: `seq` is 3 where 4 belongs; the line was duplicated",
        ),
        (
            with_lines(1, |lines| lines[3].truncate(99)),
            "audit-2026-11-24.ndjson:4: the line is incomplete",
        ),
    ] {
        let fault = fault(&files);
        assert!(fault.starts_with(message), "{fault}");
    }
}

#[test]
fn lines_moved_to_the_file_of_an_earlier_day_are_seen() {
    let [first, second] = SEALED.clone().map(|file| lines(&file));
    let files = [[&first[..], &second[..1]].concat().concat(), second[1..].concat()];
    assert!(fault(&files).contains(":5: `ts` is `2026-11-24T"), "{}", fault(&files));
}

#[test]
fn a_line_signed_by_a_key_that_was_not_given_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILES[0]), &SEALED[0]).unwrap();
    by_hand::seal(dir.path());
    let stranger = TestSigner::from_seed(8).public_key();
    let error = verify_dir(dir.path(), &[stranger]).unwrap_err().to_string();
    assert!(error.contains(&TestSigner::new().public_key().key_id()), "{error}");
    let both = [stranger, TestSigner::new().public_key()];
    assert_eq!(verify_dir(dir.path(), &both).unwrap().records, 4);
}

#[test]
fn a_key_that_anyone_could_sign_for_is_refused_with_its_id() {
    let weak = PublicKey::from_bytes([0; 32]);
    let error = Verifier::new(&[TestSigner::new().public_key(), weak]).unwrap_err().to_string();
    assert!(error.contains(&weak.key_id()) && error.contains("of low order"), "{error}");
}

#[test]
fn a_day_file_that_is_no_file_is_refused_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILES[0]);
    by_hand::seal(dir.path());
    fs::create_dir(&path).unwrap();
    let read = |dir: &Path| verify_dir(dir, &[TestSigner::new().public_key()]);
    assert!(matches!(read(dir.path()), Err(VerifyError::Unreadable { .. })));
}
