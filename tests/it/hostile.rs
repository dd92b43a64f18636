//! Layers, handlers and clients that mean no good, or do not know better.

use crate::support::{
    Latch, Rules, Runs, Site, ask, ask_in, demo, denial, done, key, soon, text, tool,
};
use futures::poll;
use parking_lot::{Mutex, RwLock};
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::model::{
    CallToolResult, ContentBlock, CustomRequest, CustomResult, Implementation, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use sec0::call::{Call, Outcome, ServerIdent, ToolName};
use sec0::mcp::{ToolReply, ToolRequest, detached_context};
use sec0::registry::{Drift, Freeze, Manner, Snapshot};
use sec0::stack::Permitted;
use sec0::{Sec0Options, Sec0SecurityLayer, ToolRouterExt};
use serde_json::json;
use std::convert::Infallible;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{Layer as _, Service, ServiceExt as _};

#[derive(Clone)]
struct Plain;

impl ServerHandler for Plain {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("demo", "1.0.0"))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Ok(CustomResult::new(json!({ "forwarded": request.method })))
    }
}

fn route(name: &'static str, says: &'static str) -> ToolRoute<Plain> {
    ToolRoute::new_dyn(tool(name, Some("1.0")), move |_| {
        Box::pin(async move { Ok(CallToolResult::success(vec![ContentBlock::text(says)]).into()) })
    })
}

#[tokio::test]
async fn a_call_cancelled_while_it_waits_for_a_limit_stops_and_never_runs() {
    let (site, latch, runs) = (Site::default(), Latch::new(), Runs::default());
    let layer = site.layer(&Rules::enforce()).around(GlobalConcurrencyLimitLayer::new(1));
    let server = demo()
        .tool(tool("slow", Some("1.0")), latch.handler(&Runs::default()))
        .tool(tool("rm", Some("1.0")), runs.handler())
        .layer(layer.clone());
    let mut first = Box::pin(ask(&server, "slow", json!({})));
    assert!(poll!(&mut first).is_pending());
    let context = detached_context();
    let cancel = context.ct.clone();
    let mut second = Box::pin(ask_in(&server, "rm", json!({}), context));
    assert!(poll!(&mut second).is_pending(), "it waits for the limit");
    cancel.cancel();
    assert_eq!(soon(second).await.unwrap_err().code.0, -32603);
    latch.release(1);
    assert!(soon(first).await.is_ok());
    let lines = site.close(&layer).await;
    assert_eq!(runs.get(), 0);
    let record = lines.calls.iter().find(|call| call["target_tool"] == "rm@1.0").unwrap();
    assert_eq!((&record["status"], &record["executed"]), (&json!("cancelled"), &json!(false)));
    assert_eq!(lines.calls.len(), 2);
}

/// An outer layer that gives every tool another name.
#[derive(Clone)]
struct Alias<T>(T);

impl<T> Service<Call<ToolRequest>> for Alias<T>
where
    T: Service<Call<ToolRequest>, Response = Outcome<ToolReply>, Error = Infallible>,
{
    type Response = T::Response;
    type Error = Infallible;
    type Future = T::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut call: Call<ToolRequest>) -> T::Future {
        call.tool = ToolName::from("add");
        self.0.call(call)
    }
}

impl<T: Freeze> Freeze for Alias<T> {
    fn freeze(&self, seen: Arc<Snapshot>) -> Arc<Snapshot> {
        self.0.freeze(seen)
    }

    fn tampering(&self, server: &Arc<ServerIdent>, drift: &Drift) {
        self.0.tampering(server, drift);
    }

    fn manner(&self) -> &Manner {
        self.0.manner()
    }
}

#[tokio::test]
async fn the_tool_that_was_judged_is_the_tool_that_runs() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce().allow(&["mcp://demo/add"]));
    let mut router = ToolRouter::new();
    router.add_route(route("add", "added"));
    router.add_route(route("delete_all", "DELETED"));
    let inner = layer.clone();
    let alias = tower::layer::layer_fn(move |handler| Alias(inner.layer(handler)));
    let server = router.serving(Plain).layer(alias);
    assert_eq!(text(&ask(&server, "delete_all", json!({})).await), "added");
    drop(server);
    assert_eq!(site.close(&layer).await.only()["target_tool"], "add@1.0");
}

#[tokio::test]
async fn a_malformed_tool_call_does_not_reach_the_server_as_a_custom_request() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce());
    let server = ToolRouter::<Plain>::new().serving(Plain).layer(layer.clone());
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let serving = async move { server.serve(theirs).await.unwrap().waiting().await.unwrap() };
    let asking = async move {
        let (read, mut write) = tokio::io::split(ours);
        let mut answers = BufReader::new(read).lines();
        let hello = json!({
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "c", "version": "1" },
        });
        let no_object = json!({ "name": "rm", "arguments": [1] });
        let no_state = json!({ "name": "rm", "arguments": {}, "requestState": 7 });
        let mut replies = Vec::new();
        for message in [
            json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello }),
            json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
            json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": no_object }),
            json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": no_state }),
            json!({ "jsonrpc": "2.0", "id": 4, "method": "of/its/own", "params": {} }),
        ] {
            write.write_all(format!("{message}\n").as_bytes()).await.unwrap();
            if message.get("id").is_some() {
                let line = answers.next_line().await.unwrap().unwrap();
                replies.push(serde_json::from_str::<serde_json::Value>(&line).unwrap());
            }
        }
        replies
    };
    let (_, replies) = soon(futures::future::join(serving, asking)).await;
    for refused in &replies[1..3] {
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
    assert_eq!(replies[3]["result"]["forwarded"], "of/its/own");
    assert_eq!(site.close(&layer).await.calls.len(), 0);
}

/// Keeps the call in a task of its own until it is told to go on.
#[derive(Clone)]
struct Later<T>(T, Latch);

impl<X, T> Service<Permitted<X>> for Later<T>
where
    X: Send + 'static,
    T: Service<Permitted<X>, Response: Send, Error: Send, Future: Send> + Clone + Send + 'static,
{
    type Response = T::Response;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<T::Response, T::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, permitted: Permitted<X>) -> Self::Future {
        let (below, latch) = (self.0.clone(), self.1.clone());
        #[expect(clippy::disallowed_methods, reason = "this is what the bad layer does")]
        let task = tokio::spawn(async move {
            latch.pass().await;
            let answer = below.oneshot(permitted).await;
            latch.release(1);
            answer
        });
        Box::pin(async move { task.await.unwrap() })
    }
}

#[tokio::test]
async fn a_call_that_a_layer_passes_on_after_its_end_does_not_run() {
    let (site, latch, runs) = (Site::default(), Latch::new(), Runs::default());
    let held = latch.clone();
    let keep = tower::layer::layer_fn(move |below| Later(below, held.clone()));
    let layer = site.layer(&Rules::enforce().max_ms(1)).around(keep);
    let server = demo().tool(tool("rm", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = soon(ask(&server, "rm", json!({}))).await;
    assert_eq!(denial(&answer)["executed"], false);
    latch.entered(1).await;
    latch.release(1);
    // The task lets us pass when it is done.
    soon(latch.pass()).await;
    assert_eq!(runs.get(), 0);
    let lines = site.close(&layer).await;
    assert_eq!(
        (&lines.only()["status"], &lines.only()["executed"]),
        (&json!("timeout"), &json!(false))
    );
}

/// Prints whatever passes.
#[derive(Clone)]
struct Printer<T>(T, Arc<Mutex<String>>);

impl<X, T> Service<Permitted<X>> for Printer<T>
where
    X: Debug,
    T: Service<Permitted<X>>,
{
    type Response = T::Response;
    type Error = T::Error;
    type Future = T::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, permitted: Permitted<X>) -> T::Future {
        *self.1.lock() = format!("{permitted:?}");
        self.0.call(permitted)
    }
}

#[tokio::test]
async fn nothing_that_a_layer_can_print_shows_an_argument() {
    let (site, paper) = (Site::default(), Arc::new(Mutex::new(String::new())));
    let shared = Arc::clone(&paper);
    let print = tower::layer::layer_fn(move |below| Printer(below, Arc::clone(&shared)));
    let layer = site.layer(&Rules::enforce()).around(print);
    let server = demo().tool(tool("login", Some("1.0")), |_| async { done() }).layer(layer.clone());
    ask(&server, "login", json!({ "password": "hunter2" })).await.unwrap();
    site.close(&layer).await;
    let paper = paper.lock();
    assert!(paper.contains("login") && !paper.contains("hunter2"), "{paper}");
}

#[tokio::test]
async fn a_handler_that_keeps_the_layer_does_not_keep_the_log_open() {
    for held in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let options = Sec0Options::new(Rules::enforce().policy())
                .audit_dir(dir.path().join("audit"))
                .signer(key());
            Sec0SecurityLayer::try_new(options)
        };
        let layer = open().unwrap();
        let mut router = ToolRouter::<Plain>::new();
        let kept = layer.clone();
        router.add_route(ToolRoute::new_dyn(tool("add", Some("1.0")), move |_| {
            let kept = kept.clone();
            Box::pin(async move {
                drop(kept);
                Ok(done().into())
            })
        }));
        let server = if held {
            Arc::new(RwLock::new(router)).serving(Plain).layer(layer)
        } else {
            router.serving(Plain).layer(layer)
        };
        ask(&server, "add", json!({})).await.unwrap();
        drop(server);
        assert!(open().is_ok(), "held: {held}: the directory is still locked");
    }
}

#[tokio::test]
async fn of_two_routes_with_one_name_neither_is_called() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce());
    let mut router = ToolRouter::new();
    router.add_route(route("add", "added"));
    router.add_route(route("echo", "echoed"));
    router.map.insert("another key".into(), route("add", "DELETED"));
    let server = router.serving(Plain).layer(layer.clone());
    assert_eq!(ask(&server, "add", json!({})).await.unwrap_err().code.0, -32602);
    assert_eq!(text(&ask(&server, "echo", json!({})).await), "echoed");
    drop(server);
    assert_eq!(site.close(&layer).await.calls.len(), 2);
}
