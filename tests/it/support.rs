//! What the tests share: a policy as text, a server of made-up tools, a log in memory that is
//! verified before it is read.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, MetaObject, Tool, object,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler};
use sec0::audit::{MemorySink, Verifier, verify_line};
use sec0::clock::{Clock, Timestamp};
use sec0::mcp::{DENIAL_META, MockCall, TRACE_META, detached_context};
use sec0::{LocalDevSigner, MapRegistry, Policy, Sec0Options, Sec0SecurityLayer, Signer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// What a caller gets: a result, or a JSON-RPC error.
pub(crate) type Answer = Result<CallToolResult, ErrorData>;

/// The reasons that `deny_on` takes in this version.
pub(crate) const NAMEABLE: [&str; 12] = [
    "missing_audit_signature",
    "tool_not_in_allowlist",
    "version_unpinned",
    "missing_idempotency_for_side_effect",
    "egress_violation",
    "fs_violation",
    "payload_too_large",
    "duration_too_long",
    "registry_mutation",
    "handler_swap",
    "server_code_changed",
    "tool_code_changed",
];

/// A policy, put together and then written as YAML.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    allow: Vec<String>,
    mode: Option<&'static str>,
    deny_on: Vec<&'static str>,
    pinned: bool,
    keyed: bool,
    overrides: Vec<&'static str>,
    kb: u64,
    ms: u64,
    key_ref: Option<String>,
    places: String,
    limits: String,
    enforcing: String,
    retries: u32,
    on_arguments: Vec<&'static str>,
}

impl Rules {
    /// Everything of the server `demo` is allowed, pinned or not.
    pub(crate) fn with(mode: Option<&'static str>, deny_on: &[&'static str]) -> Self {
        Self {
            allow: vec!["mcp://demo/*".to_owned()],
            mode,
            deny_on: deny_on.to_vec(),
            pinned: false,
            keyed: false,
            overrides: Vec::new(),
            kb: 0,
            ms: 0,
            key_ref: None,
            places: String::new(),
            limits: String::new(),
            enforcing: String::new(),
            retries: 0,
            on_arguments: Vec::new(),
        }
    }

    pub(crate) fn observe() -> Self {
        Self::with(Some("observe"), &NAMEABLE)
    }

    pub(crate) fn enforce() -> Self {
        Self::with(Some("enforce"), &NAMEABLE)
    }

    pub(crate) fn allow(mut self, entries: &[&str]) -> Self {
        self.allow = entries.iter().map(|&entry| entry.to_owned()).collect();
        self
    }

    pub(crate) fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }

    /// Requires an idempotency key for side effects.
    pub(crate) fn keyed(mut self) -> Self {
        self.keyed = true;
        self
    }

    /// An entry of `tools.overrides`, as YAML.
    pub(crate) fn overriding(mut self, entry: &'static str) -> Self {
        self.overrides.push(entry);
        self
    }

    /// `security.egress_allowlist`.
    pub(crate) fn egress(mut self, entries: &[&str]) -> Self {
        self.places = format!("{}\x20 egress_allowlist: {entries:?}\n", self.places);
        self
    }

    /// `security.fs_allowlist`.
    pub(crate) fn files(mut self, entries: &[&str]) -> Self {
        self.places = format!("{}\x20 fs_allowlist: {entries:?}\n", self.places);
        self
    }

    pub(crate) fn max_kb(mut self, kb: u64) -> Self {
        self.kb = kb;
        self
    }

    pub(crate) fn max_ms(mut self, ms: u64) -> Self {
        self.ms = ms;
        self
    }

    /// More of `security.limits`, as YAML.
    pub(crate) fn limits(mut self, more: &str) -> Self {
        self.limits = format!(", {more}");
        self
    }

    /// More of `enforcement`, as YAML.
    pub(crate) fn enforcing(mut self, more: &str) -> Self {
        self.enforcing = format!("\x20 {more}\n");
        self
    }

    /// `side_effects.max_retries`.
    pub(crate) fn retries(mut self, most: u32) -> Self {
        self.retries = most;
        self
    }

    pub(crate) fn key_ref(mut self, key_ref: String) -> Self {
        self.key_ref = Some(key_ref);
        self
    }

    /// An entry of `rules`, as YAML.
    pub(crate) fn on_arguments(mut self, entry: &'static str) -> Self {
        self.on_arguments.push(entry);
        self
    }

    pub(crate) fn yaml(&self) -> String {
        let Self { allow, mode, deny_on, pinned, keyed, overrides, kb, ms, key_ref, .. } = self;
        let Self { limits, enforcing, retries, .. } = self;
        let (places, on_arguments) = (&self.places, self.on_arguments.join(", "));
        let overrides = overrides.join(", ");
        let mode = mode.map_or(String::new(), |mode| format!("  mode: {mode}\n"));
        let key_ref = key_ref.as_ref().map_or(String::new(), |at| format!(", key_ref: {at:?}"));
        format!(
            "tenant: acme\n\
             default_retention: 30d\n\
             signing: {{enabled: true{key_ref}}}\n\
             tools:\n\
             \x20 allowlist: {allow:?}\n\
             \x20 deny_if_unpinned_version: {pinned}\n\
             \x20 overrides: [{overrides}]\n\
             side_effects: {{require_idempotency_key: {keyed}, max_retries: {retries}}}\n\
             enforcement:\n{mode}\
             \x20 deny_on: {deny_on:?}\n{enforcing}\
             security:\n\
             \x20 limits: {{max_payload_kb: {kb}, max_duration_ms: {ms}{limits}}}\n\
             {places}rules: [{on_arguments}]\n"
        )
    }

    /// The policy; `None` where it is not one.
    pub(crate) fn try_policy(&self) -> Option<Policy> {
        Policy::from_yaml(&self.yaml()).ok()
    }

    pub(crate) fn policy(&self) -> Policy {
        let yaml = self.yaml();
        Policy::from_yaml(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
    }
}

/// One log in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Site {
    pub(crate) sink: MemorySink,
}

impl Site {
    pub(crate) fn options(&self, rules: &Rules) -> Sec0Options {
        Sec0Options::new(rules.policy()).audit_sink(self.sink.clone()).signer(key())
    }

    pub(crate) fn layer(&self, rules: &Rules) -> Sec0SecurityLayer {
        Sec0SecurityLayer::try_new(self.options(rules)).unwrap()
    }

    /// Shuts the layer down and reads the whole log.
    pub(crate) async fn close<M>(&self, layer: &Sec0SecurityLayer<M>) -> Lines {
        layer.try_shutdown().await.unwrap();
        self.read()
    }

    /// Verifies all lines so far, their order and their signatures, and reads them.
    pub(crate) fn read(&self) -> Lines {
        let lines = self.sink.lines();
        verify(&lines);
        let mut read = Lines::default();
        for line in &lines {
            let line: Value = serde_json::from_str(line).unwrap();
            let kind =
                if line.get("target_tool").is_some() { &mut read.calls } else { &mut read.events };
            kind.push(line);
        }
        read
    }
}

/// The lines of a log, in order.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) calls: Vec<Value>,
    pub(crate) events: Vec<Value>,
}

impl Lines {
    /// The one record that there must be.
    pub(crate) fn only(&self) -> &Value {
        assert_eq!(self.calls.len(), 1, "{:#?}", self.calls);
        &self.calls[0]
    }

    pub(crate) fn events_of(&self, kind: &str) -> Vec<&Value> {
        self.events.iter().filter(|line| line["event"] == kind).collect()
    }

    /// How many records have each digest of arguments.
    pub(crate) fn by_input(&self) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for call in &self.calls {
            *counted.entry(call["input_sha256"].as_str().unwrap_or("").to_owned()).or_default() +=
                1;
        }
        counted
    }
}

fn verify(lines: &[String]) {
    let public = key().public_key();
    let dir = tempfile::tempdir().unwrap();
    // Records lie in the file of the day on which they were written, never of an earlier one.
    let mut days: BTreeMap<String, String> = BTreeMap::new();
    for line in lines {
        verify_line(line.as_bytes(), &public).unwrap();
        let parsed: Value = serde_json::from_str(line).unwrap();
        let day = parsed["ts"].as_str().unwrap().split('T').next().unwrap().to_owned();
        let newest = days.last_key_value().map(|(newest, _)| newest.clone()).unwrap_or_default();
        let file = days.entry(day.max(newest)).or_default();
        file.push_str(line);
        file.push('\n');
    }
    for (day, text) in days {
        std::fs::write(dir.path().join(format!("audit-{day}.ndjson")), text).unwrap();
    }
    let totals = Verifier::new(&[public]).unwrap().lines_only(true).verify_dir(dir.path()).unwrap();
    let count = u64::try_from(lines.len()).unwrap();
    assert_eq!(totals.records + totals.events, count);
    assert_eq!(totals.first_seq, lines.first().map(|_| 0));
}

pub(crate) fn key() -> LocalDevSigner {
    LocalDevSigner::from_seed([7; 32])
}

/// How often a handler ran.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runs(Arc<AtomicUsize>);

impl Runs {
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A handler that counts itself.
    pub(crate) fn handler(
        &self,
    ) -> impl Fn(MockCall) -> std::future::Ready<CallToolResult> + Send + Sync + 'static {
        let runs = self.clone();
        move |_| {
            runs.up();
            std::future::ready(done())
        }
    }
}

/// Holds handlers until the test lets them go.
#[derive(Debug, Clone)]
pub(crate) struct Latch {
    entered: Arc<Semaphore>,
    leave: Arc<Semaphore>,
}

impl Latch {
    pub(crate) fn new() -> Self {
        Self { entered: Arc::new(Semaphore::new(0)), leave: Arc::new(Semaphore::new(0)) }
    }

    /// A handler that counts itself and is held.
    pub(crate) fn handler(
        &self,
        runs: &Runs,
    ) -> impl Fn(MockCall) -> Pin<Box<dyn Future<Output = CallToolResult> + Send>> + Send + Sync + use<>
    {
        let (latch, runs) = (self.clone(), runs.clone());
        move |_| {
            runs.up();
            let latch = latch.clone();
            Box::pin(async move {
                latch.pass().await;
                done()
            })
        }
    }

    /// Called by the handler.
    pub(crate) async fn pass(&self) {
        self.entered.add_permits(1);
        self.leave.acquire().await.unwrap().forget();
    }

    /// Waits until this many more handlers have come in.
    pub(crate) async fn entered(&self, count: u32) {
        soon(self.entered.acquire_many(count)).await.unwrap().forget();
    }

    pub(crate) fn release(&self, count: usize) {
        self.leave.add_permits(count);
    }
}

/// The server `demo` without tools.
pub(crate) fn demo() -> MapRegistry {
    MapRegistry::new("demo", "1.0.0")
}

/// A tool that declares this version, or none.
pub(crate) fn tool(name: &'static str, version: Option<&str>) -> Tool {
    let mut tool = Tool::new(name, "", serde_json::Map::new());
    tool.meta = version.map(|version| MetaObject(object(json!({ "sec0/version": version }))));
    tool
}

/// A tool of version 1.0 with these annotations.
pub(crate) fn annotated(name: &'static str, annotations: Value) -> Tool {
    let mut tool = tool(name, Some("1.0"));
    tool.annotations = Some(serde_json::from_value(annotations).unwrap());
    tool
}

/// What a handler that has nothing to say answers.
pub(crate) fn done() -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text("done")])
}

/// Calls a tool as rmcp would.
pub(crate) async fn ask<S: ServerHandler>(server: &S, tool: &str, arguments: Value) -> Answer {
    match ask_in(server, tool, arguments, detached_context()).await? {
        CallToolResponse::Complete(result) => Ok(result),
        other @ (CallToolResponse::InputRequired(_) | CallToolResponse::Task(_) | _) => {
            panic!("not a complete result: {other:?}")
        }
    }
}

/// Calls a tool in a context whose cancellation the test keeps.
pub(crate) fn ask_in<S: ServerHandler>(
    server: &S,
    tool: &str,
    arguments: Value,
    context: RequestContext<RoleServer>,
) -> impl Future<Output = Result<CallToolResponse, ErrorData>> + Send {
    let mut params = CallToolRequestParams::new(tool.to_owned());
    if let Value::Object(arguments) = arguments {
        params.arguments = Some(arguments);
    }
    server.call_tool(params, context)
}

/// `_meta["sec0/denial"]`.
pub(crate) fn denial(answer: &Answer) -> Value {
    let result = answer.as_ref().unwrap_or_else(|error| panic!("an error: {error:?}"));
    assert_eq!(result.is_error, Some(true), "{result:?}");
    let meta = result.meta.as_ref().unwrap_or_else(|| panic!("no denial: {result:?}"));
    meta.0.get(DENIAL_META).unwrap_or_else(|| panic!("no denial: {result:?}")).clone()
}

/// `_meta["sec0/trace"]`.
pub(crate) fn trace(answer: &Answer) -> Value {
    let result = answer.as_ref().unwrap();
    result.meta.as_ref().map_or(Value::Null, |meta| meta.0[TRACE_META].clone())
}

/// True for a handler's own reply that is no failure.
pub(crate) fn is_fine(answer: &Answer) -> bool {
    answer.as_ref().is_ok_and(|result| result.is_error == Some(false))
}

/// The text of the one block of a result.
pub(crate) fn text(answer: &Answer) -> String {
    let result = answer.as_ref().unwrap();
    assert_eq!(result.content.len(), 1, "{result:?}");
    let block = serde_json::to_value(&result.content[0]).unwrap();
    block["text"].as_str().unwrap().to_owned()
}

/// Reply and record of a refused call say the same. What the policy decided about a call whose
/// handler ran is for the test to say.
pub(crate) fn assert_agree(denial: &Value, record: &Value) {
    assert_eq!(denial["reason"], record["policy"]["reason"], "{denial:#} {record:#}");
    assert_eq!(denial["reason"], record["decision_reason"], "{denial:#} {record:#}");
    assert_eq!(denial["reasons"], record["risk_tags"], "{denial:#} {record:#}");
    assert_eq!(denial["executed"], record["executed"], "{denial:#} {record:#}");
    assert_eq!(denial["trace_id"], record["trace_id"]);
    assert_eq!(denial["span_id"], record["span_id"]);
    if record["executed"] == false {
        assert_eq!(record["policy"]["decision"], "deny", "{record:#}");
        assert_eq!(record["denial_level"], "middleware", "{record:#}");
    }
}

/// SHA-256 of the RFC 8785 form, by writers that are not ours.
pub(crate) fn sha256_of(value: &impl serde::Serialize) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    let mut hex = String::new();
    for byte in sha2::Sha256::digest(serde_json_canonicalizer::to_vec(value).unwrap()) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

/// Keeps a test that hangs from hanging for ever.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it hangs")
}

/// Asks again until it holds.
pub(crate) async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..4000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never came");
}

/// A clock whose monotonic side is the one of tokio, so that a paused test measures what it sleeps.
#[derive(Debug)]
pub(crate) struct TokioClock;

impl Clock for TokioClock {
    fn wall(&self) -> Timestamp {
        sec0::clock::System::shared().wall()
    }

    fn monotonic(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}
