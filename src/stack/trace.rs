use super::step::step;
use crate::call::{Call, End, Outcome, Reply, ToolName, Work};
use crate::identity::Claimant;
use crate::otel::{Live, Place, Told, TraceContext};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::Service;
use tracing::field::{Empty, display};
use tracing::{Span, info_span};

step! {
    /// Opens the span of the call and closes it with the outcome.
    ///
    /// # Order
    ///
    /// Outermost, so that whatever the other steps log lies in the span, and so that the ids of
    /// the record, of the reply and of the exported span are one pair.
    Trace, TraceLayer
}

impl<S, X, R> Service<Call<X>> for Trace<S>
where
    S: Service<Call<X>, Response = Outcome<R>, Error = Infallible>,
    X: Claimant,
    R: Reply,
{
    type Response = Outcome<R>;
    type Error = Infallible;
    type Future = TraceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut call: Call<X>) -> Self::Future {
        let span = open(&call.tool, call.work);
        let clock = &self.shared.clock;
        let (place, live) = self.shared.telemetry.begin(&call, &span, || clock.monotonic());
        call.span = place.ids();
        note(&span, &place);
        let mut place = Place::at(Some(place));
        let inner = {
            let _here = place.enter();
            span.in_scope(|| self.inner.call(call))
        };
        TraceFuture { inner, span, place, live }
    }
}

fn open(tool: &ToolName, work: Work) -> Span {
    // Two of them: the name of a span and its kind are fixed where it is made.
    let span = match work {
        Work::Served(_) => info_span!(
            "tools/call",
            otel.name = Empty,
            otel.kind = "server",
            otel.status_code = Empty,
            mcp.method.name = Empty,
            gen_ai.tool.name = Empty,
            sec0.trace_id = Empty,
            sec0.span_id = Empty,
            sec0.outcome = Empty,
            error.type = Empty,
        ),
        Work::Inner(_) => info_span!(
            "call",
            otel.name = Empty,
            otel.kind = "internal",
            otel.status_code = Empty,
            gen_ai.operation.name = Empty,
            gen_ai.tool.name = Empty,
            sec0.trace_id = Empty,
            sec0.span_id = Empty,
            sec0.outcome = Empty,
            error.type = Empty,
        ),
    };
    if !span.is_disabled() {
        let (operation, tool) = (work.operation(), tool.bounded());
        let name = if work.is_served() { "mcp.method.name" } else { "gen_ai.operation.name" };
        span.record("otel.name", display(format_args!("{operation} {tool}")));
        span.record(name, operation);
        span.record("gen_ai.tool.name", &*tool);
    }
    span
}

fn note(span: &Span, place: &TraceContext) {
    if !span.is_disabled() {
        span.record("sec0.trace_id", display(place.ids().trace_hex()));
        span.record("sec0.span_id", display(place.ids().span_hex()));
    }
}

fn close<R: Reply>(span: &Span, live: Option<Box<Live>>, outcome: &Outcome<R>) {
    if span.is_disabled() && live.is_none() {
        return;
    }
    let told = Told::of(&outcome.end, outcome.seen.as_deref());
    if !span.is_disabled() {
        let error = told.error_type();
        span.record("sec0.outcome", told.status.as_str());
        span.record("otel.status_code", if error.is_none() { "OK" } else { "ERROR" });
        if let Some(error) = error {
            span.record("error.type", &*error);
        }
    }
    let Some(mut live) = live else { return };
    if let (Some(max), End::Replied(reply)) = (live.result_room(), &outcome.end)
        && let Some(body) = reply.body()
    {
        live.keep_result(&body, max);
    }
    live.end(&told);
}

pin_project! {
    /// The future of [`Trace`]: polls what lies below within the span, at the place of the call.
    #[derive(Debug)]
    pub struct TraceFuture<F> {
        #[pin]
        inner: F,
        span: Span,
        place: Place,
        // Declared after `inner`: a call that is dropped has ended when its handler has.
        live: Option<Box<Live>>,
    }
}

impl<F, R> Future for TraceFuture<F>
where
    F: Future<Output = Result<Outcome<R>, Infallible>>,
    R: Reply,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.span.enter();
        let _here = this.place.enter();
        let ended = this.inner.poll(cx);
        if let Poll::Ready(Ok(outcome)) = &ended {
            close(this.span, this.live.take(), outcome);
        }
        ended
    }
}
