//! Real wires: policies and logs in a directory of their own, clients of both protocol eras, a tap
//! that keeps what a server said, the example programs, and a server on a free port.

use rmcp::model::{CallToolRequestParams, CallToolResult, ErrorData, ProtocolVersion, object};
use rmcp::service::{RoleClient, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ClientLifecycleMode, ClientServiceExt, ServerHandler, Service, ServiceExt};
use sec0::{Sec0Options, Sec0SecurityLayer};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// Allows every tool of the demo but `write_file` and `fetch`.
pub(crate) const DEMO_POLICY: &str = "\
tenant: acme
default_retention: 30d
signing: {enabled: true}
tools:
  allowlist: ['mcp://demo/add@1.0', 'mcp://demo/echo', 'slow@1.0', 'fail@*']
enforcement:
  deny_on: [tool_not_in_allowlist, version_unpinned, payload_too_large, duration_too_long]
";

/// Allows every tool there is, with or without a version.
pub(crate) const OPEN_POLICY: &str = "\
tenant: acme
default_retention: 30d
signing: {enabled: true}
tools: {allowlist: ['*'], deny_if_unpinned_version: false}
enforcement: {deny_on: [tool_not_in_allowlist]}
";

/// What hangs, fails: no wait in these tests is longer. Nothing is measured with it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Client<C = ()> = RunningService<RoleClient, C>;

/// A temporary directory with a policy, and the audit log that is written there.
pub(crate) struct House(TempDir);

impl House {
    pub(crate) fn new(policy: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("policy.yaml"), policy).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn policy(&self) -> PathBuf {
        self.path("policy.yaml")
    }

    pub(crate) fn audit(&self) -> PathBuf {
        self.path("audit")
    }

    pub(crate) fn options(&self) -> Sec0Options {
        Sec0Options::from_policy_file(self.policy()).unwrap().audit_dir(self.audit())
    }

    pub(crate) fn layer(&self) -> Sec0SecurityLayer {
        Sec0SecurityLayer::try_new(self.options()).unwrap()
    }

    /// Every line of the log, after the log was verified.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.lines_under(&self.audit().join("keys/ed25519.pub"))
    }

    /// Every line of the log, after it was verified against the key in `public`.
    pub(crate) fn lines_under(&self, public: &Path) -> Vec<Value> {
        let key = sec0::sign::key_file::read_public(public).unwrap();
        let totals = sec0::audit::verify_dir(&self.audit(), &[key]).unwrap();
        let files = std::fs::read_dir(self.audit()).unwrap().map(|entry| entry.unwrap().path());
        let mut days: Vec<_> =
            files.filter(|file| file.extension().is_some_and(|end| end == "ndjson")).collect();
        days.sort();
        let text: String = days.iter().map(|day| std::fs::read_to_string(day).unwrap()).collect();
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(totals.records + totals.events, u64::try_from(lines.len()).unwrap());
        lines
    }

    /// The records of calls, in the order in which the calls ended.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line.get("event").is_none()).collect()
    }

    /// The lines that are no calls.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line.get("event").is_some()).collect()
    }
}

/// Tool and status of each record, sorted.
pub(crate) fn outcomes(records: &[Value]) -> Vec<(String, String)> {
    let text = |record: &Value, name: &str| record[name].as_str().unwrap().to_owned();
    let mut all: Vec<_> = records
        .iter()
        .map(|record| (text(record, "target_tool"), text(record, "status")))
        .collect();
    all.sort();
    all
}

/// The two ways in which rmcp speaks: sessions that `initialize` opens, and requests that carry
/// everything themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    Sessions,
    Stateless,
}

impl Era {
    pub(crate) const ALL: [Self; 2] = [Self::Sessions, Self::Stateless];

    pub(crate) fn version(self) -> ProtocolVersion {
        match self {
            Self::Sessions => ProtocolVersion::V_2025_11_25,
            Self::Stateless => ProtocolVersion::V_2026_07_28,
        }
    }

    fn lifecycle(self) -> ClientLifecycleMode {
        match self {
            Self::Sessions => ClientLifecycleMode::Initialize,
            Self::Stateless => {
                ClientLifecycleMode::Discover { preferred_versions: vec![self.version()] }
            }
        }
    }

    /// A client of this era on the two halves of a byte stream.
    pub(crate) async fn connect<C, R, W>(self, client: C, halves: (R, W)) -> Client<C>
    where
        C: Service<RoleClient>,
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let client = client.serve_with_lifecycle(halves, self.lifecycle()).await.unwrap();
        assert_eq!(client.peer_info().unwrap().protocol_version, self.version());
        client
    }

    /// A client of this era on streamable HTTP, which sends these headers with every request.
    pub(crate) async fn connect_http(self, url: &str, headers: &[(&str, &[u8])]) -> Client {
        self.connect_http_as((), url, headers).await
    }

    pub(crate) async fn connect_http_as<C: Service<RoleClient>>(
        self,
        client: C,
        url: &str,
        headers: &[(&str, &[u8])],
    ) -> Client<C> {
        let headers: HashMap<_, _> = headers
            .iter()
            .map(|(name, value)| {
                let value = http::HeaderValue::from_bytes(value).unwrap();
                (http::HeaderName::try_from(*name).unwrap(), value)
            })
            .collect();
        // One POST at a time, until the server has begun to answer it: so requests arrive in order.
        let config = StreamableHttpClientTransportConfig::with_uri(url)
            .custom_headers(headers)
            .max_concurrent_requests(1);
        let transport = StreamableHttpClientTransport::from_config(config);
        let client = client.serve_with_lifecycle(transport, self.lifecycle()).await.unwrap();
        assert_eq!(client.peer_info().unwrap().protocol_version, self.version());
        client
    }
}

/// What a server said, line by line, as it said it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said(Arc<parking_lot::Mutex<Vec<String>>>);

impl Said {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    /// The last thing said, as JSON.
    pub(crate) fn last(&self) -> Value {
        serde_json::from_str(self.0.lock().last().unwrap()).unwrap()
    }
}

/// Tasks that end with the test.
#[derive(Debug, Default)]
pub(crate) struct Tasks(JoinSet<()>);

impl Tasks {
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    /// Waits until all have ended by themselves.
    pub(crate) async fn ended(mut self) {
        let all = async { while self.0.join_next().await.transpose().unwrap().is_some() {} };
        tokio::time::timeout(PATIENCE, all).await.expect("a task did not end");
    }
}

/// Passes on what `reader` says and keeps every line of it.
pub(crate) fn tap<R>(tasks: &mut Tasks, reader: R) -> (impl AsyncRead + Send + Unpin + use<R>, Said)
where
    R: AsyncRead + Send + Unpin + 'static,
{
    let said = Said::default();
    let kept = said.clone();
    let (mut onward, out) = tokio::io::duplex(1 << 16);
    tasks.spawn(async move {
        let mut lines = BufReader::new(reader).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            kept.0.lock().push(line.clone());
            // A client that has gone away is no failure.
            if onward.write_all(format!("{line}\n").as_bytes()).await.is_err() {
                return;
            }
        }
    });
    (out, said)
}

/// A real client on a server, in memory.
pub(crate) struct Session<C: Service<RoleClient> = ()> {
    pub(crate) client: Client<C>,
    pub(crate) said: Said,
    tasks: Tasks,
}

impl Session {
    pub(crate) async fn open(era: Era, server: impl ServerHandler) -> Self {
        Self::open_with(era, server, ()).await
    }
}

impl<C: Service<RoleClient>> Session<C> {
    pub(crate) async fn open_with(era: Era, server: impl ServerHandler, client: C) -> Self {
        // A pipe for each direction, so that the end of one is seen while the other is open.
        let (writer, asked) = tokio::io::duplex(1 << 16);
        let (answers, reader) = tokio::io::duplex(1 << 16);
        let mut tasks = Tasks::default();
        tasks.spawn(async move {
            server.serve((asked, answers)).await.unwrap().waiting().await.unwrap();
        });
        let (reader, said) = tap(&mut tasks, reader);
        let client = era.connect(client, (reader, writer)).await;
        Self { client, said, tasks }
    }

    /// Ends the connection, and waits for the server to end.
    pub(crate) async fn close(self) -> Vec<String> {
        self.client.cancel().await.unwrap();
        self.tasks.ended().await;
        self.said.lines()
    }
}

/// What came back from a tool.
pub(crate) async fn call<C: Service<RoleClient>>(
    client: &Client<C>,
    tool: &str,
    arguments: Value,
) -> Result<CallToolResult, ErrorData> {
    let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(object(arguments));
    let sent = tokio::time::timeout(PATIENCE, client.call_tool(params));
    sent.await.expect("no answer").map_err(error_data)
}

pub(crate) fn error_data(error: ServiceError) -> ErrorData {
    let ServiceError::McpError(error) = error else { panic!("no answer but {error:?}") };
    error
}

/// The text of a result.
pub(crate) fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

/// `_meta["sec0/denial"]` of a refused call, whose result must be an error with one text.
pub(crate) fn denial(result: &CallToolResult) -> Value {
    assert_eq!(result.is_error, Some(true));
    assert_eq!(result.content.len(), 1);
    result.meta.as_ref().unwrap().0["sec0/denial"].clone()
}

/// One of the example programs. Cargo builds them for `cargo test`, next to the tests.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(
        program.exists(),
        "the example `{name}` is not at {}; build it with `cargo build --examples`",
        program.display()
    );
    let mut command = Command::new(program);
    command.kill_on_drop(true).env_remove("SEC0_SIGNER_KEY_DIRS");
    command
}

/// The exit status of a child that was told to end.
pub(crate) async fn ended(child: &mut Child) -> std::process::ExitStatus {
    tokio::time::timeout(PATIENCE, child.wait()).await.expect("the server does not end").unwrap()
}

/// A server on streamable HTTP, on a free port, until it is dropped.
pub(crate) struct HttpServer {
    pub(crate) url: String,
    stop: tokio_util::sync::CancellationToken,
    tasks: Tasks,
}

impl HttpServer {
    pub(crate) async fn start<H: ServerHandler>(
        session: impl Fn() -> H + Send + Sync + 'static,
    ) -> Self {
        Self::behind(session, |app| app).await
    }

    /// A server behind what `wrap` puts on it.
    pub(crate) async fn behind<H: ServerHandler>(
        session: impl Fn() -> H + Send + Sync + 'static,
        wrap: impl FnOnce(axum::Router) -> axum::Router,
    ) -> Self {
        Self::configured(StreamableHttpServerConfig::default(), session, wrap).await
    }

    pub(crate) async fn configured<H: ServerHandler>(
        config: StreamableHttpServerConfig,
        session: impl Fn() -> H + Send + Sync + 'static,
        wrap: impl FnOnce(axum::Router) -> axum::Router,
    ) -> Self {
        let stop = config.cancellation_token.clone();
        let service = StreamableHttpService::new(
            move || Ok(session()),
            Arc::new(LocalSessionManager::default()),
            config,
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let mut tasks = Tasks::default();
        let stopped = stop.clone().cancelled_owned();
        let app = wrap(axum::Router::new().nest_service("/mcp", service));
        tasks.spawn(async move {
            axum::serve(listener, app).with_graceful_shutdown(stopped).await.unwrap();
        });
        Self { url, stop, tasks }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tasks.ended().await;
    }
}
