//! What is counted, and what a policy says of telemetry.

use super::*;

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
    let otel = collector.otel().metrics_every(Duration::from_millis(20));
    let layer = Sec0SecurityLayer::try_new(options.otel(otel)).unwrap();
    let runs = Runs::default();
    let server = demo()
        .tool(tool("write_file", Some("1.0")), runs.handler())
        .tool(tool("fails", Some("1.0")), |_| async { CallToolResult::error(vec![]) })
        .layer(layer.clone());
    ask(&server, "write_file", json!({"path": "a"})).await.unwrap();
    for _ in 0..60 {
        ask(&server, "fails", json!({})).await.unwrap();
    }
    // The store of approvals can be asked only while the layer is at work.
    let pending = || collector.metrics().get("sec0.approvals.pending").map(|it| points(it)[""]);
    eventually(async || pending() == Some(1)).await;
    layer.try_shutdown().await.unwrap();

    let metrics = collector.metrics();
    let only = |name: &str| points(&metrics[name])[""];
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
