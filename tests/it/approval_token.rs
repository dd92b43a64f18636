//! The grant that a call presents: where it may stand, which of several counts, and that nobody but
//! the steps gets to see it.

use crate::drive::{Era, HttpServer, PATIENCE, Session};
use crate::support::{Latch, Rules, Site, ask_in, sha256_of, tool};
use http::request::Parts;
use parking_lot::Mutex;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, RequestMetaObject, ServerCapabilities, ServerConfig,
    Tool, ToolAnnotations, object,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler};
use sec0::call::{ApprovalToken, Call};
use sec0::mcp::{ToolRequest, detached_context};
use sec0::stack::{Identified, Steps};
use sec0::{Sec0SecurityLayer, ServerHandlerExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use tower::ServiceBuilder;
use tower::layer::layer_fn;

const HEADERS: [&str; 2] = ["x-sec0-approval-token", "x-sec0-approval"];
const META: &str = "sec0/approvalToken";
const ARGUMENTS: [&str; 3] = ["__sec0_approval_token", "approval_token", "approvalToken"];

/// A server that keeps everything it is given.
#[derive(Clone)]
struct Keeper {
    tools: Vec<Tool>,
    given: Arc<Mutex<Vec<Value>>>,
    fails: usize,
    /// The list is given after this latch.
    latch: Option<Latch>,
}

impl Keeper {
    /// One with the tool `pay` of this schema.
    fn of(schema: Value) -> Self {
        let mut pay = tool("pay", Some("1.0"));
        pay.input_schema = Arc::new(object(schema));
        pay.annotations = Some(ToolAnnotations::new().idempotent(true));
        Self { tools: vec![pay], given: Arc::default(), fails: 0, latch: None }
    }

    fn given(&self) -> Vec<Value> {
        self.given.lock().clone()
    }

    /// What it was given once.
    fn once(&self) -> Value {
        let given = self.given();
        assert_eq!(given.len(), 1, "{given:#?}");
        given[0].clone()
    }
}

impl ServerHandler for Keeper {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("demo", "1.0.0"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if let Some(latch) = &self.latch {
            latch.pass().await;
        }
        Ok(ListToolsResult::with_all_items(self.tools.clone()))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let headers = context.extensions.get::<Parts>().map(|parts| format!("{:?}", parts.headers));
        let runs = {
            let mut given = self.given.lock();
            given.push(json!({ "params": params, "meta": context.meta, "headers": headers }));
            given.len()
        };
        let text = vec![ContentBlock::text("done")];
        let result = if runs <= self.fails {
            CallToolResult::error(text)
        } else {
            CallToolResult::success(text)
        };
        Ok(result.into())
    }
}

/// What the steps below `identify` have of the token: nothing, or its text, if it has one.
type Seen = Arc<Mutex<VecDeque<Option<Option<String>>>>>;

/// A server behind the steps, with a look at the call where it has just been identified.
fn watched(server: Keeper, steps: &Steps, seen: &Seen) -> impl ServerHandler + Clone + use<> {
    let (steps, seen) = (steps.clone(), Arc::clone(seen));
    let look = move |identified: Identified<ToolRequest>| {
        let call: &Call<ToolRequest> = identified.entered().call();
        let token = call.approval.as_ref().map(|token| token.text().map(str::to_owned));
        seen.lock().push_back(token);
        identified
    };
    server.layer(layer_fn(move |handler| {
        ServiceBuilder::new()
            .layer(steps.trace())
            .layer(steps.record())
            .layer(steps.settle())
            .layer(steps.identify())
            .map_request(look.clone())
            .layer(steps.limit())
            .layer(steps.verify())
            .layer(steps.authorize())
            .layer(steps.dedupe())
            .layer(steps.approve())
            .layer(steps.reserve())
            .layer(steps.invoke())
            .service(handler)
    }))
}

/// A request as a transport makes it.
fn context(headers: &[(&str, &str)], meta: Value) -> RequestContext<RoleServer> {
    let mut context = detached_context();
    let mut request = http::Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    context.extensions.insert(request.body(()).unwrap().into_parts().0);
    context.meta = serde_json::from_value(meta).unwrap();
    context
}

fn meta(value: Value) -> RequestMetaObject {
    serde_json::from_value(value).unwrap()
}

fn token(text: &str) -> Option<Option<String>> {
    Some(Some(text.to_owned()))
}

/// One call of `pay` in process: what the steps saw, what the handler was given, the record.
async fn once(
    keeper: Keeper,
    rules: &Rules,
    arguments: Value,
    context: RequestContext<RoleServer>,
) -> (Option<Option<String>>, Value, Value) {
    let (site, seen) = (Site::default(), Seen::default());
    let layer = site.layer(rules);
    let server = watched(keeper.clone(), &layer.steps(), &seen);
    ask_in(&server, "pay", arguments, context).await.unwrap();
    let record = site.close(&layer).await.only().clone();
    let saw = seen.lock().pop_front().unwrap();
    (saw, keeper.once(), record)
}

#[tokio::test]
async fn a_header_is_taken_out_of_a_real_request() {
    for era in Era::ALL {
        for name in HEADERS {
            let (site, seen, keeper) = (Site::default(), Seen::default(), Keeper::of(json!({})));
            let layer = site.layer(&Rules::enforce());
            let server = watched(keeper.clone(), &layer.steps(), &seen);
            let http = HttpServer::start(move || server.clone()).await;
            let headers: [(&str, &[u8]); 2] = [(name, b"7ea5e"), ("x-node-id", b"desk")];
            let client = era.connect_http(&http.url, &headers).await;
            let params = CallToolRequestParams::new("pay").with_arguments(object(json!({"n": 1})));
            let sent = tokio::time::timeout(PATIENCE, client.call_tool(params));
            sent.await.unwrap().unwrap();
            client.cancel().await.unwrap();
            http.stop().await;
            let record = site.close(&layer).await.only().to_string();
            assert_eq!(*seen.lock(), [token("7ea5e")], "{name} {era:?}");
            let given = keeper.once();
            assert!(given["headers"].as_str().unwrap().contains("desk"), "{given}");
            assert!(!format!("{given}{record}").contains("7ea5e"), "{given}{record}");
            assert!(!given.to_string().contains(name), "{given}");
        }
    }
}

#[tokio::test]
async fn meta_and_arguments_are_taken_out_of_a_real_request() {
    for era in Era::ALL {
        for name in [META].into_iter().chain(ARGUMENTS) {
            let (site, seen, keeper) = (Site::default(), Seen::default(), Keeper::of(json!({})));
            let layer = site.layer(&Rules::enforce());
            let session = Session::open(era, watched(keeper.clone(), &layer.steps(), &seen)).await;
            let mut params = CallToolRequestParams::new("pay");
            let mut arguments = object(json!({"n": 1}));
            if name == META {
                params.meta = Some(meta(json!({META: "7ea5e", "sec0/nodeId": "desk"})));
            } else {
                arguments.insert(name.to_owned(), json!("7ea5e"));
            }
            let sent = session.client.call_tool(params.with_arguments(arguments));
            tokio::time::timeout(PATIENCE, sent).await.unwrap().unwrap();
            session.close().await;
            let record = site.close(&layer).await.only().clone();
            assert_eq!(*seen.lock(), [token("7ea5e")], "{name} {era:?}");
            assert_eq!(record["input_sha256"], sha256_of(&json!({"n": 1})), "{name}");
            let given = keeper.once();
            assert_eq!(given["params"]["arguments"], json!({"n": 1}));
            assert_eq!(given["meta"]["sec0/nodeId"] == "desk", name == META, "{given}");
            let all = format!("{given}{record}");
            assert!(!all.contains("7ea5e") && !all.contains(name), "{all}");
        }
    }
}

#[tokio::test]
async fn the_first_that_is_there_counts_and_none_is_left() {
    let places = HEADERS.iter().chain(&[META, "params"]).chain(&ARGUMENTS);
    let places: Vec<_> = places.copied().collect();
    for first in 0..=places.len() {
        let there = &places[first..];
        let (site, seen, keeper) = (Site::default(), Seen::default(), Keeper::of(json!({})));
        let layer = site.layer(&Rules::enforce());
        let server = watched(keeper.clone(), &layer.steps(), &seen);
        let of = |names: &[&'static str]| {
            let named = names.iter().copied().filter(|name| there.contains(name));
            named.collect::<Vec<_>>()
        };
        let said = |name: &str| format!("7ea5e {name}");
        let headers: Vec<_> = of(&HEADERS).iter().map(|name| (*name, said(name))).collect();
        let headers: Vec<_> = headers.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let in_meta =
            |name: &str| if there.contains(&name) { json!({META: said(name)}) } else { json!({}) };
        let mut params = CallToolRequestParams::new("pay");
        params.meta = Some(meta(in_meta("params")));
        let arguments = of(&ARGUMENTS).into_iter().map(|name| (name.to_owned(), json!(said(name))));
        params.arguments = Some(arguments.collect());
        server.call_tool(params, context(&headers, in_meta(META))).await.unwrap();
        let record = site.close(&layer).await.only().clone();
        let expected = there.first().map(|name| Some(said(name)));
        assert_eq!(*seen.lock(), [expected], "{there:?}");
        assert_eq!(record["input_sha256"], sha256_of(&json!({})));
        assert!(!format!("{}{record}", keeper.once()).contains("7ea5e"), "{there:?}");
    }
}

#[tokio::test]
async fn a_blank_one_is_taken_out_and_counts_as_not_sent() {
    let headers = [(HEADERS[0], " "), (HEADERS[1], "")];
    let arguments = json!({ARGUMENTS[0]: "", ARGUMENTS[2]: "7ea5e"});
    let context = context(&headers, json!({META: "\t"}));
    let (saw, given, _) = once(Keeper::of(json!({})), &Rules::enforce(), arguments, context).await;
    assert_eq!(saw, token("7ea5e"));
    assert_eq!(given["params"]["arguments"], json!({}));
    assert!(!given.to_string().contains("approval"), "{given}");
}

#[tokio::test]
async fn an_argument_that_the_tool_declares_is_its_own() {
    let at_top = json!({"properties": {"approval_token": {"type": "string"}}});
    let by_reference = json!({"$ref": "#/$defs/all", "$defs": {"all": at_top}});
    for schema in [at_top, by_reference] {
        let arguments = json!({"approval_token": "mine", "approvalToken": "7ea5e"});
        let kept = json!({"approval_token": "mine"});
        let context = detached_context();
        let (saw, given, record) =
            once(Keeper::of(schema), &Rules::enforce(), arguments, context).await;
        assert_eq!(saw, token("7ea5e"));
        assert_eq!(given["params"]["arguments"], kept);
        assert_eq!(record["input_sha256"], sha256_of(&kept));
    }
    // Deeper down it is no declaration of what stands at the top; and what stands deeper is no token.
    let schema = json!({"properties": {"in": {"properties": {"approval_token": {}}}}});
    let arguments = json!({"approval_token": "7ea5e", "in": {"approval_token": "mine"}});
    let (saw, given, _) =
        once(Keeper::of(schema), &Rules::enforce(), arguments, detached_context()).await;
    assert_eq!(saw, token("7ea5e"));
    assert_eq!(given["params"]["arguments"], json!({"in": {"approval_token": "mine"}}));
}

#[tokio::test]
async fn no_rule_of_the_policy_and_no_limit_on_arguments_counts_it() {
    let rule = "{id: t, tool: '*', pointer: /approval_token, op: exists, effect: deny}";
    let rules = Rules::enforce().on_arguments(rule).max_kb(1);
    let arguments = json!({"approval_token": "t".repeat(2048)});
    let (saw, given, record) =
        once(Keeper::of(json!({})), &rules, arguments, detached_context()).await;
    assert_eq!((saw, &given["params"]["arguments"]), (Some(None), &json!({})));
    assert_eq!(record["policy"]["decision"], "allow");
}

#[tokio::test]
async fn a_call_that_is_run_again_is_run_without_it() {
    let mut keeper = Keeper::of(json!({}));
    keeper.fails = 2;
    let (site, seen) = (Site::default(), Seen::default());
    let layer = site.layer(&Rules::enforce().retries(3));
    let server = watched(keeper.clone(), &layer.steps(), &seen);
    let headers = HEADERS.map(|name| (name, "7ea5e"));
    let mut params = CallToolRequestParams::new("pay");
    params.meta = Some(meta(json!({META: "7ea5e"})));
    params.arguments = Some(object(json!({"approvalToken": "7ea5e", "n": 1})));
    server.call_tool(params, context(&headers, json!({META: "7ea5e"}))).await.unwrap();
    let given = keeper.given();
    assert_eq!((given.len(), seen.lock().len()), (3, 1));
    for given in given {
        assert_eq!(given["params"]["arguments"], json!({"n": 1}));
        assert!(!given.to_string().contains("7ea5e"), "{given}");
    }
    assert_eq!(site.close(&layer).await.only()["retries"], 2);
}

#[tokio::test]
async fn one_that_is_no_token_is_taken_out_and_fits_nothing() {
    let values = [
        json!("7ea5e".repeat(1 << 18)),
        json!("7ea5e\r\nx-node-id: root"),
        json!("7ea5e\0\u{1b}[2J"),
        json!(7_015_000),
        json!(null),
        json!(["7ea5e"]),
        json!({"token": "7ea5e"}),
    ];
    for value in values {
        for name in [META].into_iter().chain(ARGUMENTS) {
            let (of_meta, arguments) = if name == META {
                (json!({META: value}), json!({}))
            } else {
                (json!({}), json!({name: value}))
            };
            let (saw, given, record) =
                once(Keeper::of(json!({})), &Rules::enforce(), arguments, context(&[], of_meta))
                    .await;
            assert_eq!(saw, Some(None), "{name}");
            let all = format!("{given}{record}");
            assert!(!all.contains("7ea5e") && !all.contains("7015000"), "{name}");
            assert_eq!(
                (&record["status"], &record["claims_rejected"]),
                (&json!("ok"), &Value::Null)
            );
        }
    }
    // Two that differ are not one; two that are the same are.
    for (second, saw) in [("other", Some(None)), ("7ea5e", token("7ea5e"))] {
        let headers = [(HEADERS[0], "7ea5e"), (HEADERS[0], second), (HEADERS[1], "7ea5e")];
        let (seen, given, _) =
            once(Keeper::of(json!({})), &Rules::enforce(), json!({}), context(&headers, json!({})))
                .await;
        assert_eq!(seen, saw);
        assert!(!given.to_string().contains("approval"), "{given}");
    }
}

#[tokio::test]
async fn a_tool_that_nobody_knows_has_no_argument_of_its_own() {
    let (site, seen) = (Site::default(), Seen::default());
    let layer = site.layer(&Rules::enforce());
    let server = watched(Keeper::of(json!({})), &layer.steps(), &seen);
    let arguments = json!({"approval_token": "7ea5e", "n": 1});
    ask_in(&server, "nope", arguments, detached_context()).await.unwrap_err();
    assert_eq!(*seen.lock(), [token("7ea5e")]);
    let record = site.close(&layer).await.only().clone();
    assert_eq!(record["input_sha256"], sha256_of(&json!({"n": 1})));
}

#[tokio::test]
async fn until_the_tools_are_frozen_arguments_stay_and_afterwards_they_do_not() {
    let (site, seen, latch) = (Site::default(), Seen::default(), Latch::new());
    let mut keeper = Keeper::of(json!({}));
    keeper.latch = Some(latch.clone());
    let layer: Sec0SecurityLayer = site.layer(&Rules::enforce());
    let server = watched(keeper.clone(), &layer.steps(), &seen);
    latch.entered(1).await;
    latch.release(2);
    let arguments = || json!({"approval_token": "7ea5e"});
    for _ in 0..2 {
        let context = context(&[(HEADERS[1], "by header")], json!({}));
        ask_in(&server, "pay", arguments(), context).await.unwrap();
    }
    assert_eq!(*seen.lock(), [token("by header"), token("by header")]);
    let given = keeper.given();
    assert_eq!(given[0]["params"]["arguments"], arguments());
    assert_eq!(given[1]["params"]["arguments"], json!({}));
    assert!(given.iter().all(|given| !given["headers"].as_str().unwrap().contains("by header")));
    site.close(&layer).await;
}

#[test]
fn the_spellings_are_those_of_the_documentation() {
    assert_eq!(ApprovalToken::HEADERS, HEADERS);
    assert_eq!(ApprovalToken::META, META);
    assert_eq!(ApprovalToken::ARGUMENTS, ARGUMENTS);
    let page = include_str!("../../docs/audit.md");
    for name in HEADERS.into_iter().chain([META]).chain(ARGUMENTS) {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
