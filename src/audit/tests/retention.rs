use super::*;
use crate::audit::retention::{Retention, Turn};
use crate::clock::Clock;
use crate::tlog::{Checkpoint, VerifierKey};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// A clock both of whose hands are set by the test.
#[derive(Debug)]
struct Hands {
    start: Instant,
    wall: AtomicI64,
    ran: AtomicI64,
}

impl Hands {
    /// At the morning of the `n`th day.
    fn on_day(n: i64) -> Arc<Self> {
        let wall = AtomicI64::new(MORNING + n * DAY);
        Arc::new(Self { start: System.monotonic(), wall, ran: AtomicI64::new(0) })
    }

    /// Time goes by.
    fn run(&self, millis: i64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
        self.ran.fetch_add(millis, Ordering::SeqCst);
    }

    /// Somebody sets the clock.
    fn step(&self, millis: i64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Instant {
        let ran = u64::try_from(self.ran.load(Ordering::SeqCst)).unwrap();
        self.start + Duration::from_millis(ran)
    }
}

fn name(n: i64) -> String {
    day(n).file_name()
}

fn day(n: i64) -> Day {
    Day::of(Timestamp::from_millis(MORNING + n * DAY))
}

/// A log with three records on each of these days.
fn write(dir: &Path, signer: &Arc<TestSigner>, days: std::ops::Range<i64>) {
    let options = options(signer, FileSink::open(dir).unwrap());
    let log = Log::open(options.former_key(TestSigner::from_seed(8).public_key())).unwrap();
    for n in days {
        (0..3).for_each(|_| push(&log, facts_at(0, MORNING + n * DAY)));
    }
}

fn retention(dir: &Path, days: u32, clock: &Hands) -> Retention {
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk::open(dir, &Stream::default()).unwrap());
    let keys = vec![TestSigner::new().public_key()];
    Retention::new(&(disk, Stream::default()), "acme", keys, days, clock)
}

/// Lets it work until it rests, and says which days it recorded.
fn work(retention: &mut Retention, clock: &Hands, dir: &Path) -> Vec<Day> {
    work_and(retention, clock, &|| assert!(verify(dir).files > 0))
}

/// The same, with a look at the directory after each turn.
fn work_and(retention: &mut Retention, clock: &Hands, look: &dyn Fn()) -> Vec<Day> {
    let mut days = Vec::new();
    for _ in 0..1000 {
        match retention.turn(clock) {
            Turn::Rest => return days,
            Turn::Again => {}
            Turn::Record(expired) => {
                days.push(expired.day);
                retention.recorded(expired.day);
            }
        }
        look();
    }
    panic!("it does not come to rest");
}

fn verify(dir: &Path) -> Totals {
    verify_dir(dir, &[TestSigner::new().public_key()]).unwrap()
}

fn left(dir: &Path, days: std::ops::Range<i64>) -> Vec<i64> {
    days.filter(|n| dir.join(name(*n)).exists()).collect()
}

#[tokio::test]
async fn old_days_are_removed_from_the_oldest_on_and_the_log_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let signer = TestSigner::new();
    write(dir.path(), &signer, 0..5);
    let options = options(&signer, FileSink::open(dir.path()).unwrap());
    let log = Log::open(options.clock(Hands::on_day(4)).retain_days(2)).unwrap();
    faults::until(|| left(dir.path(), 0..5) == [2, 3, 4]).await;
    push(&log, facts_at(0, MORNING + 4 * DAY));
    log.shutdown(LONG).await.unwrap();
    let totals = verify(dir.path());
    assert_eq!((totals.first_seq, totals.records, totals.events), (Some(6), 10, 2));
    let lines = fs::read_to_string(dir.path().join(name(4))).unwrap();
    let lines: Vec<_> = lines.lines().map(str::to_owned).collect();
    let key = VerifierKey::new("sec0-audit/acme", signer.public_key()).unwrap();
    for (n, event) in events(&lines, "retention").iter().enumerate() {
        let n = i64::try_from(n).unwrap();
        let note = fs::read(dir.path().join(format!("checkpoints/{}", day(n)))).unwrap();
        let root = Checkpoint::open(&note, &key).unwrap().root().to_string();
        assert_eq!(event["day"], day(n).to_string());
        assert_eq!((&event["lines"], &event["last_seq"]), (&3.into(), &(n * 3 + 2).into()));
        assert_eq!((&event["root_sha256"], &event["status"]), (&root.into(), &"ok".into()));
    }
}

#[test]
fn a_log_whose_old_days_are_gone_goes_on_also_without_its_newest_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &TestSigner::new(), 0..5);
    let clock = Hands::on_day(4);
    assert_eq!(work(&mut retention(dir.path(), 2, &clock), &clock, dir.path()), [day(0), day(1)]);
    write(dir.path(), &TestSigner::new(), 4..5);
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    write(dir.path(), &TestSigner::new(), 4..6);
    assert_eq!(verify(dir.path()).last_seq, Some(23));
    fs::remove_file(dir.path().join("checkpoint")).unwrap();
    fs::remove_dir_all(dir.path().join("checkpoints")).unwrap();
    let sink = FileSink::open(dir.path()).unwrap();
    let error = Log::open(options(&TestSigner::new(), sink)).unwrap_err();
    assert!(matches!(error, OpenError::Gap { seq: 0 }), "{error}");
}

#[test]
fn a_day_without_a_checkpoint_of_ours_stays_and_so_do_all_after_it() {
    let other = TestSigner::from_seed(8);
    let damages: [&dyn Fn(&Path); 4] = [
        &|note| fs::remove_file(note).unwrap(),
        &|note| fs::write(note, "no note").unwrap(),
        &|note| {
            let elsewhere = tempfile::tempdir().unwrap();
            write(elsewhere.path(), &other, 0..3);
            fs::copy(elsewhere.path().join(format!("checkpoints/{}", day(1))), note).unwrap();
        },
        // One of ours, and of another day.
        &|note| {
            fs::copy(note.with_file_name(day(2).to_string()), note).unwrap();
        },
    ];
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &TestSigner::new(), 0..5);
        damage(&dir.path().join(format!("checkpoints/{}", day(1))));
        let clock = Hands::on_day(4);
        let mut retention = retention(dir.path(), 0, &clock);
        // Such a log does not verify, before and after.
        assert_eq!(work_and(&mut retention, &clock, &|| {}), [day(0)]);
        assert_eq!(left(dir.path(), 0..5), [1, 2, 3, 4]);
    }
}

#[test]
fn a_day_closed_under_a_former_key_goes_when_that_key_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (TestSigner::from_seed(8), TestSigner::new());
    write(dir.path(), &old, 0..3);
    write(dir.path(), &new, 3..4);
    let clock = Hands::on_day(3);
    let mut retention = retention(dir.path(), 0, &clock);
    assert!(matches!(retention.turn(&*clock), Turn::Rest));
    retention.learn(old.public_key());
    assert!(matches!(retention.turn(&*clock), Turn::Rest), "a fault is not tried again at once");
    clock.run(3_600_000);
    assert!(matches!(retention.turn(&*clock), Turn::Record(_)));
}

#[test]
fn the_file_of_the_newest_line_stays_whatever_its_age() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &TestSigner::new(), 0..1);
    fs::write(dir.path().join(name(7)), "").unwrap();
    let clock = Hands::on_day(1000);
    let mut retention = retention(dir.path(), 0, &clock);
    assert!(work(&mut retention, &clock, dir.path()).is_empty());
    assert_eq!(left(dir.path(), 0..8), [0, 7]);
}

#[test]
fn a_clock_that_is_stepped_empties_nothing_and_one_that_runs_does() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &TestSigner::new(), 0..3);
    let clock = Hands::on_day(2);
    let mut retention = retention(dir.path(), 2, &clock);
    clock.step(1000 * DAY);
    assert!(work(&mut retention, &clock, dir.path()).is_empty());
    clock.step(-2000 * DAY);
    assert!(work(&mut retention, &clock, dir.path()).is_empty());
    clock.step(1000 * DAY);
    assert_eq!(left(dir.path(), 0..3), [0, 1, 2]);
    clock.run(DAY);
    assert_eq!(work(&mut retention, &clock, dir.path()), [day(0)]);
    clock.run(DAY);
    assert_eq!(work(&mut retention, &clock, dir.path()), [day(1)]);
    clock.run(DAY);
    assert!(work(&mut retention, &clock, dir.path()).is_empty());
}

/// Puts copies and payloads of a day beside its lines, and gives their names.
fn beside(dir: &Path, n: i64) -> Vec<String> {
    let agents = (0..9).map(|at| format!("agents/node-{}/{}/run-{at}.ndjson", at % 3, day(n)));
    let files: Vec<_> = agents.chain([format!("raw/raw-{}.ndjson", day(n))]).collect();
    for file in &files {
        fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
        fs::write(dir.join(file), "{}\n").unwrap();
    }
    files
}

#[test]
fn copies_and_payloads_of_a_day_go_with_it_also_after_a_crash_at_any_turn() {
    for crash in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &TestSigner::new(), 0..3);
        let (gone, kept) = (beside(dir.path(), 0), beside(dir.path(), 1));
        let clock = Hands::on_day(2);
        let mut first = retention(dir.path(), 1, &clock);
        for _ in 0..crash {
            if let Turn::Record(expired) = first.turn(&*clock) {
                first.recorded(expired.day);
            }
        }
        drop(first);
        work(&mut retention(dir.path(), 1, &clock), &clock, dir.path());
        assert_eq!(left(dir.path(), 0..3), [1, 2]);
        assert!(gone.iter().all(|file| !dir.path().join(file).exists()), "{crash}");
        assert!(kept.iter().all(|file| dir.path().join(file).exists()), "{crash}");
        assert!(!dir.path().join(format!("agents/node-0/{}", day(0))).exists());
    }
}

#[test]
fn what_stands_in_the_place_of_a_copys_folder_is_left_alone() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(dir.path(), &TestSigner::new(), 0..3);
    beside(dir.path(), 0);
    let theirs = elsewhere.path().join(day(0).to_string());
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("run.ndjson"), "theirs").unwrap();
    symlink(elsewhere.path(), dir.path().join("agents/linked")).unwrap();
    symlink(&theirs, dir.path().join(format!("agents/node-0/{}", day(1)))).unwrap();
    fs::write(dir.path().join("agents/plain"), "").unwrap();
    let clock = Hands::on_day(2);
    work(&mut retention(dir.path(), 0, &clock), &clock, dir.path());
    assert_eq!(left(dir.path(), 0..3), [2]);
    assert_eq!(fs::read_to_string(theirs.join("run.ndjson")).unwrap(), "theirs");
}

#[tokio::test]
async fn a_journal_that_still_has_calls_of_a_removed_day_brings_none_of_them_back() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, aside) = (dir.path().join("journal"), dir.path().join("aside"));
    let log = || {
        let sink = FileSink::open(dir.path()).unwrap();
        Log::open(options(&TestSigner::new(), sink).journal()).unwrap()
    };
    let first = log();
    for (n, day) in [(7, 0), (8, 2)] {
        let mut facts = facts_at(n, MORNING + day * DAY);
        first.intend(&mut facts).unwrap().wait().await.unwrap();
        if day == 0 {
            push(&first, facts);
        }
    }
    fs::create_dir(&aside).unwrap();
    for entry in fs::read_dir(&journal).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), aside.join(entry.file_name())).unwrap();
    }
    first.shutdown(LONG).await.unwrap();
    fs::remove_dir_all(&journal).unwrap();
    write(dir.path(), &TestSigner::new(), 1..4);
    let clock = Hands::on_day(3);
    work(&mut retention(dir.path(), 1, &clock), &clock, dir.path());
    assert_eq!(left(dir.path(), 0..4), [2, 3]);
    fs::rename(&aside, &journal).unwrap();
    log().shutdown(LONG).await.unwrap();
    let lines = fs::read_to_string(dir.path().join(name(3))).unwrap();
    let revived = lines.lines().map(json).filter(|line| line["recovered"] == true);
    assert_eq!(revived.map(|line| line["idempotency_key"].clone()).collect::<Vec<_>>(), ["8"]);
}
