//! The example programs, driven as a client drives them: over the pipes of a child, and over HTTP.

use crate::drive::{
    Client, DEMO_POLICY, Era, House, PATIENCE, Said, Tasks, call, ended, example, outcomes, tap,
};
use crate::transport::{TOUR, cancel_slow, owned, tour, tour_and_cancelled};
use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest, object};
use rmcp::service::{PeerRequestOptions, RoleClient, Service};
use sec0::AuditMode;
use sec0::approval::Evidence;
use sec0::audit::Verifier;
use sec0::canonical::{Limits, fingerprint};
use sec0::sign::read_digest_key_in;
use sec0::store::sqlite::{ApprovalDesk, Which};
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

/// A tap on the stdio of one of the example servers, with a client of `era`.
pub(crate) struct StdioProgram<C: Service<RoleClient> = ()> {
    child: Child,
    pub(crate) client: Client<C>,
    said: Said,
    tasks: Tasks,
}

impl StdioProgram {
    async fn start(era: Era, arguments: &[impl AsRef<OsStr>], key_dirs: Option<&Path>) -> Self {
        Self::start_with(era, (), arguments, key_dirs).await
    }

    async fn layered(era: Era, house: &House) -> Self {
        Self::start(era, &arguments(house), None).await
    }

    async fn bare(era: Era) -> Self {
        Self::start(era, &["--bare"], None).await
    }
}

impl<C: Service<RoleClient>> StdioProgram<C> {
    pub(crate) async fn start_with(
        era: Era,
        client: C,
        arguments: &[impl AsRef<OsStr>],
        key_dirs: Option<&Path>,
    ) -> Self {
        let mut command = example("server_stdio");
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(dirs) = key_dirs {
            command.env("SEC0_SIGNER_KEY_DIRS", dirs);
        }
        // A panicking tool writes to stderr, which is not what is tested here.
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut tasks = Tasks::default();
        let (reader, said) = tap(&mut tasks, child.stdout.take().unwrap());
        let client = era.connect(client, (reader, child.stdin.take().unwrap())).await;
        Self { child, client, said, tasks }
    }

    /// Closes the server's stdin, and nothing else.
    pub(crate) async fn close(mut self) -> ExitStatus {
        self.client.cancel().await.unwrap();
        let status = ended(&mut self.child).await;
        self.tasks.ended().await;
        status
    }

    /// Ends the server without a word.
    pub(crate) async fn kill(mut self) {
        self.child.start_kill().unwrap();
        ended(&mut self.child).await;
    }
}

pub(crate) fn arguments(house: &House) -> [OsString; 4] {
    ["--policy".into(), house.policy().into(), "--dir".into(), house.audit().into()]
}

/// One of the example servers on streamable HTTP.
pub(crate) struct HttpProgram {
    child: Child,
    pub(crate) url: String,
}

impl HttpProgram {
    pub(crate) async fn start(arguments: &[impl AsRef<OsStr>]) -> Self {
        let mut command = example("server_http");
        command.args(["--addr", "127.0.0.1:0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let url = first.expect("the first line on stdout is the URL");
        assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/mcp"), "{url}");
        Self { child, url }
    }

    /// Asks it to end as a service manager does.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        ended(&mut self.child).await
    }

    /// Ends it without a word.
    pub(crate) async fn kill(mut self) {
        self.child.start_kill().unwrap();
        ended(&mut self.child).await;
    }
}

async fn stdio_tour(era: Era) {
    let house = House::new(DEMO_POLICY);
    let server = StdioProgram::layered(era, &house).await;
    tour(&server.client, &house).await;
    cancel_slow(&server.client).await;
    assert!(server.close().await.success());
    assert_eq!(outcomes(&house.records()), tour_and_cancelled());
    for record in house.records() {
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(record["principal"], format!("local:{uid}"));
    }
}

#[tokio::test]
async fn stdio_program_serves_a_client_with_a_session_and_records_every_call() {
    stdio_tour(Era::Sessions).await;
}

#[tokio::test]
async fn stdio_program_serves_a_stateless_client_and_records_every_call() {
    stdio_tour(Era::Stateless).await;
}

async fn http_tour(era: Era) {
    let house = House::new(DEMO_POLICY);
    let server = HttpProgram::start(&arguments(&house)).await;
    let client = era.connect_http(&server.url, &[]).await;
    tour(&client, &house).await;
    let mut expected = owned(&TOUR);
    if era == Era::Sessions {
        cancel_slow(&client).await;
        expected = tour_and_cancelled();
    }
    // The client stays: a server that is told to end does not wait for its clients.
    assert!(server.terminate().await.success());
    assert_eq!(outcomes(&house.records()), expected);
    for record in house.records() {
        assert_eq!(record["principal"], "http:anonymous");
    }
    drop(client);
}

#[tokio::test]
async fn http_program_serves_a_client_with_a_session_and_flushes_when_terminated() {
    http_tour(Era::Sessions).await;
}

#[tokio::test]
async fn http_program_serves_a_stateless_client_and_flushes_when_terminated() {
    http_tour(Era::Stateless).await;
}

#[tokio::test]
async fn greeting_and_tool_list_are_the_bare_servers_letter_by_letter() {
    for era in Era::ALL {
        let house = House::new(DEMO_POLICY);
        let (bare, layered) =
            (StdioProgram::bare(era).await, StdioProgram::layered(era, &house).await);
        for server in [&bare, &layered] {
            assert_eq!(server.client.list_tools(None).await.unwrap().tools.len(), 6);
            let list: Value = server.said.last();
            assert_eq!(list["result"]["tools"][0]["_meta"]["sec0/version"], "1.0");
        }
        assert_eq!(bare.said.lines(), layered.said.lines(), "{era:?}");
        assert!(bare.close().await.success());
        assert!(layered.close().await.success());
        assert_eq!(house.lines().len(), 0, "a list is no call");
    }
}

#[tokio::test]
async fn tool_list_over_http_is_the_bare_servers() {
    let house = House::new(DEMO_POLICY);
    let (bare, layered) =
        (HttpProgram::start(&["--bare"]).await, HttpProgram::start(&arguments(&house)).await);
    for era in Era::ALL {
        let mut lists = Vec::new();
        for server in [&bare, &layered] {
            let client = era.connect_http(&server.url, &[]).await;
            let list = client.list_tools(None).await.unwrap();
            lists.push((serde_json::to_string(&list).unwrap(), client.peer_info()));
            client.cancel().await.unwrap();
        }
        assert_eq!(lists[0].0, lists[1].0, "{era:?}");
        assert_eq!(lists[0].1, lists[1].1, "{era:?}");
    }
    assert!(bare.terminate().await.success());
    assert!(layered.terminate().await.success());
}

#[tokio::test]
async fn program_signs_with_the_key_of_the_policy_in_an_allowed_directory() {
    let house = House::new("");
    let pair = sec0::sign::key_file::generate(&house.path("vault/mine.key")).unwrap();
    let key_ref = format!("key_ref: file://{}", pair.key_file.display());
    let policy = DEMO_POLICY.replace("enabled: true", &format!("enabled: true, {key_ref}"));
    std::fs::write(house.policy(), policy).unwrap();

    let vault = house.path("vault");
    let server = StdioProgram::start(Era::Sessions, &arguments(&house), Some(&vault)).await;
    call(&server.client, "echo", json!({"text": "x"})).await.unwrap();
    assert!(server.close().await.success());
    let lines = house.lines_under(&pair.public_file);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["key_id"], pair.public_key.key_id());
    assert!(!house.audit().join("keys").exists(), "a second key was made");
}

#[tokio::test]
async fn program_takes_digests_under_the_key_of_the_policy_in_an_allowed_directory() {
    let house = House::new("");
    let pair = sec0::sign::key_file::generate(&house.path("vault/digest.key")).unwrap();
    let digest_key = format!("audit: {{digest_key: 'file://{}'}}\n", pair.key_file.display());
    std::fs::write(house.policy(), format!("{DEMO_POLICY}{digest_key}")).unwrap();
    let vault = house.path("vault");
    let key_ref = format!("file://{}", pair.key_file.display());
    let key = read_digest_key_in(&key_ref, std::slice::from_ref(&vault)).unwrap();

    let server = StdioProgram::start(Era::Sessions, &arguments(&house), Some(&vault)).await;
    call(&server.client, "echo", json!({"text": "x"})).await.unwrap();
    assert!(server.close().await.success());
    let lines = house.lines();
    let (len, taken) = fingerprint(&json!({"text": "x"}), Limits::default(), Some(&key)).unwrap();
    assert_eq!(
        taken.to_string(),
        format!("hmac-sha256:{}", text_of(&lines[0]["input_hmac_sha256"]))
    );
    assert_eq!((len, &lines[0]["input_sha256"]), (12, &Value::Null));
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[tokio::test]
async fn program_takes_every_audit_mode_by_its_name_and_no_other() {
    for mode in AuditMode::ALL {
        let house = House::new(DEMO_POLICY);
        let with = [&arguments(&house)[..], &["--mode".into(), mode.as_str().into()]].concat();
        let server = StdioProgram::start(Era::Sessions, &with, None).await;
        call(&server.client, "echo", json!({"text": "x"})).await.unwrap();
        assert!(server.close().await.success());
        assert_eq!(house.lines().len(), 1, "{mode}");
    }
    let house = House::new(DEMO_POLICY);
    let with = [&arguments(&house)[..], &["--mode".into(), "strict".into()]].concat();
    let output = example("server_stdio").args(with).stdin(Stdio::null()).output();
    let output = tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("`batch`, `blocking`, `blocking-strict`"));
}

/// What a program says when the key lies where nobody allowed keys to lie.
async fn complaint_about_a_key_outside() -> String {
    let house = House::new("");
    let pair = sec0::sign::key_file::generate(&house.path("vault/mine.key")).unwrap();
    let key_ref = format!("key_ref: file://{}", pair.key_file.display());
    let policy = DEMO_POLICY.replace("enabled: true", &format!("enabled: true, {key_ref}"));
    std::fs::write(house.policy(), policy).unwrap();
    let output = example("server_stdio").args(arguments(&house)).stdin(Stdio::null()).output();
    let output = tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap();
    assert!(!output.status.success());
    assert!(!house.audit().exists(), "a log was made without a key");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn program_does_not_start_with_a_key_outside_the_allowed_directories() {
    let said = complaint_about_a_key_outside().await;
    assert!(said.contains("mine.key"), "{said}");
}

#[tokio::test]
async fn program_says_why_it_does_not_start() {
    let said = complaint_about_a_key_outside().await;
    assert!(said.contains("is outside allowed directories. Set SEC0_SIGNER_KEY_DIRS"), "{said}");
}

#[tokio::test]
async fn a_second_run_of_the_program_goes_on_with_the_same_chain() {
    let house = House::new(DEMO_POLICY);
    for run in 1..=2 {
        let server = StdioProgram::layered(Era::Sessions, &house).await;
        call(&server.client, "echo", json!({"text": "x"})).await.unwrap();
        assert!(server.close().await.success());
        assert_eq!(house.records().len(), run);
    }
    assert_eq!(house.records()[1]["seq"], 1);
}

/// The log is written behind the answers; the end of the program waits for it.
#[tokio::test]
async fn no_record_of_a_burst_of_calls_is_lost_when_stdin_closes() {
    let house = House::new(DEMO_POLICY);
    let server = StdioProgram::layered(Era::Sessions, &house).await;
    let calls = (0..500).map(|_| call(&server.client, "echo", json!({"text": "x"})));
    for answer in futures::future::join_all(calls).await {
        answer.unwrap();
    }
    assert!(server.close().await.success());
    assert_eq!(house.records().len(), 500);
}

#[tokio::test]
async fn calls_under_way_when_stdin_closes_are_recorded_too() {
    let house = House::new(DEMO_POLICY);
    let server = StdioProgram::layered(Era::Sessions, &house).await;
    let params = CallToolRequestParams::new("slow").with_arguments(object(json!({"ms": 600_000})));
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
    let options = PeerRequestOptions::no_options();
    let _under_way = server.client.send_cancellable_request(request, options).await.unwrap();
    // The server reads in order: once this is answered, the slow call has been read.
    call(&server.client, "echo", json!({"text": "x"})).await.unwrap();
    assert!(server.close().await.success());
    let seen = outcomes(&house.records());
    assert_eq!(seen, owned(&[("echo@1.0", "ok"), ("slow@1.0", "cancelled")]));
}

/// What this program prints when it uses this directory, and nothing but what it needs.
async fn story_in(program: &str, dir: &Path) -> String {
    let mut command = example(program);
    let output = command.arg("--dir").arg(dir).current_dir("/").stdin(Stdio::null()).output();
    let output = tokio::time::timeout(PATIENCE, output).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The lines, without blanks around them, that begin with one of these words.
fn lines_with<'s>(story: &'s str, words: &[&str]) -> Vec<&'s str> {
    let lines = story.lines().map(str::trim);
    lines.filter(|line| words.iter().any(|word| line.starts_with(word))).collect()
}

#[tokio::test]
async fn hops_program_shows_what_followed_from_what_and_what_was_not_run() {
    let house = House::new("");
    let dir = house.path("story");
    for run in 1..=2 {
        let story = story_in("hops", &dir).await;
        let tree = story.split("--run run-").nth(1).unwrap();
        let (_, tree) = tree.split_once('\n').unwrap();
        assert!(
            tree.starts_with(
                "   Desk.serve (desk): ok
     Buyer.run (buyer): ok
       warehouse@1.0.0 look@1.0 (buyer): ok
       warehouse@1.0.0 take@1.0 (buyer): ok
     Clerk.run (clerk): ok
       Ledger.erase (ledger): denied tool_not_in_allowlist, not run
   unlinked: 0
"
            ),
            "{story}"
        );
        assert!(story.contains("the ledger stays: POLICY_DENIED") && !story.contains("erased"));
        for (log, records) in [("hops", 4 * run), ("server", 2 * run)] {
            let holds = format!("{} holds: {records} records", dir.join(log).display());
            assert!(story.contains(&holds), "{story}");
        }
    }
}

#[tokio::test]
async fn approvals_program_tells_the_story_to_its_end_each_time_it_runs() {
    let house = House::new("");
    let dir = house.path("story");
    for run in 1..=2 {
        let story = story_in("approvals", &dir).await;
        let replies = lines_with(&story, &["refused:", "ok:"]);
        let id = replies[0].split("escalation_id=").nth(1).unwrap().split(' ').next().unwrap();
        let invalid = "refused: code=POLICY_DENIED reason=approval_invalid";
        let asked = format!(
            "refused: code=POLICY_DENIED reason=approval_required escalation_id={id} \
             escalation_status=pending"
        );
        assert_eq!(replies, [&asked, invalid, "ok: 7 runs in production", invalid], "{story}");
        // Votes get into the log as the server sees them, which calls do not wait for.
        assert_eq!(
            lines_with(&story, &["call"]),
            [
                "call     denied approval_required pending",
                "call     denied approval_other_arguments",
                "call     ok deploys_to_production approved",
                "call     denied approval_spent",
            ],
            "{story}"
        );
        assert_eq!(
            lines_with(&story, &["created", "vote", "decided", "call     ok"]),
            [
                "created  [prod-needs-two] high",
                "vote     ana approve",
                "vote     bo approve",
                "decided  approved quorum_reached",
                "call     ok deploys_to_production approved",
            ],
            "{story}"
        );
        assert!(story.contains(&format!("holds, votes included: {} calls", 4 * run)), "{story}");
        for name in ["ana", "bo"] {
            let seed = std::fs::read_to_string(dir.join(format!("{name}.key"))).unwrap();
            assert!(!story.contains(seed.trim()), "the key of {name} is printed");
        }
    }
}

/// Votes that the program took are those of the people whose keys it made.
#[tokio::test]
async fn approvals_program_leaves_a_log_whose_votes_can_be_checked() {
    let house = House::new("");
    let dir = house.path("story");
    story_in("approvals", &dir).await;
    let key = sec0::sign::key_file::read_public(&dir.join("audit/keys/ed25519.pub")).unwrap();
    let verifier = Verifier::new(&[key]).unwrap().approvals(Evidence::check);
    assert_eq!(verifier.verify_dir(&dir.join("audit")).unwrap().by_status["denied"], 3);
    let bo = sec0::sign::key_file::read_public(&dir.join("bo.pub")).unwrap();
    let desk = ApprovalDesk::open(&dir.join("audit")).unwrap();
    let listed = desk.list(Which::All, 9).unwrap();
    assert!(listed[0].kept.casts[1].vote.is_signed_by(&bo));
    assert!(listed[0].kept.spent_at.is_some());
}
