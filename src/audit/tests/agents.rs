use super::*;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

/// A disk on which whatever begins with a certain name has no room.
#[derive(Debug)]
struct Partly {
    disk: LocalDisk,
    full: Switch,
}

#[derive(Debug)]
struct PartlyFile(Box<dyn DiskFile>, String, Switch);

/// The beginning of names for which there is no room.
pub(in crate::audit) type Switch = Arc<Mutex<Option<&'static str>>>;

fn room(switch: &Switch, name: &str) -> io::Result<()> {
    match *switch.lock() {
        Some(full) if name.starts_with(full) => Err(io::ErrorKind::StorageFull.into()),
        Some(_) | None => Ok(()),
    }
}

/// A log's files, and what of them finds no room.
pub(in crate::audit) fn partly(dir: &Path, full: Option<&'static str>) -> (FileSink, Switch) {
    let switch = Arc::new(Mutex::new(full));
    let disk = LocalDisk::open(dir, &Stream::default()).unwrap();
    let disk = Partly { disk, full: Arc::clone(&switch) };
    (FileSink::on(Arc::new(disk), Stream::default()), switch)
}

impl Disk for Partly {
    fn place(&self) -> String {
        self.disk.place()
    }

    fn open(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open(name, create)?;
        Ok(Box::new(PartlyFile(file, name.to_owned(), Arc::clone(&self.full))))
    }

    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.names(folder)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.disk.replace(name, bytes)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
}

impl DiskFile for PartlyFile {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        room(&self.2, &self.1)?;
        self.0.write_at(bytes, offset)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.0.set_length(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn is_in_place(&self) -> io::Result<bool> {
        self.0.is_in_place()
    }
}

fn log(sink: impl AuditSink + 'static, files: usize) -> Log {
    Log::open(options(&TestSigner::new(), sink).agent_copies(files)).unwrap()
}

/// The record of a call of this agent in this run.
fn of_agent(n: u64, millis: i64, node: &str, run: &str) -> Box<Facts> {
    let mut facts = facts_at(n, millis);
    facts.claimed.node_id = Some(node.into());
    facts.claimed.agent_ref = Some(run.into());
    facts
}

/// All lines of the log in `dir`, each with its end.
fn lines(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut days: Vec<_> =
        names.filter(|path| path.to_str().unwrap().contains("/audit-")).collect();
    days.sort();
    let text: String = days.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

fn copy(dir: &Path, name: &str) -> Option<String> {
    fs::read_to_string(dir.join("agents").join(name)).ok()
}

#[tokio::test]
async fn a_copy_has_the_exact_lines_of_its_agent_however_many_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(FileSink::open(dir.path()).unwrap(), 1000);
    for n in 0..200 {
        let run = format!("run:{}", n % 20);
        let node = if n % 2 == 0 { "even" } else { "odd" };
        let millis = MORNING + if n < 100 { 0 } else { DAY };
        push(&log, of_agent(n, millis, node, &run));
    }
    push(&log, facts(0));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(log.left_out(), LeftOut::default());
    let mut expected = BTreeMap::<String, String>::new();
    for line in lines(dir.path()) {
        let read = json(&line);
        let (Some(node), Some(run)) = (read["nodeId"].as_str(), read["agentRef"].as_str()) else {
            continue;
        };
        let day = if json(&line)["idempotency_key"].as_str().unwrap().parse::<u64>().unwrap() < 100
        {
            "2026-11-23"
        } else {
            "2026-11-24"
        };
        expected.entry(format!("{node}/{day}/{run}.ndjson")).or_default().push_str(&line);
    }
    assert_eq!(expected.len(), 40);
    for (name, text) in expected {
        assert_eq!(copy(dir.path(), &name), Some(text), "{name}");
        let path = dir.path().join("agents").join(&name);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let folder = path.parent().unwrap();
        assert_eq!((mode(&path), mode(folder)), (0o600, 0o700));
        assert_eq!(mode(folder.parent().unwrap()), 0o700);
    }
}

#[tokio::test]
async fn a_name_that_is_no_files_keeps_its_line_and_gets_no_copy() {
    let dir = tempfile::tempdir().unwrap();
    let log = log(FileSink::open(dir.path()).unwrap(), 1000);
    let (longest, too_long) = ("n".repeat(200), "n".repeat(201));
    let bad = ["", ".", "..", "a/b", "/", ".hidden", "a\nb", "a\0b", "a\\b", "run@w1", &too_long];
    for (n, name) in bad.into_iter().enumerate() {
        let n = u64::try_from(n).unwrap();
        push(&log, of_agent(n, MORNING, name, "run"));
        push(&log, of_agent(n, MORNING, "node", name));
    }
    push(&log, of_agent(99, MORNING, "node", &longest));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(log.left_out().copies, 22);
    assert_eq!(lines(dir.path()).len(), 23);
    let found: Vec<_> = fs::read_dir(dir.path().join("agents")).unwrap().collect();
    assert_eq!(found.len(), 1);
    assert_eq!(fs::read_dir(dir.path().join("agents/node/2026-11-23")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_day_gets_so_many_files_and_no_more_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for start in 0..2 {
        let log = log(FileSink::open(dir.path()).unwrap(), 3);
        for n in 0..5 {
            push(&log, of_agent(n, MORNING, "node", &format!("run-{start}-{n}")));
        }
        push(&log, of_agent(9, MORNING, "node", "run-0-1"));
        log.shutdown(LONG).await.unwrap();
        assert_eq!(log.left_out().copies, if start == 0 { 2 } else { 5 });
    }
    let copies = fs::read_dir(dir.path().join("agents/node/2026-11-23")).unwrap();
    assert_eq!(copies.count(), 3);
    assert_eq!(copy(dir.path(), "node/2026-11-23/run-0-1.ndjson").unwrap().lines().count(), 3);
    let log = log(FileSink::open(dir.path()).unwrap(), 3);
    push(&log, of_agent(9, MORNING + DAY, "node", "run-x"));
    log.shutdown(LONG).await.unwrap();
    assert!(copy(dir.path(), "node/2026-11-24/run-x.ndjson").is_some());
}

#[tokio::test]
async fn a_disk_without_room_for_copies_refuses_no_call_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (sink, full) = partly(dir.path(), Some("agents/"));
    let log = log(sink, 1000);
    (0..5).for_each(|n| push(&log, of_agent(n, MORNING, "node", "run")));
    faults::until(|| log.left_out().copies == 5).await;
    assert_eq!(log.health(), Health::Working);
    *full.lock() = None;
    (5..8).for_each(|n| push(&log, of_agent(n, MORNING, "node", "run")));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(log.left_out().copies, 5);
    let all = lines(dir.path());
    assert_eq!(all.len(), 8);
    assert_eq!(copy(dir.path(), "node/2026-11-23/run.ndjson").unwrap(), all[5..].concat());
}

#[tokio::test]
async fn there_is_no_copy_of_a_line_that_the_log_has_not() {
    let dir = tempfile::tempdir().unwrap();
    let (sink, full) = partly(dir.path(), Some("audit-"));
    let log = log(sink, 1000);
    push(&log, of_agent(0, MORNING, "node", "run"));
    faults::until(|| log.health() == Health::Unavailable).await;
    assert!(!dir.path().join("agents").exists());
    *full.lock() = None;
    log.shutdown(LONG).await.unwrap();
    assert_eq!(copy(dir.path(), "node/2026-11-23/run.ndjson").unwrap(), lines(dir.path()).concat());
}

#[tokio::test]
async fn a_link_in_the_place_of_an_agents_folder_is_not_followed() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(dir.path().join("agents")).unwrap();
    symlink(elsewhere.path(), dir.path().join("agents/linked")).unwrap();
    fs::create_dir_all(dir.path().join("agents/node/2026-11-23")).unwrap();
    let theirs = elsewhere.path().join("theirs");
    fs::write(&theirs, "theirs\n").unwrap();
    symlink(&theirs, dir.path().join("agents/node/2026-11-23/run.ndjson")).unwrap();
    let log = log(FileSink::open(dir.path()).unwrap(), 1000);
    push(&log, of_agent(0, MORNING, "linked", "run"));
    push(&log, of_agent(1, MORNING, "node", "run"));
    push(&log, of_agent(2, MORNING, "node", "other"));
    log.shutdown(LONG).await.unwrap();
    assert_eq!((log.left_out().copies, lines(dir.path()).len()), (2, 3));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(theirs).unwrap(), "theirs\n");
    assert!(copy(dir.path(), "node/2026-11-23/other.ndjson").is_some());
}

#[tokio::test]
async fn a_copy_that_a_crash_left_torn_goes_on_with_a_whole_line() {
    let dir = tempfile::tempdir().unwrap();
    let write = async |n| {
        let log = log(FileSink::open(dir.path()).unwrap(), 1000);
        push(&log, of_agent(n, MORNING, "node", "run"));
        log.shutdown(LONG).await.unwrap();
    };
    write(0).await;
    let path = dir.path().join("agents/node/2026-11-23/run.ndjson");
    let text = fs::read_to_string(&path).unwrap();
    // More than the next line will have.
    fs::write(&path, format!("{text}{}", "{\"actor\":".repeat(1000))).unwrap();
    write(1).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), lines(dir.path()).concat());
}

#[tokio::test]
async fn two_writers_of_a_directory_have_copies_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    for writer in [Stream::default(), Stream::of_writer("w1").unwrap()] {
        let log = log(FileSink::open_stream(dir.path(), writer).unwrap(), 1000);
        push(&log, of_agent(0, MORNING, "node", "run"));
        log.shutdown(LONG).await.unwrap();
    }
    for name in ["run.ndjson", "run@w1.ndjson"] {
        let copy = copy(dir.path(), &format!("node/2026-11-23/{name}")).unwrap();
        assert_eq!(copy.lines().count(), 1, "{name}");
    }
}
