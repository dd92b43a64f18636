use super::caller::Caller;
use super::client::client;
use super::counted::{Counted, Counts};
use super::instruments::Instruments;
use super::span::{span, state_of};
use crate::audit::SyncedFile;
use crate::call::{ApprovalToken, Call, SpanIds, Status, Work};
use crate::clock::{Clock, System};
use crate::identity::Claimant;
use crate::otel::context::TraceContext;
use crate::otel::error::OtelError;
use crate::otel::gauges::Gauges;
use crate::otel::live::{Began, Detail};
use crate::otel::settings::{Sampling, Settings};
use crate::otel::text::bounded_json;
use crate::otel::told::Told;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanProcessor};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long the drop of the last user of an export waits for it.
const DROPPED_WITHIN: Duration = Duration::from_secs(2);

/// The way of telemetry out of the process. No call waits for it: what finds no room is dropped.
#[derive(Debug)]
pub(in crate::otel) struct Pipeline {
    spans: Option<BatchSpanProcessor>,
    instruments: Option<Instruments>,
    counts: Arc<Counts>,
    scope: InstrumentationScope,
    sampling: Sampling,
    links_callers: bool,
    arguments: Option<usize>,
    results: Option<usize>,
    queue: usize,
    has_ended: AtomicBool,
}

impl Pipeline {
    /// `None` where nothing is to leave the process.
    pub(in crate::otel) fn start(settings: &Settings) -> Result<Option<Arc<Self>>, OtelError> {
        if settings.traces.is_none() && settings.metrics.is_none() {
            return Ok(None);
        }
        // Where there is no more room for threads, OpenTelemetry panics.
        let built = catch_unwind(AssertUnwindSafe(|| Self::build(settings)));
        let panicked = |_| Err(OtelError::Exporter("its threads could not be started".to_owned()));
        built.unwrap_or_else(panicked).map(|pipeline| Some(Arc::new(pipeline)))
    }

    fn build(settings: &Settings) -> Result<Self, OtelError> {
        let client = client(settings.timeout)?;
        let resource = resource(settings);
        let headers: HashMap<_, _> = settings.headers.iter().cloned().collect();
        let counts = Arc::new(Counts::default());
        let spans = settings.traces.as_ref().map(|endpoint| {
            let exporter = SpanExporter::builder()
                .with_http()
                .with_http_client(client.clone())
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(endpoint)
                .with_headers(headers.clone())
                .with_timeout(settings.timeout)
                .build()
                .map_err(|error| OtelError::Exporter(error.to_string()))?;
            let exporter = Counted { inner: exporter, counts: Arc::clone(&counts) };
            let config = BatchConfigBuilder::default().with_max_queue_size(settings.queue).build();
            let mut spans = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
            spans.set_resource(&resource);
            Ok::<_, OtelError>(spans)
        });
        let instruments = settings.metrics.as_ref().map(|endpoint| {
            Instruments::start(settings, (endpoint, headers.clone()), (&resource, client), &counts)
        });
        Ok(Self {
            spans: spans.transpose()?,
            instruments: instruments.transpose()?,
            counts,
            scope: InstrumentationScope::builder("sec0")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
            sampling: settings.sampling,
            links_callers: settings.links_callers,
            arguments: settings.arguments,
            results: settings.results,
            queue: settings.queue,
            has_ended: AtomicBool::new(false),
        })
    }

    /// The caller whose trace a call goes on with; `None` where it begins one of its own.
    pub(in crate::otel) fn parent<'c>(&self, caller: Option<&'c Caller>) -> Option<&'c Caller> {
        caller.filter(|caller| caller.is_own || !self.links_callers)
    }

    /// The place of a new call: in the trace of its caller, or in one of its own.
    pub(in crate::otel) fn place(&self, caller: Option<&Caller>, minted: SpanIds) -> TraceContext {
        let parent = self.parent(caller);
        let trace_id = parent.map_or(minted.trace_id, |caller| caller.parent.ids.trace_id);
        // Of a span of its own the program has decided by the same trace.
        let asked = parent.filter(|caller| self.sampling.by_parent && !caller.is_own);
        let said = asked.map(|caller| caller.parent.is_sampled);
        let is_sampled =
            self.spans.is_some() && said.unwrap_or_else(|| self.sampling.success.takes(trace_id));
        let place = TraceContext::new(SpanIds::new(trace_id, minted.span_id), is_sampled);
        match parent.and_then(|caller| caller.state.as_deref()) {
            Some(state) => place.with_state(state),
            None => place,
        }
    }

    /// What is kept of a call from its beginning; without detail its span is not exported here.
    #[expect(clippy::unused_self, reason = "the one that does not export has to be asked, too")]
    pub(in crate::otel) fn began(&self, work: Work, place: &TraceContext, at: Instant) -> Began {
        let (ids, is_sampled) = (place.ids(), place.is_sampled());
        Began { at, work, ids, is_sampled, detail: None, has_ended: false }
    }

    /// What the span of a call has from its beginning; `None` where there will be none.
    pub(in crate::otel) fn detail<X: Claimant>(
        &self,
        call: &Call<X>,
        place: &TraceContext,
        caller: Option<&Caller>,
    ) -> Option<Box<Detail>> {
        let may_be_told = place.is_sampled() || self.sampling.error.takes(place.ids().trace_id);
        let detail = || {
            Box::new(Detail {
                server: Arc::clone(&call.server),
                tool: call.tool.bounded(),
                caller: caller.map(|caller| caller.parent),
                state: state_of(place),
                carriage: call.door.carriage(),
                arguments: self.arguments.and_then(|max| arguments(call, max)),
                result: None,
            })
        };
        (may_be_told && self.spans.is_some()).then(detail)
    }

    pub(in crate::otel) fn result_room(&self) -> Option<usize> {
        self.results
    }

    pub(in crate::otel) fn end(&self, began: &mut Began, told: &Told<'_>) {
        let took = System.monotonic().saturating_duration_since(began.at);
        if let Some(instruments) = &self.instruments {
            instruments.count(began.work, told, took);
        }
        let Some(mut detail) = began.detail.take() else { return };
        let is_wanted = began.is_sampled
            || told.status != Status::Ok && self.sampling.error.takes(began.ids.trace_id);
        let Some(spans) = self.spans.as_ref().filter(|_| is_wanted) else { return };
        if self.has_ended.load(Ordering::Acquire) {
            self.counts.too_late();
        } else if self.counts.take_place(self.queue) {
            spans.on_end(span(began, &mut detail, told, &self.scope, took));
        }
    }

    pub(in crate::otel) fn watch(&self, gauges: Weak<dyn Gauges>) {
        if let Some(instruments) = &self.instruments {
            instruments.watch(gauges);
        }
    }

    pub(in crate::otel) fn synced(&self, file: SyncedFile, took: Duration) {
        if let Some(instruments) = &self.instruments {
            instruments.synced(file, took);
        }
    }

    /// Spans that did not reach the collector.
    pub(in crate::otel) fn dropped(&self) -> u64 {
        self.counts.too_many().saturating_add(self.counts.not_taken())
    }

    pub(in crate::otel) fn flush(&self, _: Duration) -> Result<(), String> {
        if self.has_ended.load(Ordering::Acquire) {
            return Ok(());
        }
        let spans = self.spans.as_ref().map_or(Ok(()), SpanProcessor::force_flush);
        let metrics = self.instruments.as_ref().map_or(Ok(()), Instruments::flush);
        spans.and(metrics).map_err(|error| error.to_string())
    }

    /// A second one has nothing left to do.
    pub(in crate::otel) fn shutdown(&self, within: Duration) -> Result<(), String> {
        if self.has_ended.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        end(self.spans.as_ref(), self.instruments.as_ref(), within)
    }
}

/// On a thread of its own: the last user may be a thread of the export, which cannot wait for itself.
impl Drop for Pipeline {
    fn drop(&mut self) {
        if *self.has_ended.get_mut() {
            return;
        }
        let (spans, instruments) = (self.spans.take(), self.instruments.take());
        let (done, ended) = mpsc::channel();
        let thread = thread::Builder::new().name("sec0-otel-end".to_owned());
        let started = thread.spawn(move || {
            // Whoever waited may have gone.
            let (Ok(()) | Err(_)) =
                done.send(end(spans.as_ref(), instruments.as_ref(), DROPPED_WITHIN));
        });
        let ended = started.map(|_thread| ended.recv_timeout(DROPPED_WITHIN));
        if !matches!(ended, Ok(Ok(Ok(())))) {
            tracing::warn!("not all telemetry was exported when its last user was dropped");
        }
    }
}

fn end(
    spans: Option<&BatchSpanProcessor>,
    instruments: Option<&Instruments>,
    within: Duration,
) -> Result<(), String> {
    let metrics = instruments.map_or(Ok(()), |it| it.shutdown(within));
    let spans = spans.map_or(Ok(()), |it| it.shutdown_with_timeout(within));
    match spans.and(metrics) {
        Ok(()) | Err(OTelSdkError::AlreadyShutdown) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The arguments without the approval token, which no reader of telemetry may have: whatever the
/// tool declares, no argument of that name is told.
fn arguments<X>(call: &Call<X>, max: usize) -> Option<String> {
    let mut arguments = call.arguments.clone()?;
    arguments.retain(|name, _| !ApprovalToken::ARGUMENTS.contains(&name.as_str()));
    bounded_json(&arguments, max)
}

/// What is said of this process with all telemetry.
fn resource(settings: &Settings) -> Resource {
    let environment = settings.environment.clone();
    let given = settings.attributes.iter();
    let given = given.map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("telemetry.sdk.name", "opentelemetry"),
            KeyValue::new("telemetry.sdk.language", "rust"),
        ])
        .with_attributes(given)
        .with_service_name(settings.service_name.clone())
        .with_attribute(KeyValue::new("deployment.environment.name", environment))
        .build()
}
