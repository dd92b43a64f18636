//! What the span of a call says.

use super::*;

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
            assert_eq!(done().is_error, None, "on purpose");
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
            let mut spawned = tokio::task::JoinSet::new();
            spawned.spawn(place.carry(async { TraceContext::current().unwrap() }));
            let here = spawned.join_next().await.unwrap().unwrap();
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

#[tokio::test]
async fn hops_have_spans_of_their_own_kind_in_the_trace_of_their_run() {
    let collector = Collector::start().await;
    let place = Place::shop(OPEN);
    let file = place.dir.path().join("sec0.config.yaml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    let endpoint = &collector.url;
    text = format!(
        "{text}otel: {{endpoint: '{endpoint}', serviceName: shop, environment: staging}}\n"
    );
    std::fs::write(&file, text).unwrap();
    let app = place.app();
    let done: Result<(), sec0::Refusal> = app
        .hop("OrderAgent.run")
        .unwrap()
        .run((), |_| async { app.hop("Stock.look")?.run((), |_| async { Ok(()) }).await })
        .await;
    done.unwrap();
    let records = place.records(&app).await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 2);
    for (key, operation) in [("OrderAgent.run", "invoke_agent"), ("Stock.look", "execute_tool")] {
        let record = of(&records, key);
        let span = spans.iter().find(|span| record["span_id"] == hex(&span.span_id)).unwrap();
        assert_eq!(record["trace_id"], hex(&span.trace_id));
        assert_eq!(record["env"], "staging");
        assert_eq!(span.kind(), SpanKind::Internal);
        assert!(span.name.starts_with(operation), "{}", span.name);
        assert_eq!(attributes(&span.attributes)["gen_ai.operation.name"], operation);
        let parent = record["cause_span_id"].as_str().unwrap_or_default();
        assert_eq!(parent, hex(&span.parent_span_id));
    }
}
