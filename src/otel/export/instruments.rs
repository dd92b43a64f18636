use super::counted::{Counted, Counts};
use crate::audit::SyncedFile;
use crate::call::{CircuitState, Decision, Work};
use crate::otel::error::OtelError;
use crate::otel::gauges::{Gauges, Reading};
use crate::otel::settings::Settings;
use crate::otel::told::Told;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The bounds that the conventions for MCP give for the time of an operation, in seconds.
const OPERATION: [f64; 14] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Of a disk, in seconds.
const SYNC: [f64; 12] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

type Watched = Arc<Mutex<Vec<Weak<dyn Gauges>>>>;

/// The metrics of calls, and of how layers stand.
pub(super) struct Instruments {
    provider: SdkMeterProvider,
    calls: Counter<u64>,
    denials: Counter<u64>,
    would_deny: Counter<u64>,
    duration: Histogram<f64>,
    sync: Histogram<f64>,
    watched: Watched,
}

impl Instruments {
    pub(super) fn start(
        settings: &Settings,
        (endpoint, headers): (&str, HashMap<String, String>),
        (resource, client): (&Resource, reqwest::blocking::Client),
        counts: &Arc<Counts>,
    ) -> Result<Self, OtelError> {
        let exporter = MetricExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_headers(headers)
            .with_timeout(settings.timeout)
            .build()
            .map_err(|error| OtelError::Exporter(error.to_string()))?;
        let exporter = Counted { inner: exporter, counts: Arc::clone(counts) };
        let mut reader = PeriodicReader::builder(exporter);
        if let Some(period) = settings.metrics_every {
            reader = reader.with_interval(period);
        }
        let provider = SdkMeterProvider::builder()
            .with_reader(reader.build())
            .with_resource(resource.clone())
            .build();
        let scope =
            InstrumentationScope::builder("sec0").with_version(env!("CARGO_PKG_VERSION")).build();
        let meter = provider.meter_with_scope(scope);
        let counter = |name: &'static str, unit: &'static str, about: &'static str| {
            meter.u64_counter(name).with_unit(unit).with_description(about).build()
        };
        let histogram = |name: &'static str, bounds: &[f64], about: &'static str| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(about);
            histogram.with_boundaries(bounds.to_vec()).build()
        };
        let watched = Watched::default();
        observe(&meter, &watched, counts);
        Ok(Self {
            calls: counter("sec0.calls", "{call}", "calls, by how they ended"),
            denials: counter("sec0.denials", "{call}", "calls that were refused, by reason"),
            would_deny: counter(
                "sec0.would_deny",
                "{finding}",
                "what was found and did not refuse",
            ),
            duration: histogram("mcp.server.operation.duration", &OPERATION, "time of a call"),
            sync: histogram("sec0.audit.sync.duration", &SYNC, "time of a sync of the audit log"),
            provider,
            watched,
        })
    }

    pub(super) fn count(&self, work: Work, told: &Told<'_>, took: Duration) {
        let outcome = KeyValue::new("sec0.outcome", told.status.as_str());
        let decision = told.seen.map_or(Decision::Deny, |seen| seen.decision);
        self.calls.add(1, &[outcome, KeyValue::new("sec0.decision", decision.as_str())]);
        if let (Some(reason), Some(refusal)) = (told.reason(), told.refusal) {
            let code = KeyValue::new("sec0.denial.code", refusal.code().as_str());
            self.denials.add(1, &[KeyValue::new("sec0.reason", reason.as_str().to_owned()), code]);
        }
        if let Some(seen) = told.seen.filter(|seen| seen.decision == Decision::WouldDeny) {
            for reason in &seen.reasons {
                let reason = KeyValue::new("sec0.reason", reason.as_str().to_owned());
                self.would_deny.add(1, &[reason]);
            }
        }
        let operation = if work.is_served() { "mcp.method.name" } else { "gen_ai.operation.name" };
        let mut attributes = Vec::with_capacity(3);
        attributes.push(KeyValue::new(operation, work.operation()));
        if let Some(tool) = told.seen.and_then(|seen| seen.tool.clone()) {
            attributes.push(KeyValue::new("gen_ai.tool.name", tool));
        }
        if let Some(error) = told.error_type() {
            attributes.push(KeyValue::new("error.type", error.into_owned()));
        }
        self.duration.record(took.as_secs_f64(), &attributes);
    }

    pub(super) fn synced(&self, file: SyncedFile, took: Duration) {
        let file = KeyValue::new("sec0.audit.file", file.as_str());
        self.sync.record(took.as_secs_f64(), &[file]);
    }

    pub(super) fn watch(&self, gauges: Weak<dyn Gauges>) {
        let mut watched = self.watched.lock();
        watched.retain(|gauges| gauges.strong_count() > 0);
        watched.push(gauges);
    }

    pub(super) fn flush(&self) -> OTelSdkResult {
        self.provider.force_flush()
    }

    pub(super) fn shutdown(&self, within: Duration) -> OTelSdkResult {
        self.provider.shutdown_with_timeout(within)
    }
}

impl std::fmt::Debug for Instruments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instruments").finish_non_exhaustive()
    }
}

/// How all layers stand that are watched.
fn readings(watched: &Watched) -> Vec<Reading> {
    // Asked without the lock: a layer may take its time, and another may come.
    let layers: Vec<_> = watched.lock().iter().filter_map(Weak::upgrade).collect();
    layers.iter().map(|layer| layer.read()).collect()
}

/// What is looked at when metrics are exported.
fn observe(meter: &Meter, watched: &Watched, counts: &Arc<Counts>) {
    let gauge = |name: &'static str,
                 unit: &'static str,
                 about: &'static str,
                 of: fn(&Reading) -> Option<u64>| {
        let watched = Arc::clone(watched);
        let gauge = meter.u64_observable_gauge(name).with_unit(unit).with_description(about);
        let observed = gauge.with_callback(move |observer| {
            let known: Vec<_> = readings(&watched).iter().filter_map(of).collect();
            if !known.is_empty() {
                observer.observe(known.iter().sum(), &[]);
            }
        });
        observed.build();
    };
    gauge("sec0.approvals.pending", "{approval}", "approvals that nobody has decided", |it| {
        it.approvals_pending
    });
    gauge("sec0.approvals.held", "{call}", "calls that are held for a decision", |it| {
        Some(it.calls_held)
    });
    gauge("sec0.audit.queue", "{record}", "records that are not written yet", |it| {
        Some(it.audit_queue)
    });
    gauge("sec0.calls.active", "{call}", "calls under way", |it| Some(it.calls_under_way));
    gauge("sec0.audit.failing", "{log}", "logs that cannot be written now", |it| {
        Some(u64::from(it.is_failing))
    });
    breakers(meter, watched);
    let counts = Arc::clone(counts);
    meter
        .u64_observable_counter("sec0.telemetry.spans")
        .with_unit("{span}")
        .with_description("spans, by what became of them")
        .with_callback(move |observer| {
            let fate = |fate: &'static str| [KeyValue::new("sec0.fate", fate)];
            observer.observe(counts.exported(), &fate("exported"));
            observer.observe(counts.too_many(), &fate("queue_full"));
            observer.observe(counts.not_taken(), &fate("not_taken"));
        })
        .build();
}

fn breakers(meter: &Meter, watched: &Watched) {
    let watched = Arc::clone(watched);
    meter
        .u64_observable_gauge("sec0.breaker.open")
        .with_unit("{circuit}")
        .with_description("1 where the circuit of a tool is open, 0 where it is closed")
        .with_callback(move |observer| {
            for circuit in readings(&watched).iter().flat_map(|reading| &reading.circuits) {
                let is_open = circuit.state == CircuitState::Open;
                let tool = KeyValue::new("gen_ai.tool.name", circuit.tool.to_string());
                let server = circuit.server.as_ref();
                let server = server
                    .map(|server| KeyValue::new("sec0.server.name", server.name().to_owned()));
                let attributes: Vec<_> = server.into_iter().chain([tool]).collect();
                observer.observe(u64::from(is_open), &attributes);
            }
        })
        .build();
}
