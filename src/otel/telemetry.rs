use super::context::TraceContext;
use super::error::OtelError;
#[cfg(feature = "otlp")]
pub(super) use super::export::Pipeline;
use super::gauges::Gauges;
use super::live::Live;
use super::options::Otel;
use super::settings::Settings;
#[cfg(not(feature = "otlp"))]
pub(super) use super::silent::Pipeline;
use crate::audit::SyncWatch;
use crate::call::{Call, SpanIds};
use crate::identity::Claimant;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tracing::Span;

/// The export of telemetry: one for each layer, or one that several layers share.
///
/// ```no_run
/// # fn main() -> Result<(), sec0::otel::OtelError> {
/// use sec0::otel::{Otel, Telemetry};
/// let otel = Otel::new().endpoint("http://127.0.0.1:4318").service_name("orders").environment("prod");
/// let telemetry = Telemetry::start(&otel)?;
/// // `Sec0Options::telemetry(telemetry.clone())` of each layer.
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    pipeline: Option<Arc<Pipeline>>,
    environment: Option<Arc<str>>,
    /// Whether others may be using it, too.
    is_shared: bool,
}

impl Telemetry {
    /// None.
    pub fn off() -> Self {
        Self::default()
    }

    /// Starts an export that several layers share. It ends with [`shutdown`](Self::shutdown), or
    /// when the last of them is dropped; the shutdown of a layer only flushes it.
    ///
    /// # Errors
    ///
    /// A part is missing in the options and in the standard variables, or one is not what it has to
    /// be.
    pub fn start(otel: &Otel) -> Result<Self, OtelError> {
        Ok(Self { is_shared: true, ..Self::start_own(otel)? })
    }

    /// As [`start`](Self::start), for one layer.
    pub(crate) fn start_own(otel: &Otel) -> Result<Self, OtelError> {
        #[expect(clippy::disallowed_methods, reason = "the variables of OpenTelemetry's own")]
        let settings = Settings::of(otel, &|name| std::env::var(name).ok())?;
        let environment = Some(settings.environment.as_str().into());
        Ok(Self { environment, pipeline: Pipeline::start(&settings)?, is_shared: false })
    }

    /// `otel.environment`, where telemetry is set.
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// True when telemetry leaves the process.
    pub fn is_on(&self) -> bool {
        self.pipeline.is_some()
    }

    /// Spans that were not exported, because they were too many or the collector did not take them.
    pub fn dropped_spans(&self) -> u64 {
        self.pipeline.as_ref().map_or(0, |pipeline| pipeline.dropped())
    }

    /// Exports what waits, and ends. At most for as long as `within` says; what has not left by then
    /// is dropped.
    ///
    /// # Errors
    ///
    /// Not all has left, and why.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the end under way.
    pub async fn shutdown(&self, within: Duration) -> Result<(), String> {
        self.on_a_thread(within, Pipeline::shutdown).await
    }

    /// Exports what waits.
    ///
    /// # Errors
    ///
    /// Not all has left within this time, and why.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the export under way.
    pub async fn flush(&self, within: Duration) -> Result<(), String> {
        self.on_a_thread(within, Pipeline::flush).await
    }

    /// What the shutdown of one layer means: the end of its own export, a flush of one that others
    /// share.
    pub(crate) async fn let_go(&self, within: Duration) {
        let ended =
            if self.is_shared { self.flush(within).await } else { self.shutdown(within).await };
        if let Err(error) = ended {
            tracing::warn!(%error, "not all telemetry was exported at the end");
        }
    }

    async fn on_a_thread(
        &self,
        within: Duration,
        work: fn(&Pipeline, Duration) -> Result<(), String>,
    ) -> Result<(), String> {
        let Some(pipeline) = self.pipeline.clone() else { return Ok(()) };
        let (done, ended) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("sec0-otel-end".to_owned());
        let started = thread.spawn(move || {
            // Whoever waited may have gone.
            let (Ok(()) | Err(_)) = done.send(work(&pipeline, within));
        });
        started.map_err(|error| format!("no thread for it: {error}"))?;
        match tokio::time::timeout(within, ended).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_gone)) => Err("the export has stopped".to_owned()),
            Err(_elapsed) => Err(format!("the collector did not take it within {within:?}")),
        }
    }

    /// Who is asked how it stands when metrics are exported.
    pub(crate) fn watch(&self, gauges: Weak<dyn Gauges>) {
        if let Some(pipeline) = &self.pipeline {
            pipeline.watch(gauges);
        }
    }

    /// What hears of the syncs of a log; `None` where nobody listens.
    pub(crate) fn sync_watch(&self) -> Option<SyncWatch> {
        // The log ends after its layer: it must not be the one that ends the export.
        let pipeline = Arc::downgrade(self.pipeline.as_ref()?);
        Some(SyncWatch::new(move |file, took| {
            if let Some(pipeline) = pipeline.upgrade() {
                pipeline.synced(file, took);
            }
        }))
    }

    /// A call begins: its place in the trace, and what its end is to be told to.
    #[cfg(not(feature = "otlp"))]
    #[expect(clippy::unused_self, reason = "the one that exports needs it")]
    pub(crate) fn begin<X: Claimant>(
        &self,
        call: &Call<X>,
        _: &Span,
        _: impl FnOnce() -> Instant,
    ) -> (TraceContext, Option<Box<Live>>) {
        (TraceContext::new(mint(call.span), false), None)
    }

    /// A call begins: its place in the trace, and what its end is to be told to.
    #[cfg(feature = "otlp")]
    pub(crate) fn begin<X: Claimant>(
        &self,
        call: &Call<X>,
        span: &Span,
        now: impl FnOnce() -> Instant,
    ) -> (TraceContext, Option<Box<Live>>) {
        use super::export::{Caller, bridge};
        if self.pipeline.is_none() && !bridge::may_be_at(span) {
            return (TraceContext::new(mint(call.span), false), None);
        }
        let caller = Caller::of(call);
        let bridged = bridge::place(span, caller.as_ref().filter(|caller| !caller.is_own));
        let live = |pipeline: &Arc<Pipeline>, began| {
            Some(Box::new(Live { pipeline: Arc::clone(pipeline), began }))
        };
        match (bridged, &self.pipeline) {
            // The program exports the span itself: it has it once, and metrics are ours.
            (Some(context), Some(pipeline)) => {
                let began = pipeline.began(call.work, &context, now());
                (context, live(pipeline, began))
            }
            (Some(context), None) => (context, None),
            (None, Some(pipeline)) => {
                let context = pipeline.place(caller.as_ref(), mint(call.span));
                let mut began = pipeline.began(call.work, &context, now());
                began.detail = pipeline.detail(call, &context, caller.as_ref());
                (context, live(pipeline, began))
            }
            (None, None) => (TraceContext::new(mint(call.span), false), None),
        }
    }
}

/// Fresh ids, in the trace that the door goes on with if there is one. They are unique, not secret:
/// what must not be guessed is never a trace id.
fn mint(SpanIds { trace_id, .. }: SpanIds) -> SpanIds {
    // Never all zero, which Trace Context calls invalid.
    let fresh = || fastrand::u128(1..).to_be_bytes();
    let trace_id = if trace_id == [0; 16] { fresh() } else { trace_id };
    let span_id = fastrand::u64(1..).to_be_bytes();
    SpanIds::new(trace_id, span_id)
}
