//! Servers with and without the layer, asked by raw lines, and what they say.

use rmcp::ServerHandler;
use rmcp::ServiceExt as _;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer};
use sec0::audit::{MemorySink, Verifier};
use sec0::{
    LocalDevSigner, Policy, Sec0Options, Sec0SecurityLayer, Signer as _, ToolRouterExt as _,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines};
use tokio::task::JoinSet;

/// What hangs, fails. Nothing is measured with it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Would deny every tool, and denies none.
const OBSERVE: &str = "tenant: acme\ndefault_retention: 30d\nsigning: {enabled: true}\n\
                       tools: {allowlist: []}\nenforcement: {mode: observe}\n";

pub(crate) type Answer<T> = Result<T, ErrorData>;

/// What a tool answers to these arguments, as JSON, or to [`ANY`].
pub(crate) type Answers = BTreeMap<String, Answer<CallToolResult>>;

pub(crate) const ANY: &str = "";

/// A server that says what it was given to say.
#[derive(Clone, Default)]
pub(crate) struct Puppet {
    router: ToolRouter<Self>,
    /// What each method answers.
    answers: Arc<BTreeMap<String, Value>>,
    /// How many calls came through rmcp. Behind the layer none comes here: it runs the routes.
    calls: Arc<AtomicUsize>,
}

impl Puppet {
    pub(crate) fn new(answers: BTreeMap<String, Value>) -> Self {
        Self { answers: Arc::new(answers), ..Self::default() }
    }

    /// A tool that answers its arguments, where it has no answer to them.
    pub(crate) fn tool(&mut self, tool: Tool, answers: Answers) {
        let route = ToolRoute::new_dyn(tool, move |context: ToolCallContext<'_, Self>| {
            let arguments = Value::Object(context.arguments.unwrap_or_default());
            let known = answers.get(&arguments.to_string()).or_else(|| answers.get(ANY));
            let answer =
                known.cloned().unwrap_or_else(|| Ok(CallToolResult::structured(arguments)));
            Box::pin(async move { answer.map(Into::into) })
        });
        self.router.add_route(route);
    }

    pub(crate) fn echoing(names: impl IntoIterator<Item = String>) -> Self {
        let mut puppet = Self::default();
        for name in names {
            puppet.tool(Tool::new(name, "", serde_json::Map::new()), Answers::new());
        }
        puppet
    }

    fn says<T: DeserializeOwned>(&self, method: &str) -> Answer<T> {
        let nothing = || ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method.to_owned(), None);
        let answer = self.answers.get(method).ok_or_else(nothing)?;
        Ok(serde_json::from_value(answer.clone()).unwrap())
    }
}

impl ServerHandler for Puppet {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::default();
        capabilities.tools = Some(ToolsCapability::default());
        capabilities.prompts = Some(PromptsCapability::default());
        capabilities.resources = Some(ResourcesCapability::default());
        ServerConfig::new(capabilities).with_server_info(Implementation::new("demo", "1.0.0"))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResponse> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.router.call(ToolCallContext::new(self, request, context)).await
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Answer<ListToolsResult> {
        let mut page: ListToolsResult = self.says("tools/list").unwrap_or_default();
        page.tools = self.router.list_all();
        Ok(page)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.router.get(name).cloned()
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Answer<CompleteResult> {
        self.says("completion/complete")
    }

    async fn get_prompt(
        &self,
        _: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Answer<GetPromptResponse> {
        self.says::<GetPromptResult>("prompts/get").map(Into::into)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Answer<ListPromptsResult> {
        self.says("prompts/list")
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Answer<ListResourcesResult> {
        self.says("resources/list")
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Answer<ListResourceTemplatesResult> {
        self.says("resources/templates/list")
    }

    async fn read_resource(
        &self,
        _: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Answer<ReadResourceResponse> {
        self.says::<ReadResourceResult>("resources/read").map(Into::into)
    }
}

/// The two ways in which MCP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    Sessions,
    Stateless,
}

impl Era {
    /// The lines with which a client begins.
    fn greeting(self) -> Vec<Value> {
        let client = json!({"name": "vectors", "version": "1"});
        match self {
            Self::Sessions => vec![
                json!({"jsonrpc": "2.0", "id": "greeting", "method": "initialize", "params": {
                    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}}),
                json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            ],
            Self::Stateless => vec![json!({
                "jsonrpc": "2.0", "id": "greeting", "method": "server/discover",
                "params": {"_meta": stateless_meta()},
            })],
        }
    }
}

/// What a request of the stateless era carries.
pub(crate) fn stateless_meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "vectors", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// One connection to one server.
struct Wire {
    writer: DuplexStream,
    lines: Lines<BufReader<DuplexStream>>,
    tasks: JoinSet<()>,
    syncs: u32,
}

impl Wire {
    fn open(server: impl ServerHandler) -> Self {
        let (writer, asked) = tokio::io::duplex(1 << 16);
        let (answers, reader) = tokio::io::duplex(1 << 16);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            server.serve((asked, answers)).await.unwrap().waiting().await.unwrap();
        });
        Self { writer, lines: BufReader::new(reader).lines(), tasks, syncs: 0 }
    }

    /// Sends a line, and hears what is said until a request behind it is answered, and the line
    /// itself as well where it is a request.
    async fn ask(&mut self, line: &[u8], answered: bool) -> Vec<Value> {
        self.syncs += 1;
        let sync = format!("sync-{}", self.syncs);
        let ping = json!({
            "jsonrpc": "2.0", "id": sync, "method": "ping", "params": {"_meta": stateless_meta()},
        });
        self.writer
            .write_all(&[line, b"\n", ping.to_string().as_bytes(), b"\n"].concat())
            .await
            .unwrap();
        let (mut said, mut open, mut synced) = (Vec::new(), answered, false);
        while open || !synced {
            let next = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
            let shown = String::from_utf8_lossy(line);
            let next = next.unwrap_or_else(|_| panic!("no answer to {shown}: {said:?}"));
            let Some(next) = next.unwrap() else { panic!("the server ended at {shown}") };
            let next: Value = serde_json::from_str(&next).unwrap();
            if next["id"] == json!(sync) {
                synced = true;
                continue;
            }
            open &= next.get("result").is_none() && next.get("error").is_none();
            said.push(next);
        }
        said
    }

    async fn close(mut self) {
        drop(self.writer);
        while let Ok(Some(_)) = self.lines.next_line().await {}
        self.tasks.join_next().await.unwrap().unwrap();
    }
}

/// One server bare and the same one behind the layer, asked the same.
pub(crate) struct Twins {
    bare: Wire,
    layered: Wire,
    layer: Sec0SecurityLayer,
    sink: MemorySink,
    calls: Arc<AtomicUsize>,
}

impl Twins {
    pub(crate) async fn open(era: Era, puppet: Puppet) -> Self {
        Self::greeted_with(&era.greeting(), puppet).await
    }

    /// Begins with these lines.
    pub(crate) async fn greeted_with(greeting: &[Value], puppet: Puppet) -> Self {
        let sink = MemorySink::new();
        let options = Sec0Options::new(Policy::from_yaml(OBSERVE).unwrap());
        let layer =
            Sec0SecurityLayer::try_new(options.audit_sink(sink.clone()).signer(key())).unwrap();
        let layered = puppet.router.clone().serving(puppet.clone()).layer(layer.clone());
        let puppet = Puppet { calls: Arc::default(), ..puppet };
        let calls = Arc::clone(&puppet.calls);
        let (bare, layered) = (Wire::open(puppet), Wire::open(layered));
        let mut twins = Self { bare, layered, layer, sink, calls };
        for line in greeting {
            let answered = line.get("id").is_some();
            twins.bare.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            twins.layered.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            if answered {
                let bare = twins.bare.lines.next_line().await.unwrap();
                assert_eq!(bare, twins.layered.lines.next_line().await.unwrap());
            }
        }
        twins
    }

    /// Asks both, of whom `answered` says whether an answer is due. What they say must be the
    /// same, but for the trace of the call; it is given with the trace taken out.
    pub(crate) async fn ask(&mut self, line: &[u8], answered: bool) -> Vec<Value> {
        let bare = self.bare.ask(line, answered).await;
        let mut layered = self.layered.ask(line, answered).await;
        layered.iter_mut().for_each(without_trace);
        assert_eq!(bare, layered, "{}", String::from_utf8_lossy(line));
        bare
    }

    /// Ends both, and gives the records of the calls, after the log was verified: one for each call
    /// that the bare server got.
    pub(crate) async fn close(self) -> Vec<Value> {
        self.bare.close().await;
        self.layered.close().await;
        self.layer.try_shutdown().await.unwrap();
        let records = records(&self.sink);
        assert_eq!(records.len(), self.calls.load(Ordering::SeqCst));
        records
    }
}

fn without_trace(message: &mut Value) {
    let Some(result) = message.get_mut("result").and_then(Value::as_object_mut) else { return };
    let Some(meta) = result.get_mut("_meta").and_then(Value::as_object_mut) else { return };
    if meta.remove("sec0/trace").is_some() && meta.is_empty() {
        result.remove("_meta");
    }
}

pub(crate) fn key() -> LocalDevSigner {
    LocalDevSigner::from_seed([7; 32])
}

/// The records of calls, after the whole log was verified as a directory.
pub(crate) fn records(sink: &MemorySink) -> Vec<Value> {
    let dir = tempfile::tempdir().unwrap();
    let lines = sink.lines();
    let mut days: BTreeMap<String, String> = BTreeMap::new();
    for line in &lines {
        let parsed: Value = serde_json::from_str(line).unwrap();
        let day = parsed["ts"].as_str().unwrap().split('T').next().unwrap().to_owned();
        // Records lie in the file of the day on which they were written, never of an earlier one.
        let newest = days.last_key_value().map(|(newest, _)| newest.clone()).unwrap_or_default();
        let file = days.entry(day.max(newest)).or_default();
        file.push_str(line);
        file.push('\n');
    }
    for (day, text) in days {
        std::fs::write(dir.path().join(format!("audit-{day}.ndjson")), text).unwrap();
    }
    let lines_alone = Verifier::new(&[key().public_key()]).unwrap().lines_only(true);
    let totals = lines_alone.verify_dir(dir.path()).unwrap();
    assert_eq!(totals.records + totals.events, u64::try_from(lines.len()).unwrap());
    let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get("target_tool").is_some()).collect()
}
