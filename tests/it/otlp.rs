//! Telemetry over the wire: what a collector gets, decoded, and what a collector that does not
//! answer does to calls.

use crate::claims::TRACEPARENT;
use crate::drive::{DEMO_POLICY, Era, House, HttpServer, Session, call};
use crate::support::{
    Latch, Rules, Runs, Site, ask, ask_in, demo, done, eventually, is_fine, soon, tool, trace,
};
use crate::transport::layered;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode as Code};
use prost::Message as _;
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, RequestMetaObject, object};
use sec0::mcp::detached_context;
use sec0::otel::{Otel, Telemetry, TraceContext, inject};
use sec0::{Policy, Sec0Options, Sec0SecurityLayer};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Something that takes telemetry, on a port of this machine.
struct Collector {
    url: String,
    taken: Arc<Mutex<Vec<Taken>>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Taken {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Collector {
    async fn start() -> Self {
        Self::answering(StatusCode::OK).await
    }

    async fn answering(status: StatusCode) -> Self {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&taken);
        let app = Router::new().fallback(move |uri: Uri, headers: HeaderMap, body: Bytes| {
            kept.lock().unwrap().push(Taken { path: uri.path().to_owned(), headers, body });
            async move { status }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, taken, task }
    }

    fn otel(&self) -> Otel {
        otel(&self.url)
    }

    fn at(&self, path: &str) -> Vec<Taken> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter(|taken| taken.path == path).cloned().collect()
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let taken = self.at("/v1/traces");
        taken
            .iter()
            .map(|taken| ExportTraceServiceRequest::decode(taken.body.clone()).unwrap())
            .collect()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    fn only_span(&self) -> Span {
        let mut spans = self.spans();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }

    /// The newest of each metric.
    fn metrics(&self) -> BTreeMap<String, Metric> {
        let taken = self.at("/v1/metrics");
        let requests = taken
            .iter()
            .map(|taken| ExportMetricsServiceRequest::decode(taken.body.clone()).unwrap());
        let resources = requests.flat_map(|request| request.resource_metrics);
        let scopes = resources.flat_map(|resource| resource.scope_metrics);
        let metrics = scopes.flat_map(|scope| scope.metrics);
        metrics.map(|metric| (metric.name.clone(), metric)).collect()
    }

    /// Everything that came, as bytes.
    fn holds(&self, text: &str) -> bool {
        let taken = self.taken.lock().unwrap();
        taken
            .iter()
            .any(|taken| taken.body.windows(text.len()).any(|window| window == text.as_bytes()))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn otel(endpoint: &str) -> Otel {
    Otel::new().endpoint(endpoint).service_name("orders").environment("prod")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn plain(value: &Option<AnyValue>) -> Value {
    match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::BoolValue(flag)) => json!(flag),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(any_value::Value::DoubleValue(number)) => json!(number),
        Some(any_value::Value::ArrayValue(list)) => {
            list.values.iter().map(|value| plain(&Some(value.clone()))).collect()
        }
        _ => Value::Null,
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, Value> {
    pairs.iter().map(|pair| (pair.key.clone(), plain(&pair.value))).collect()
}

/// A layer of its own log, with this telemetry.
fn layer_with(site: &Site, rules: &Rules, otel: Otel) -> Sec0SecurityLayer {
    Sec0SecurityLayer::try_new(site.options(rules).otel(otel)).unwrap()
}

/// The points of a counter or gauge, by their attributes.
fn points(metric: &Metric) -> BTreeMap<String, i64> {
    let points = match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => &sum.data_points,
        Data::Gauge(gauge) => &gauge.data_points,
        other => panic!("{other:?}"),
    };
    points
        .iter()
        .map(|point| {
            let attributes = attributes(&point.attributes);
            let named: Vec<_> =
                attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let Some(number_data_point::Value::AsInt(value)) = point.value else {
                panic!("{point:?}")
            };
            (named.join(" "), value)
        })
        .collect()
}

#[tokio::test]
async fn the_span_of_a_call_and_its_record_have_one_pair_of_ids() {
    let (collector, site) = (Collector::start().await, Site::default());
    let rules = Rules::enforce().allow(&["mcp://demo/add"]);
    let otel = collector.otel().header("x-api-key", "k3y").attribute("team", "desk");
    let layer = layer_with(&site, &rules, otel);
    let runs = Runs::default();
    let server = demo()
        .tool(tool("add", Some("1.0")), runs.handler())
        .tool(tool("rm", Some("1.0")), runs.handler())
        .layer(layer.clone());
    let added = ask(&server, "add", json!({"text": "c0nfidential"})).await;
    assert!(is_fine(&added));
    ask(&server, "rm", json!({"text": "c0nfidential"})).await.unwrap();
    let lines = site.close(&layer).await;

    let spans = collector.spans();
    assert_eq!(spans.len(), 2);
    for (span, record) in spans.iter().zip(&lines.calls) {
        assert_eq!(record["trace_id"], hex(&span.trace_id));
        assert_eq!(record["span_id"], hex(&span.span_id));
        assert_eq!(span.kind(), SpanKind::Server);
        assert!(span.parent_span_id.is_empty());
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        let (said, known) = (attributes(&span.attributes), json!("tools/call"));
        assert_eq!(said["mcp.method.name"], known);
        assert_eq!(said["jsonrpc.request.id"], "0");
        assert_eq!(said["network.transport"], "pipe");
        assert_eq!(said["sec0.server.name"], "demo");
        assert_eq!(said["sec0.outcome"], record["status"]);
        assert_eq!(said["sec0.decision"], record["policy"]["decision"]);
    }
    assert_eq!(trace(&added)["trace_id"], hex(&spans[0].trace_id));
    let of = |at: usize| (spans[at].name.clone(), attributes(&spans[at].attributes));
    let (name, said) = of(0);
    assert_eq!((&*name, &said["gen_ai.tool.name"]), ("tools/call add", &json!("add")));
    assert_eq!((said["sec0.tool.version"].clone(), said.get("error.type")), (json!("1.0"), None));
    assert_eq!(spans[0].status.as_ref().unwrap().code(), Code::Ok);
    let (name, said) = of(1);
    assert_eq!(&*name, "tools/call rm");
    assert_eq!(said["error.type"], "tool_not_in_allowlist");
    assert_eq!(said["sec0.denial.code"], "POLICY_DENIED");
    assert_eq!(said["sec0.executed"], false);
    assert_eq!(spans[1].status.as_ref().unwrap().code(), Code::Error);

    let taken = collector.at("/v1/traces");
    assert!(taken.iter().all(|taken| taken.headers["x-api-key"] == "k3y"));
    for request in collector.requests() {
        for resource in request.resource_spans {
            let said = attributes(&resource.resource.unwrap().attributes);
            assert_eq!(said["service.name"], "orders");
            assert_eq!(said["deployment.environment.name"], "prod");
            assert_eq!(said["team"], "desk");
        }
    }
    assert_eq!(lines.calls[0]["env"], "prod");
    assert!(!collector.holds("c0nfidential"), "an argument was exported");
    assert!(!collector.holds("local:"), "a principal was exported");
}

#[tokio::test]
async fn each_way_in_which_a_call_ends_has_its_error_type() {
    let (collector, site) = (Collector::start().await, Site::default());
    let layer = layer_with(&site, &Rules::enforce().max_ms(50), collector.otel());
    let (runs, latch) = (Runs::default(), Latch::new());
    let server = demo()
        .tool(tool("fails", Some("1.0")), |_| async { CallToolResult::error(vec![]) })
        .tool(tool("panics", Some("1.0")), |_| async {
            if true {
                panic!("on purpose");
            }
            done()
        })
        .tool(tool("held", Some("1.0")), latch.handler(&runs))
        .layer(layer.clone());
    assert!(!is_fine(&ask(&server, "fails", json!({})).await));
    ask(&server, "panics", json!({})).await.unwrap_err();
    ask(&server, "held", json!({})).await.unwrap();
    ask(&server, "none", json!({})).await.unwrap_err();
    let mut dropped = Box::pin(ask_in(&server, "held", json!({}), detached_context()));
    tokio::select! {
        biased;
        _ = &mut dropped => panic!("it is held"),
        () = latch.entered(2) => {}
    }
    drop(dropped);
    let lines = site.close(&layer).await;

    let ended: Vec<_> = collector
        .spans()
        .iter()
        .map(|span| (span.name.clone(), attributes(&span.attributes)["error.type"].clone()))
        .collect();
    let expected = [
        ("tools/call fails", "tool_error"),
        ("tools/call panics", "panicked"),
        ("tools/call held", "duration_too_long"),
        ("tools/call none", "unknown_tool"),
        ("tools/call held", "cancelled"),
    ];
    let expected = expected.map(|(name, error)| (name.to_owned(), json!(error)));
    assert_eq!(ended, expected);
    for (span, record) in collector.spans().iter().zip(&lines.calls) {
        assert_eq!(record["span_id"], hex(&span.span_id));
    }
}

#[tokio::test]
async fn a_call_goes_on_with_the_trace_of_its_caller_and_the_claim_stays_one() {
    for era in Era::ALL {
        let collector = Collector::start().await;
        let house = House::new(DEMO_POLICY);
        let layer = Sec0SecurityLayer::try_new(house.options().otel(collector.otel())).unwrap();
        let server = layered(&layer);
        let http = HttpServer::start(move || server.clone()).await;
        let headers: [(&str, &[u8]); 2] =
            [("traceparent", TRACEPARENT.as_bytes()), ("tracestate", b"acme=1")];
        let client = era.connect_http(&http.url, &headers).await;
        call(&client, "echo", json!({"text": "x"})).await.unwrap();
        client.cancel().await.unwrap();
        http.stop().await;
        layer.try_shutdown().await.unwrap();
        let (span, record) = (collector.only_span(), house.records().remove(0));
        assert_eq!(hex(&span.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736", "{era:?}");
        assert_eq!(hex(&span.parent_span_id), "00f067aa0ba902b7");
        assert_eq!(span.trace_state, "acme=1");
        assert_eq!(record["trace_id"], hex(&span.trace_id));
        assert_eq!(record["span_id"], hex(&span.span_id));
        assert_eq!(record["cause_trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(record["cause_span_id"], "00f067aa0ba902b7");
        assert_eq!(attributes(&span.attributes)["network.transport"], "tcp");
    }
}

#[tokio::test]
async fn the_caller_is_found_in_meta_too_and_what_is_no_trace_begins_a_new_one() {
    for (sent, is_joined) in [(TRACEPARENT, true), ("00-not-a-trace", false)] {
        let collector = Collector::start().await;
        let house = House::new(DEMO_POLICY);
        let layer = Sec0SecurityLayer::try_new(house.options().otel(collector.otel())).unwrap();
        let session = Session::open(Era::ALL[0], layered(&layer)).await;
        let mut params =
            CallToolRequestParams::new("echo").with_arguments(object(json!({"text": "x"})));
        let meta = json!({"traceparent": sent, "tracestate": "acme=1"});
        params.meta = Some(serde_json::from_value::<RequestMetaObject>(meta).unwrap());
        session.client.call_tool(params).await.unwrap();
        session.close().await;
        layer.try_shutdown().await.unwrap();
        let span = collector.only_span();
        assert_eq!(hex(&span.trace_id) == "4bf92f3577b34da6a3ce929d0e0e4736", is_joined);
        assert_eq!(hex(&span.parent_span_id) == "00f067aa0ba902b7", is_joined);
        assert_eq!(span.trace_state == "acme=1", is_joined);
        assert_eq!(house.records().remove(0)["trace_id"], hex(&span.trace_id));
    }
}

#[tokio::test]
async fn a_server_for_strangers_links_the_callers_span_and_keeps_its_own_trace() {
    let collector = Collector::start().await;
    let house = House::new(DEMO_POLICY);
    let otel = collector.otel().links_callers();
    let layer = Sec0SecurityLayer::try_new(house.options().otel(otel)).unwrap();
    let server = layered(&layer);
    let http = HttpServer::start(move || server.clone()).await;
    let headers: [(&str, &[u8]); 1] = [("traceparent", TRACEPARENT.as_bytes())];
    let client = Era::ALL[0].connect_http(&http.url, &headers).await;
    call(&client, "echo", json!({"text": "x"})).await.unwrap();
    client.cancel().await.unwrap();
    http.stop().await;
    layer.try_shutdown().await.unwrap();
    let span = collector.only_span();
    assert_ne!(hex(&span.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(span.parent_span_id.is_empty());
    assert_eq!(span.links.len(), 1);
    assert_eq!(hex(&span.links[0].trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn what_a_handler_hands_on_is_the_place_of_its_call() {
    let (collector, site) = (Collector::start().await, Site::default());
    let layer = layer_with(&site, &Rules::enforce(), collector.otel());
    let server = demo()
        .tool(tool("ask", Some("1.0")), |_| async {
            let mut meta = serde_json::Map::new();
            assert!(inject(&mut meta));
            let place = TraceContext::current().unwrap();
            let spawned = tokio::spawn(place.carry(async { TraceContext::current().unwrap() }));
            let here = spawned.await.unwrap();
            let texts = [meta["traceparent"].as_str().unwrap().to_owned(), here.traceparent()];
            CallToolResult::success(texts.map(ContentBlock::text).to_vec())
        })
        .layer(layer.clone());
    let answer = ask(&server, "ask", json!({})).await.unwrap();
    assert_eq!(TraceContext::current(), None);
    site.close(&layer).await;
    let span = collector.only_span();
    let expected = format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id));
    for block in &answer.content {
        assert_eq!(serde_json::to_value(block).unwrap()["text"], *expected);
    }
}

#[tokio::test]
async fn successes_and_errors_are_sampled_apart() {
    let (collector, site) = (Collector::start().await, Site::default());
    let rules = Rules::enforce().allow(&["mcp://demo/add"]);
    let layer = layer_with(&site, &rules, collector.otel().success_ratio(0.0));
    let runs = Runs::default();
    let server = demo()
        .tool(tool("add", Some("1.0")), runs.handler())
        .tool(tool("rm", Some("1.0")), runs.handler())
        .layer(layer.clone());
    for _ in 0..20 {
        assert!(is_fine(&ask(&server, "add", json!({})).await));
        ask(&server, "rm", json!({})).await.unwrap();
    }
    site.close(&layer).await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 20);
    assert!(spans.iter().all(|span| span.name == "tools/call rm"));

    let (collector, site) = (Collector::start().await, Site::default());
    let layer = layer_with(&site, &rules, collector.otel().error_ratio(0.0).success_ratio(0.0));
    let server = demo().tool(tool("rm", Some("1.0")), runs.handler()).layer(layer.clone());
    ask(&server, "rm", json!({})).await.unwrap();
    site.close(&layer).await;
    assert_eq!(collector.spans(), []);
}

#[tokio::test]
async fn arguments_and_results_leave_only_when_asked_for_and_never_a_token() {
    let (collector, site) = (Collector::start().await, Site::default());
    let otel = collector.otel().export_arguments(40).export_results(1000);
    let layer = layer_with(&site, &Rules::enforce(), otel);
    let server =
        demo().tool(tool("add", Some("1.0")), Runs::default().handler()).layer(layer.clone());
    let sent = json!({"approval_token": "s3cret", "text": "x".repeat(100)});
    ask(&server, "add", sent).await.unwrap();
    site.close(&layer).await;
    let said = attributes(&collector.only_span().attributes);
    let arguments = said["gen_ai.tool.call.arguments"].as_str().unwrap();
    assert!(arguments.starts_with(r#"{"text":"xxx"#) && arguments.ends_with("x…"), "{arguments}");
    assert_eq!(arguments.len(), 40 + "…".len());
    assert!(said["gen_ai.tool.call.result"].as_str().unwrap().contains("done"));
    assert!(!collector.holds("s3cret"));
}

#[tokio::test]
async fn two_servers_in_one_process_do_not_mix() {
    let (one, other) = (Collector::start().await, Collector::start().await);
    let (site, other_site) = (Site::default(), Site::default());
    let layer = layer_with(&site, &Rules::enforce(), one.otel());
    let other_otel = other.otel().service_name("bills");
    let other_layer = layer_with(&other_site, &Rules::enforce(), other_otel);
    let runs = Runs::default();
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let second = demo().tool(tool("pay", Some("1.0")), runs.handler()).layer(other_layer.clone());
    for _ in 0..10 {
        let (added, paid) =
            tokio::join!(ask(&server, "add", json!({})), ask(&second, "pay", json!({})));
        assert!(is_fine(&added) && is_fine(&paid));
    }
    site.close(&layer).await;
    other_site.close(&other_layer).await;
    for (collector, name, service) in
        [(&one, "tools/call add", "orders"), (&other, "tools/call pay", "bills")]
    {
        assert_eq!(collector.spans().len(), 10);
        assert!(collector.spans().iter().all(|span| span.name == name));
        assert!(collector.holds(service));
    }
}

#[tokio::test]
async fn two_layers_may_share_one_export_and_the_end_of_one_does_not_end_it() {
    let collector = Collector::start().await;
    let telemetry = Telemetry::start(&collector.otel()).unwrap();
    let (site, other_site) = (Site::default(), Site::default());
    let with = |site: &Site| {
        let options: Sec0Options = site.options(&Rules::enforce()).telemetry(telemetry.clone());
        Sec0SecurityLayer::try_new(options).unwrap()
    };
    let (layer, other) = (with(&site), with(&other_site));
    let runs = Runs::default();
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let second = demo().tool(tool("pay", Some("1.0")), runs.handler()).layer(other.clone());
    ask(&server, "add", json!({})).await.unwrap();
    assert_eq!(site.close(&layer).await.only()["env"], "prod");
    assert_eq!(collector.spans().len(), 1, "what waited was exported at the end of a layer");
    ask(&second, "pay", json!({})).await.unwrap();
    other_site.close(&other).await;
    telemetry.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(collector.spans().len(), 2);
    assert_eq!(telemetry.dropped_spans(), 0);
}

#[tokio::test]
async fn a_collector_that_hangs_delays_no_call_and_its_spans_are_counted() {
    // Takes connections and never says anything.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let otel = otel(&url).queue(8).timeout(Duration::from_secs(120)).without_metrics();
    let telemetry = Telemetry::start(&otel).unwrap();
    let site = Site::default();
    let options = site.options(&Rules::enforce()).telemetry(telemetry.clone());
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let runs = Runs::default();
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    for _ in 0..100 {
        assert!(is_fine(&soon(ask(&server, "add", json!({}))).await));
    }
    assert_eq!(runs.get(), 100);
    assert!(telemetry.dropped_spans() >= 92, "{}", telemetry.dropped_spans());
    soon(telemetry.shutdown(Duration::from_millis(50))).await.unwrap_err();
    assert_eq!(soon(site.close(&layer)).await.calls.len(), 100);
    drop(listener);
}

#[tokio::test]
async fn a_collector_that_refuses_costs_spans_and_no_call() {
    let collector = Collector::answering(StatusCode::FORBIDDEN).await;
    let telemetry = Telemetry::start(&collector.otel().without_metrics()).unwrap();
    let site = Site::default();
    let options = site.options(&Rules::enforce()).telemetry(telemetry.clone());
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server =
        demo().tool(tool("add", Some("1.0")), Runs::default().handler()).layer(layer.clone());
    assert!(is_fine(&ask(&server, "add", json!({})).await));
    site.close(&layer).await;
    eventually(async || telemetry.dropped_spans() == 1).await;
}

#[tokio::test]
async fn dropping_the_last_user_flushes() {
    let (collector, site) = (Collector::start().await, Site::default());
    let layer = layer_with(&site, &Rules::enforce(), collector.otel());
    let server =
        demo().tool(tool("add", Some("1.0")), Runs::default().handler()).layer(layer.clone());
    ask(&server, "add", json!({})).await.unwrap();
    tokio::task::spawn_blocking(move || drop((server, layer))).await.unwrap();
    eventually(async || collector.spans().len() == 1).await;
}

#[tokio::test]
async fn calls_and_denials_are_counted_and_nothing_of_callers_is() {
    let (collector, site) = (Collector::start().await, Site::default());
    let rules = Rules::enforce().allow(&["mcp://demo/add"]);
    let layer = layer_with(&site, &rules, collector.otel());
    let runs = Runs::default();
    let server = demo()
        .tool(tool("add", Some("1.0")), runs.handler())
        .tool(tool("rm", Some("1.0")), runs.handler())
        .layer(layer.clone());
    for _ in 0..3 {
        ask(&server, "add", json!({"text": "c0nfidential"})).await.unwrap();
    }
    ask(&server, "rm", json!({})).await.unwrap();
    ask(&server, "m4de-up", json!({})).await.unwrap_err();
    site.close(&layer).await;

    let metrics = collector.metrics();
    let calls = points(&metrics["sec0.calls"]);
    assert_eq!(calls[r#"sec0.decision="allow" sec0.outcome="ok""#], 3);
    assert_eq!(calls[r#"sec0.decision="deny" sec0.outcome="denied""#], 2);
    let denials = points(&metrics["sec0.denials"]);
    let denied = r#"sec0.denial.code="POLICY_DENIED" sec0.reason="tool_not_in_allowlist""#;
    assert_eq!(denials[denied], 1);
    assert_eq!(denials.len(), 2);
    let Some(Data::Histogram(durations)) = &metrics["mcp.server.operation.duration"].data else {
        panic!("{metrics:#?}")
    };
    let tools: Vec<_> = durations
        .data_points
        .iter()
        .map(|point| (attributes(&point.attributes).get("gen_ai.tool.name").cloned(), point.count))
        .collect();
    assert!(tools.contains(&(Some(json!("add")), 3)), "{tools:?}");
    let taken = collector.at("/v1/metrics");
    assert!(!taken.is_empty());
    for secret in ["c0nfidential", "m4de-up", "local:"] {
        let holds =
            |taken: &Taken| taken.body.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!taken.iter().any(holds), "{secret}");
    }
}

#[tokio::test]
async fn how_a_layer_stands_is_measured() {
    let (collector, dir) = (Collector::start().await, tempfile::tempdir().unwrap());
    let yaml = crate::approving::policy("wait_ms: 0")
        .replace("{mode: enforce}", "{mode: enforce, circuit_breakers: {error_rate_pct: 50}}");
    let policy = Policy::from_yaml(&yaml).unwrap_or_else(|error| panic!("{error}"));
    let options = Sec0Options::new(policy).audit_dir(dir.path().join("audit"));
    let layer = Sec0SecurityLayer::try_new(options.otel(collector.otel())).unwrap();
    let runs = Runs::default();
    let server = demo()
        .tool(tool("write_file", Some("1.0")), runs.handler())
        .tool(tool("fails", Some("1.0")), |_| async { CallToolResult::error(vec![]) })
        .layer(layer.clone());
    ask(&server, "write_file", json!({"path": "a"})).await.unwrap();
    for _ in 0..60 {
        ask(&server, "fails", json!({})).await.unwrap();
    }
    layer.try_shutdown().await.unwrap();

    let metrics = collector.metrics();
    let only = |name: &str| points(&metrics[name])[""];
    assert_eq!(only("sec0.approvals.pending"), 1);
    assert_eq!(only("sec0.approvals.held"), 0);
    assert_eq!((only("sec0.audit.queue"), only("sec0.calls.active")), (0, 0));
    assert!(metrics.contains_key("sec0.audit.failing"));
    let breakers = points(&metrics["sec0.breaker.open"]);
    assert_eq!(breakers[r#"gen_ai.tool.name="fails" sec0.server.name="demo""#], 1);
    assert_eq!(breakers[r#"gen_ai.tool.name="write_file" sec0.server.name="demo""#], 0);
    let Some(Data::Histogram(syncs)) = &metrics["sec0.audit.sync.duration"].data else {
        panic!("{metrics:#?}")
    };
    assert!(syncs.data_points.iter().any(|point| point.count > 0));
    assert!(points(&metrics["sec0.telemetry.spans"])[r#"sec0.fate="not_taken""#] == 0);
}

fn observing(more: &str) -> Policy {
    let yaml = format!("{}observability: {more}\n", Rules::enforce().yaml());
    Policy::from_yaml(&yaml).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn a_policy_that_demands_telemetry_needs_its_parts_and_one_that_forbids_it_has_none() {
    let with = |policy: Policy| {
        Sec0Options::new(policy).audit_sink(Site::default().sink).signer(crate::support::key())
    };
    let error = Sec0SecurityLayer::try_new(with(observing("{enabled: true}"))).unwrap_err();
    for part in ["`otel.endpoint`", "`otel.serviceName`", "`otel.environment`"] {
        assert!(error.to_string().contains(part), "{error}");
    }

    let collector = Collector::start().await;
    let endpoint = &collector.url;
    let policy = observing(&format!(
        "{{enabled: true, otlp_endpoint: '{endpoint}', sample: {{success: 0, error: 1}}}}"
    ));
    let named = Otel::new().service_name("orders").environment("prod");
    let layer = Sec0SecurityLayer::try_new(with(policy).otel(named)).unwrap();
    let server = demo()
        .tool(tool("add", Some("1.0")), Runs::default().handler())
        .tool(tool("fails", Some("1.0")), |_| async { CallToolResult::error(vec![]) })
        .layer(layer.clone());
    ask(&server, "add", json!({})).await.unwrap();
    ask(&server, "fails", json!({})).await.unwrap();
    layer.try_shutdown().await.unwrap();
    assert_eq!(collector.only_span().name, "tools/call fails");

    let collector = Collector::start().await;
    let options = with(observing("{enabled: false}")).otel(collector.otel());
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server =
        demo().tool(tool("add", Some("1.0")), Runs::default().handler()).layer(layer.clone());
    ask(&server, "add", json!({})).await.unwrap();
    layer.try_shutdown().await.unwrap();
    assert!(collector.taken.lock().unwrap().is_empty());
}

/// Keeps what a program exports by itself.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<opentelemetry_sdk::trace::SpanData>>>);

impl opentelemetry_sdk::trace::SpanExporter for Kept {
    async fn export(
        &self,
        batch: Vec<opentelemetry_sdk::trace::SpanData>,
    ) -> opentelemetry_sdk::error::OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

#[tokio::test]
async fn where_the_program_exports_its_own_spans_the_record_has_their_ids_and_none_is_told_twice() {
    use opentelemetry::trace::TracerProvider as _;
    use tracing_subscriber::layer::SubscriberExt as _;
    let kept = Kept::default();
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
        .with_simple_exporter(kept.clone())
        .build();
    let bridge = tracing_opentelemetry::layer().with_tracer(provider.tracer("program"));
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(bridge));
    let (collector, site) = (Collector::start().await, Site::default());
    let layer = layer_with(&site, &Rules::enforce(), collector.otel());
    let server = demo()
        .tool(tool("add", Some("1.0")), |_| async {
            tracing::info_span!("inner").in_scope(|| ());
            let place = TraceContext::current().unwrap();
            CallToolResult::success(vec![ContentBlock::text(place.traceparent())])
        })
        .layer(layer.clone());
    let mut context = detached_context();
    context.meta.0.0.insert("traceparent".to_owned(), TRACEPARENT.into());
    ask_in(&server, "add", json!({}), context).await.unwrap();
    let lines = site.close(&layer).await;
    drop(guard);

    let spans = kept.0.lock().unwrap().clone();
    let call = spans.iter().find(|span| span.name == "tools/call add").unwrap();
    let ids = (call.span_context.trace_id().to_string(), call.span_context.span_id().to_string());
    assert_eq!(ids.0, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(call.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert_eq!(lines.only()["trace_id"], ids.0);
    assert_eq!(lines.only()["span_id"], ids.1);
    let inner = spans.iter().find(|span| span.name == "inner").unwrap();
    assert_eq!(inner.parent_span_id, call.span_context.span_id());
    assert_eq!(collector.spans(), []);
    assert!(collector.metrics().contains_key("sec0.calls"));
}
