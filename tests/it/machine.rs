//! What only a real machine can do to the program: kill it at any moment, fill its disk, and turn
//! the disk read-only.

use crate::drive::{House, OPEN_POLICY, PATIENCE, Tasks, ended, example};
use sec0::mcp::{DENIAL_META, TRACE_META};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// The example server, spoken to line by line: nothing stands between a test and its pipes.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// What stands at the start of a session.
const GREETING: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","#,
    r#""capabilities":{},"clientInfo":{"name":"machine","version":"1"}}}"#,
    "\n",
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    "\n",
);

impl Server {
    /// Starts it, and does not wait for anything.
    async fn spawn(house: &House, mode: &str) -> Self {
        Self::spawn_with(house, &["--mode", mode]).await
    }

    async fn spawn_with(house: &House, more: &[&str]) -> Self {
        let mut command = example("server_stdio");
        command.arg("--policy").arg(house.policy()).arg("--dir").arg(house.audit());
        command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // One that does not start reads nothing; it says why on its stderr.
        drop(stdin.write_all(GREETING.as_bytes()).await);
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, stdin, answers }
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn start(house: &House, mode: &str) -> Self {
        Self::start_with(house, &["--mode", mode]).await
    }

    pub(crate) async fn start_with(house: &House, more: &[&str]) -> Self {
        let mut server = Self::spawn_with(house, more).await;
        let greeting = server.answer().await.expect("the server did not start");
        assert_eq!(greeting["result"]["serverInfo"]["name"], "demo");
        server
    }

    /// What it says next; `None` when it has ended.
    pub(crate) async fn answer(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.answers.next_line()).await.unwrap();
        // A kill may cut the last line short.
        line.unwrap().and_then(|line| serde_json::from_str(&line).ok())
    }

    /// Calls a tool. What came back, or what the refusal says.
    async fn call(&mut self) -> Result<Value, Value> {
        self.stdin.write_all(request(1).as_bytes()).await.unwrap();
        let mut answer = self.answer().await.unwrap();
        match answer["result"]["_meta"][DENIAL_META].take() {
            Value::Null => Ok(answer),
            denial => Err(denial),
        }
    }

    /// Closes its stdin, and waits for its end.
    pub(crate) async fn close(self) -> ExitStatus {
        let Self { mut child, stdin, .. } = self;
        drop(stdin);
        ended(&mut child).await
    }
}

fn request(id: u64) -> String {
    let params = json!({ "name": "echo", "arguments": { "text": format!("{id}") } });
    format!("{}\n", json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
}

fn span(answer: &Value) -> Option<String> {
    Some(answer["result"]["_meta"][TRACE_META]["span_id"].as_str()?.to_owned())
}

/// How often the program is killed: 5 times, and 200 times where `SEC0_LONG` is 1.
fn rounds() -> u64 {
    if std::env::var_os("SEC0_LONG").is_some_and(|long| long == "1") { 200 } else { 5 }
}

/// Sends calls as fast as they are taken and kills the server at `moment`: after so many answers,
/// or, for 0, while it starts. The calls that were answered.
async fn kill_under_load(house: &House, mode: &str, moment: usize) -> BTreeSet<String> {
    let Server { mut child, mut stdin, mut answers } = Server::spawn(house, mode).await;
    let mut tasks = Tasks::default();
    tasks.spawn(async move {
        for id in 1.. {
            if stdin.write_all(request(id).as_bytes()).await.is_err() {
                return;
            }
        }
    });
    if moment == 0 {
        for _ in 0..fastrand::u32(..200_000) {
            tokio::task::yield_now().await;
        }
        child.start_kill().unwrap();
    }
    let (mut said, mut acknowledged) = (0, BTreeSet::new());
    while let Some(line) =
        tokio::time::timeout(PATIENCE, answers.next_line()).await.unwrap().unwrap()
    {
        let answer: Value = serde_json::from_str(&line).unwrap_or_default();
        acknowledged.extend(span(&answer));
        said += 1;
        if said == moment {
            child.start_kill().unwrap();
        }
    }
    assert!(!ended(&mut child).await.success());
    tasks.ended().await;
    acknowledged
}

/// The calls that have a record, each once, after the log was verified.
fn recorded(house: &House) -> BTreeSet<String> {
    let mut spans = BTreeSet::new();
    for record in house.records() {
        let span = record["span_id"].as_str().unwrap().to_owned();
        assert!(spans.insert(span), "a second record of one call: {record}");
    }
    spans
}

/// A directory in which the server has run once: its key is made.
async fn with_a_key(mode: &str) -> House {
    let house = House::new(OPEN_POLICY);
    assert!(Server::start(&house, mode).await.close().await.success());
    house
}

/// Kills the server again and again; after each kill the next start works and the log verifies.
/// For each kill: how many calls were answered, and how many of these have no record.
async fn kill_again_and_again(mode: &str) -> Vec<(usize, usize)> {
    let mut seen = Vec::new();
    let mut house = None;
    for round in 0..rounds() {
        // The whole log is read after each kill, so it should not grow for ever.
        let house = match &house {
            Some(house) if round % 10 > 0 => house,
            _ => house.insert(with_a_key(mode).await),
        };
        let moment = if round % 5 == 4 { 0 } else { fastrand::usize(1..400) };
        let acknowledged = kill_under_load(house, mode, moment).await;
        let mut next = Server::start(house, mode).await;
        let after = span(&next.call().await.unwrap()).unwrap();
        assert!(next.close().await.success(), "round {round}, moment {moment}");
        let recorded = recorded(house);
        assert!(recorded.contains(&after), "round {round}, moment {moment}");
        seen.push((acknowledged.len(), acknowledged.difference(&recorded).count()));
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_killed_at_any_moment_starts_again_behind_a_log_that_verifies() {
    let seen = kill_again_and_again("batch").await;
    assert!(seen.iter().any(|(acknowledged, _)| *acknowledged > 0), "{seen:?}");
    // In this mode records wait for the writer: at most the backlog is lost.
    assert!(seen.iter().all(|(_, lost)| *lost <= 4096), "{seen:?}");
    let (acknowledged, lost) =
        seen.iter().fold((0, 0), |all, round| (all.0 + round.0, all.1 + round.1));
    println!("{} kills: {lost} of {acknowledged} answered calls have no record", seen.len());
}

async fn a_kill_takes_no_record(mode: &str) {
    let seen = kill_again_and_again(mode).await;
    assert!(seen.iter().any(|(acknowledged, _)| *acknowledged > 0), "{seen:?}");
    assert!(seen.iter().all(|(_, lost)| *lost == 0), "{seen:?}");
    let acknowledged: usize = seen.iter().map(|(acknowledged, _)| acknowledged).sum();
    println!("{} kills in {mode}: all {acknowledged} answered calls have a record", seen.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kill_takes_the_record_of_a_call_that_was_answered_in_blocking() {
    a_kill_takes_no_record("blocking").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_kill_takes_the_record_of_a_call_that_was_answered_in_blocking_strict() {
    a_kill_takes_no_record("blocking-strict").await;
}

/// A small file system in memory, until it is dropped.
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// Mounts it; says so and gives `None` where this is not possible.
    pub(crate) fn on(place: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let options = format!("size={size},mode=0700");
        let mounted = rustix::process::geteuid().is_root()
            && run("mount", &["-t", "tmpfs", "-o", &options, "sec0-test"], place);
        if !mounted {
            println!("not tested: no file system can be mounted here");
        }
        mounted.then(|| Self(place.to_owned()))
    }

    fn remount(&self, how: &str) -> bool {
        run("mount", &["-o", &format!("remount,{how}")], &self.0)
    }

    /// Takes all the room there is.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut ballast = File::create(&path).unwrap();
        while ballast.write_all(&[b'x'; 4096]).is_ok() {}
        path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        assert!(run("umount", &["--lazy"], &self.0) || std::thread::panicking());
    }
}

fn run(program: &str, arguments: &[&str], place: &Path) -> bool {
    let mut command = std::process::Command::new(program);
    let status = command.args(arguments).arg(place).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Calls until one goes the way that is waited for. All answers, this one too.
async fn call_until(
    server: &mut Server,
    reached: impl Fn(&Result<Value, Value>) -> bool,
) -> Vec<Result<Value, Value>> {
    let mut answers = Vec::new();
    let all = async {
        while !answers.last().is_some_and(&reached) {
            answers.push(server.call().await);
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("it never came");
    answers
}

#[tokio::test]
async fn a_full_disk_refuses_calls_until_it_has_room_and_loses_no_record() {
    fill_and_free("batch", "512k").await;
}

/// With the journal's room taken beforehand, 16 MiB are enough.
#[tokio::test]
async fn a_full_disk_loses_no_record_of_calls_that_wait_for_it_either() {
    fill_and_free("blocking", "16m").await;
    fill_and_free("blocking-strict", "16m").await;
}

async fn fill_and_free(mode: &str, size: &str) {
    let house = House::new(OPEN_POLICY);
    let Some(mount) = Mount::on(&house.audit(), size) else { return };
    let mut server = Server::start(&house, mode).await;
    server.call().await.unwrap();
    let ballast = mount.fill();
    let mut answers = call_until(&mut server, Result::is_err).await;
    for _ in 0..5 {
        let denial = server.call().await.unwrap_err();
        assert_eq!(
            (&denial["code"], &denial["executed"]),
            (&"AUDIT_UNAVAILABLE".into(), &false.into())
        );
        answers.push(Err(denial));
    }
    std::fs::remove_file(ballast).unwrap();
    answers.extend(call_until(&mut server, Result::is_ok).await);
    assert!(server.close().await.success());
    // A call that ran while the fault was noticed has its record in the end, whatever its answer.
    let ran = |answer: &&Result<Value, Value>| match answer {
        Ok(_) => true,
        Err(denial) => denial["executed"] == true,
    };
    let taken = answers.iter().filter(ran).count();
    assert_eq!(recorded(&house).len(), taken + 1);
    let counted = |event: &Value| event["refused_calls"].as_u64().unwrap_or(0);
    let counted: u64 = house.events().iter().map(counted).sum();
    assert_eq!(counted, u64::try_from(answers.len() - taken).unwrap(), "{mode}");
}

#[tokio::test]
async fn a_read_only_disk_is_named_at_the_start_and_harms_nothing() {
    let house = House::new(OPEN_POLICY);
    let Some(mount) = Mount::on(&house.audit(), "512k") else { return };
    let mut server = Server::start(&house, "batch").await;
    server.call().await.unwrap();
    // A file system with a file that is open to be written stays writable.
    assert!(!mount.remount("ro"));
    assert!(server.close().await.success());

    assert!(mount.remount("ro"));
    let mut child = Server::spawn(&house, "batch").await.child;
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
    assert!(!ended(&mut child).await.success());
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(said.contains(house.audit().to_str().unwrap()), "{said}");

    assert!(mount.remount("rw"));
    let mut server = Server::start(&house, "batch").await;
    server.call().await.unwrap();
    assert!(server.close().await.success());
    assert_eq!(recorded(&house).len(), 2);
}
