//! What calls may rely on in each audit mode, with a disk that fails and hangs when it is told to.

use crate::faults::{Fault, FaultySink};
use crate::support::{
    Answer, Rules, Runs, Site, ask, demo, denial, eventually, is_fine, key, soon, text, tool,
};
use parking_lot::{Condvar, Mutex};
use rmcp::ServerHandler;
use rmcp::model::ToolAnnotations;
use sec0::audit::{AuditSink, Day, Disk, DiskFile, MemorySink, Stream, Tail, verify_dir};
use sec0::call::AuditMode;
use sec0::{Sec0Options, Sec0SecurityLayer};
use serde_json::json;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A sink in memory whose journal is made to fail or to hang, while its lines are not.
#[derive(Debug, Clone)]
struct Rig {
    sink: MemorySink,
    mood: Arc<Mood>,
}

#[derive(Debug, Default)]
struct Mood {
    state: Mutex<State>,
    changed: Condvar,
    syncs: AtomicU64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Works,
    Fails,
    Hangs,
}

impl Rig {
    fn new(site: &Site) -> Self {
        Self { sink: site.sink.clone(), mood: Arc::default() }
    }

    fn turn(&self, state: State) {
        *self.mood.state.lock() = state;
        self.mood.changed.notify_all();
    }

    fn syncs(&self) -> u64 {
        self.mood.syncs.load(Ordering::SeqCst)
    }
}

impl Mood {
    /// Waits while it hangs; an error while it fails.
    fn pass(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.lock();
        self.changed.wait_while(&mut state, |state| *state == State::Hangs);
        if *state == State::Fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl AuditSink for Rig {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        self.sink.tail()
    }

    fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()> {
        self.sink.append(day, lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sink.sync()
    }

    fn disk(&self) -> Option<(Arc<dyn Disk>, Stream)> {
        let (disk, stream) = self.sink.disk()?;
        Some((Arc::new(RigDisk { disk, mood: Arc::clone(&self.mood) }), stream))
    }
}

#[derive(Debug)]
struct RigDisk {
    disk: Arc<dyn Disk>,
    mood: Arc<Mood>,
}

impl Disk for RigDisk {
    fn place(&self) -> String {
        self.disk.place()
    }

    fn open(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = self.disk.open(name, create)?;
        Ok(if name.starts_with("journal/") {
            Box::new(RigFile { file, mood: Arc::clone(&self.mood) })
        } else {
            file
        })
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

#[derive(Debug)]
struct RigFile {
    file: Box<dyn DiskFile>,
    mood: Arc<Mood>,
}

impl DiskFile for RigFile {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(bytes, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.file.set_length(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.mood.pass()?;
        self.file.sync()
    }

    fn is_in_place(&self) -> io::Result<bool> {
        self.file.is_in_place()
    }
}

/// A server with a tool that reads and one that writes.
fn server(layer: &Sec0SecurityLayer, runs: &Runs) -> impl ServerHandler + use<> {
    let mut look = tool("look", Some("1.0"));
    look.annotations = Some(ToolAnnotations::new().read_only(true));
    demo()
        .tool(look, runs.handler())
        .tool(tool("write_it", Some("1.0")), runs.handler())
        .layer(layer.clone())
}

fn options(site: &Site, rig: &Rig) -> Sec0Options {
    site.options(&Rules::enforce()).audit_sink(rig.clone())
}

fn layer(options: Sec0Options) -> Sec0SecurityLayer {
    Sec0SecurityLayer::try_new(options).unwrap()
}

fn is_unavailable(answer: &Answer, executed: bool) {
    let denial = denial(answer);
    assert_eq!(denial["code"], "AUDIT_UNAVAILABLE");
    assert_eq!(denial["reason"], "missing_audit_signature");
    assert_eq!((&denial["executed"], &denial["retryable"]), (&json!(executed), &json!(!executed)));
    assert_eq!(text(answer).contains("refused"), !executed, "{}", text(answer));
}

#[tokio::test]
async fn by_default_writes_wait_for_the_disk_and_reads_do_not() {
    let site = Site::default();
    let (rig, runs) = (Rig::new(&site), Runs::default());
    let layer = layer(options(&site, &rig));
    let server = server(&layer, &runs);
    assert!(is_fine(&ask(&server, "look", json!({})).await));
    assert_eq!(rig.syncs(), 0);
    assert!(is_fine(&ask(&server, "write_it", json!({})).await));
    // The segment when it was made, and the intent.
    assert_eq!(rig.syncs(), 2);
    let lines = site.close(&layer).await;
    assert_eq!((lines.calls.len(), runs.get()), (2, 2));
}

#[tokio::test]
async fn strict_waits_for_intent_and_outcome_also_of_a_call_that_is_refused() {
    let site = Site::default();
    let (rig, runs) = (Rig::new(&site), Runs::default());
    let rules = Rules::enforce().allow(&["mcp://demo/write_it"]);
    let options = site.options(&rules).audit_sink(rig.clone());
    let layer = layer(options.audit_mode(AuditMode::BlockingStrict));
    let server = server(&layer, &runs);
    assert!(is_fine(&ask(&server, "write_it", json!({})).await));
    assert_eq!(rig.syncs(), 3);
    assert_eq!(denial(&ask(&server, "look", json!({})).await)["code"], "POLICY_DENIED");
    assert_eq!((rig.syncs(), runs.get()), (4, 1));
    site.close(&layer).await;
}

#[tokio::test]
async fn a_call_whose_intent_cannot_be_made_durable_never_runs_and_is_recorded() {
    for mode in [AuditMode::Blocking, AuditMode::BlockingStrict] {
        let site = Site::default();
        let (rig, runs) = (Rig::new(&site), Runs::default());
        let layer = layer(options(&site, &rig).audit_mode(mode));
        let server = server(&layer, &runs);
        assert!(is_fine(&ask(&server, "write_it", json!({})).await));
        rig.turn(State::Fails);
        for _ in 0..3 {
            is_unavailable(&ask(&server, "write_it", json!({})).await, false);
        }
        assert_eq!(runs.get(), 1);
        rig.turn(State::Works);
        eventually(async || is_fine(&ask(&server, "write_it", json!({})).await)).await;
        let lines = site.close(&layer).await;
        let denied = lines.calls.iter().filter(|call| call["status"] == "denied");
        let denied = denied.inspect(|call| {
            assert_eq!(call["policy"]["reason"], "missing_audit_signature");
            assert_eq!(call["executed"], false);
        });
        // Those that tried before the disk was asked again, too.
        assert_eq!(denied.count(), lines.calls.len() - runs.get());
        assert!(lines.calls.len() >= 5);
    }
}

#[tokio::test]
async fn reads_in_batch_go_on_while_the_journal_fails() {
    let site = Site::default();
    let (rig, runs) = (Rig::new(&site), Runs::default());
    let layer = layer(options(&site, &rig));
    let server = server(&layer, &runs);
    rig.turn(State::Fails);
    is_unavailable(&ask(&server, "write_it", json!({})).await, false);
    assert!(is_fine(&ask(&server, "look", json!({})).await));
    site.close(&layer).await;
}

#[tokio::test]
async fn a_disk_that_hangs_refuses_after_the_deadline_and_at_once_after_that() {
    let site = Site::default();
    let (rig, runs) = (Rig::new(&site), Runs::default());
    let layer = layer(options(&site, &rig).durable_within(Duration::from_millis(200)));
    let server = server(&layer, &runs);
    eventually(async || is_fine(&ask(&server, "write_it", json!({})).await)).await;
    let before = runs.get();
    rig.turn(State::Hangs);
    for _ in 0..3 {
        is_unavailable(&soon(ask(&server, "write_it", json!({}))).await, false);
    }
    assert!(is_fine(&ask(&server, "look", json!({})).await), "reads need no journal");
    assert_eq!(runs.get(), before + 1);
    rig.turn(State::Works);
    eventually(async || is_fine(&ask(&server, "write_it", json!({})).await)).await;
    let lines = site.close(&layer).await;
    let ok = lines.calls.iter().filter(|call| call["status"] == "ok").count();
    assert_eq!(ok, runs.get());
}

#[tokio::test]
async fn an_outcome_that_cannot_be_made_durable_says_that_the_tool_ran() {
    let site = Site::default();
    let (rig, runs) = (Rig::new(&site), Runs::default());
    let strict = options(&site, &rig).audit_mode(AuditMode::BlockingStrict);
    let layer = layer(strict.durable_within(Duration::from_secs(5)));
    let breaks = rig.clone();
    let server = demo()
        .tool(tool("write_it", Some("1.0")), {
            let runs = runs.clone();
            move |call| {
                breaks.turn(State::Fails);
                runs.handler()(call)
            }
        })
        .layer(layer.clone());
    is_unavailable(&ask(&server, "write_it", json!({})).await, true);
    rig.turn(State::Works);
    let lines = site.close(&layer).await;
    // It is recorded as what it was.
    assert_eq!((&lines.only()["status"], &lines.only()["executed"]), (&json!("ok"), &json!(true)));
}

#[tokio::test]
async fn going_on_without_records_runs_counts_and_says_so() {
    let (site, fault) = (Site::default(), Fault::none());
    let sink = FaultySink { inner: site.sink.clone(), fault: fault.clone() };
    let options = site.options(&Rules::enforce()).audit_sink(sink).run_unrecorded();
    let (layer, runs) = (layer(options), Runs::default());
    let server = server(&layer, &runs);
    fault.begin(io::ErrorKind::StorageFull);
    assert!(is_fine(&ask(&server, "write_it", json!({})).await));
    fault.known().await;
    for _ in 0..3 {
        assert!(is_fine(&ask(&server, "write_it", json!({})).await));
    }
    fault.end();
    let lines = site.close(&layer).await;
    let unrecorded: u64 = lines
        .events_of("recovery")
        .iter()
        .map(|event| event["unrecorded_calls"].as_u64().unwrap())
        .sum();
    assert_eq!(unrecorded + u64::try_from(lines.calls.len()).unwrap(), 4);
    assert!(unrecorded >= 2, "{unrecorded}");
    assert_eq!(runs.get(), 4);
}

#[tokio::test]
async fn a_real_directory_holds_nothing_but_the_log_after_a_clean_end() {
    let home = tempfile::tempdir().unwrap();
    let options = Sec0Options::new(Rules::enforce().policy()).signer(key()).audit_dir(home.path());
    let (layer, runs) = (layer(options.audit_mode(AuditMode::BlockingStrict)), Runs::default());
    let server = server(&layer, &runs);
    for _ in 0..10 {
        assert!(is_fine(&ask(&server, "write_it", json!({})).await));
    }
    layer.try_shutdown().await.unwrap();
    let totals = verify_dir(home.path(), &[sec0::Signer::public_key(&key())]).unwrap();
    assert_eq!((totals.records, totals.by_status["ok"]), (10, 10));
    let left = std::fs::read_dir(home.path().join("journal")).unwrap().count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn two_programs_with_a_writer_id_each_share_a_directory() {
    let home = tempfile::tempdir().unwrap();
    let open = |stream: Option<&str>| {
        let options = Sec0Options::new(Rules::enforce().policy()).signer(key());
        let options = options.audit_dir(home.path());
        match stream {
            Some(id) => options.writer_id(Stream::of_writer(id).unwrap()),
            None => options,
        }
    };
    let runs = Runs::default();
    let layers: Vec<_> =
        [None, Some("w1"), Some("w2")].into_iter().map(|id| layer(open(id))).collect();
    assert!(Sec0SecurityLayer::try_new(open(Some("w1"))).is_err(), "one process for each id");
    for layer in &layers {
        let server = server(layer, &runs);
        assert!(is_fine(&ask(&server, "write_it", json!({})).await));
        layer.try_shutdown().await.unwrap();
    }
    let totals = verify_dir(home.path(), &[sec0::Signer::public_key(&key())]).unwrap();
    assert_eq!((totals.streams, totals.records), (3, 3));
}
