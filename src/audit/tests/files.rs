use super::*;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

const TODAY: &str = "audit-2026-11-23.ndjson";

fn log(dir: &Path) -> Log {
    let sink = FileSink::open(dir).unwrap();
    Log::open(options(&TestSigner::new(), sink)).unwrap()
}

fn write(dir: &Path, numbers: std::ops::Range<u64>, millis: i64) {
    let log = log(dir);
    numbers.for_each(|n| push(&log, facts_at(n, millis)));
}

fn verify(dir: &Path) -> Result<Totals, VerifyError> {
    verify_dir(dir, &[TestSigner::new().public_key()])
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn home() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("made/on the way/.sec0");
    (home, dir)
}

#[test]
fn a_log_makes_its_directory_and_files_for_the_owner_only() {
    let (_home, dir) = home();
    write(&dir, 0..3, MORNING);
    write(&dir, 3..6, MORNING + DAY);
    assert_eq!((mode(&dir), mode(&dir.join(TODAY))), (0o700, 0o600));
    assert_eq!(mode(dir.parent().unwrap()), 0o700);
    let totals = verify(&dir).unwrap();
    assert_eq!((totals.files, totals.records, totals.last_seq), (2, 6, Some(5)));
    assert_eq!(totals.by_status["ok"], 6);
}

#[test]
fn an_open_directory_of_ours_is_tightened() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), 0..1, MORNING);
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(home.path().join(TODAY), fs::Permissions::from_mode(0o644)).unwrap();
    write(home.path(), 1..2, MORNING);
    assert_eq!((mode(home.path()), mode(&home.path().join(TODAY))), (0o700, 0o600));
}

#[test]
fn a_link_or_a_file_of_another_kind_is_refused() {
    let (home, dir) = home();
    let real = home.path().join("real");
    fs::create_dir(&real).unwrap();
    let linked = home.path().join("linked");
    symlink(&real, &linked).unwrap();
    let error = FileSink::open(&linked).unwrap_err();
    assert!(error.to_string().contains("a link"), "{error}");

    fs::create_dir_all(&dir).unwrap();
    symlink(real.join("elsewhere"), dir.join(TODAY)).unwrap();
    let error = FileSink::open(&dir).unwrap().tail().unwrap_err();
    let at = dir.join(TODAY);
    let said = format!("`{}`: a link, which is never followed; move it away", at.display());
    assert_eq!(error.to_string(), said);
    assert!(!real.join("elsewhere").exists());

    fs::remove_file(dir.join(TODAY)).unwrap();
    fs::write(dir.join(TODAY), "").unwrap();
    fs::hard_link(dir.join(TODAY), home.path().join("second name")).unwrap();
    let error = FileSink::open(&dir).unwrap().tail().unwrap_err();
    assert!(error.to_string().contains("more than one name"), "{error}");
}

#[test]
fn a_second_writer_is_told_who_holds_the_directory() {
    let (_home, dir) = home();
    let first = FileSink::open(&dir).unwrap();
    let error = FileSink::open(&dir).unwrap_err();
    let pid = std::process::id();
    assert!(matches!(error, OpenError::Locked { pid: Some(holder), .. } if holder == pid));
    assert!(error.to_string().contains(&format!("process {pid} ")), "{error}");
    drop(first);
    FileSink::open(&dir).unwrap();
}

#[test]
fn a_torn_last_line_is_cut_off_and_recorded() {
    let (_home, dir) = home();
    write(&dir, 0..3, MORNING);
    let text = fs::read(dir.join(TODAY)).unwrap();
    fs::write(dir.join(TODAY), [&text, &text[..100]].concat()).unwrap();
    let error = verify(&dir).unwrap_err().to_string();
    assert!(error.starts_with("audit-2026-11-23.ndjson:4: the line is incomplete"), "{error}");

    write(&dir, 3..4, MORNING);
    let totals = verify(&dir).unwrap();
    assert_eq!((totals.records, totals.events), (4, 1));
    let newest = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| {
        fs::read_to_string(path).unwrap_or_default().contains("\"event\":\"recovery\"")
    });
    let newest = fs::read_to_string(newest.max().unwrap()).unwrap();
    let lines: Vec<_> = newest.lines().map(str::to_owned).collect();
    let cut = &events(&lines, "recovery")[0];
    assert_eq!(cut["file"], TODAY);
    assert_eq!(cut["cut_bytes"], 100);
}

#[test]
fn a_log_torn_to_nothing_goes_on_behind_the_day_before() {
    let (_home, dir) = home();
    write(&dir, 0..2, MORNING);
    // What a writer that is killed in the first line of a day leaves: the day before is closed.
    fs::create_dir(dir.join("checkpoints")).unwrap();
    fs::copy(dir.join("checkpoint"), dir.join("checkpoints/2026-11-23")).unwrap();
    let tomorrow = dir.join("audit-2026-11-24.ndjson");
    fs::write(&tomorrow, "{\"actor\":\"acm").unwrap();
    let tail = FileSink::open(&dir).unwrap().tail().unwrap().unwrap();
    assert_eq!(tail.day, Day::parse("2026-11-24").unwrap());
    assert_eq!(tail.cuts, [Cut { file: "audit-2026-11-24.ndjson".to_owned(), bytes: 13 }]);
    assert_eq!(fs::metadata(&tomorrow).unwrap().len(), 0);
    write(&dir, 2..3, MORNING);
    assert_eq!(verify(&dir).unwrap().records, 3);
    assert!(fs::metadata(&tomorrow).unwrap().len() > 0);
}

#[test]
fn a_last_line_that_is_no_record_is_named_with_its_place() {
    let (_home, dir) = home();
    write(&dir, 0..2, MORNING);
    let mut text = fs::read_to_string(dir.join(TODAY)).unwrap();
    text.push_str("hello\n");
    fs::write(dir.join(TODAY), text).unwrap();
    let sink = FileSink::open(&dir).unwrap();
    let error = Log::open(options(&TestSigner::new(), sink)).unwrap_err().to_string();
    assert!(error.starts_with("audit-2026-11-23.ndjson:3: the last line is no record"), "{error}");
}

#[test]
fn a_file_without_line_ends_is_no_log() {
    let (_home, dir) = home();
    drop(FileSink::open(&dir).unwrap());
    fs::write(dir.join(TODAY), vec![b'x'; 3 * MAX_LINE]).unwrap();
    let error = FileSink::open(&dir).unwrap().tail().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(fs::read(dir.join(TODAY)).unwrap().len(), 3 * MAX_LINE);
    let error = verify(&dir).unwrap_err().to_string();
    assert!(error.contains("more than 1048576 bytes"), "{error}");
}

fn day() -> Day {
    Day::parse("2026-11-23").unwrap()
}

#[test]
fn a_file_that_is_removed_or_replaced_is_noticed_and_made_anew() {
    let (_home, dir) = home();
    let mut sink = FileSink::open(&dir).unwrap();
    sink.append(day(), b"1\n").unwrap();
    fs::remove_file(dir.join(TODAY)).unwrap();
    assert!(sink.append(day(), b"2\n").unwrap_err().to_string().contains("removed or replaced"));
    sink.append(day(), b"2\n").unwrap();
    fs::rename(dir.join(TODAY), dir.join("aside")).unwrap();
    fs::write(dir.join(TODAY), "other\n").unwrap();
    assert!(sink.append(day(), b"3\n").unwrap_err().to_string().contains("removed or replaced"));
    sink.append(day(), b"3\n").unwrap();
    assert_eq!(fs::read_to_string(dir.join(TODAY)).unwrap(), "other\n3\n");
}

#[test]
fn a_file_that_somebody_else_wrote_to_is_noticed_and_left_as_it_is() {
    let (_home, dir) = home();
    let mut sink = FileSink::open(&dir).unwrap();
    sink.append(day(), b"1\n").unwrap();
    fs::write(dir.join(TODAY), "1\nodd").unwrap();
    assert!(sink.append(day(), b"2\n").unwrap_err().to_string().contains("changed by somebody"));
    sink.append(day(), b"2\n").unwrap();
    assert_eq!(fs::read_to_string(dir.join(TODAY)).unwrap(), "1\nodd\n2\n");
}

#[test]
fn a_directory_that_is_removed_is_made_anew_and_locked() {
    let (_home, dir) = home();
    let mut sink = FileSink::open(&dir).unwrap();
    sink.append(day(), b"1\n").unwrap();
    fs::remove_dir_all(&dir).unwrap();
    assert!(sink.append(day(), b"2\n").is_err());
    sink.append(day(), b"2\n").unwrap();
    assert_eq!(fs::read_to_string(dir.join(TODAY)).unwrap(), "2\n");
    assert!(matches!(FileSink::open(&dir), Err(OpenError::Locked { .. })));
}

#[test]
fn a_missing_or_empty_log_verifies_with_nothing_in_it() {
    let (home, dir) = home();
    assert_eq!(verify(&dir).unwrap(), Totals::default());
    fs::write(home.path().join("audit-2026-11-23.ndjson.bak"), "not ours").unwrap();
    assert_eq!(verify(home.path()).unwrap(), Totals::default());
}

#[test]
fn the_directory_is_free_as_soon_as_the_last_handle_is_gone() {
    let (_home, dir) = home();
    for n in 0..50 {
        write(&dir, n..n + 1, MORNING);
    }
    assert_eq!(verify(&dir).unwrap().records, 50);
}
