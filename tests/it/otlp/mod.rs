//! Telemetry over the wire: what a collector gets, decoded, and what a collector that does not
//! answer does to calls.

mod export;
mod metrics;
mod spans;

use crate::claims::TRACEPARENT;
use crate::drive::{DEMO_POLICY, Era, House, HttpServer, Session, call};
use crate::hops::support::{OPEN, Place, of};
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
    task: tokio::task::JoinSet<()>,
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
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move { axum::serve(listener, app).await.unwrap() });
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
        self.task.abort_all();
    }
}

fn otel(endpoint: &str) -> Otel {
    Otel::new().endpoint(endpoint).service_name("orders").environment("prod")
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut hex = String::new();
    for byte in bytes {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

fn plain(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::BoolValue(flag)) => json!(flag),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(any_value::Value::DoubleValue(number)) => json!(number),
        Some(any_value::Value::ArrayValue(list)) => {
            list.values.iter().map(|value| plain(Some(value))).collect()
        }
        _ => Value::Null,
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, Value> {
    pairs.iter().map(|pair| (pair.key.clone(), plain(pair.value.as_ref()))).collect()
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
