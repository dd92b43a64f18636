//! Where telemetry goes, how much of it, and what becomes of it where nobody takes it.

use super::*;

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
    let otel = otel(&url).queue(8).timeout(Duration::from_mins(2)).without_metrics();
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
