use super::step::step;
use crate::call::{Call, End, Outcome, SpanIds, ToolName};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::Service;
use tracing::field::Empty;
use tracing::{Span, info_span};

step! {
    /// Opens the span of the call and closes it with the outcome.
    ///
    /// # Order
    ///
    /// Outermost, so that whatever the other steps log lies in the span, and so that the ids of
    /// the record and of the reply are one pair.
    Trace, TraceLayer
}

impl<S, X, R> Service<Call<X>> for Trace<S>
where
    S: Service<Call<X>, Response = Outcome<R>, Error = Infallible>,
{
    type Response = Outcome<R>;
    type Error = Infallible;
    type Future = TraceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut call: Call<X>) -> Self::Future {
        call.span = mint(call.span);
        let span = open(&call.tool, call.span);
        let inner = span.in_scope(|| self.inner.call(call));
        TraceFuture { inner, span }
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

fn open(tool: &ToolName, ids: SpanIds) -> Span {
    let span = info_span!(
        "tools/call",
        mcp.method.name = "tools/call",
        gen_ai.tool.name = Empty,
        sec0.trace_id = Empty,
        sec0.span_id = Empty,
        sec0.outcome = Empty,
        error.type = Empty,
    );
    if !span.is_disabled() {
        span.record("gen_ai.tool.name", &*tool.bounded());
        span.record("sec0.trace_id", tracing::field::display(ids.trace_hex()));
        span.record("sec0.span_id", tracing::field::display(ids.span_hex()));
    }
    span
}

fn close<R>(span: &Span, outcome: &Outcome<R>) {
    if span.is_disabled() {
        return;
    }
    let word = match &outcome.end {
        End::Replied(_) => "replied",
        End::Panicked => "panicked",
        End::Refused(refusal) => {
            span.record("error.type", refusal.reason().as_str());
            "refused"
        }
    };
    span.record("sec0.outcome", word);
}

pin_project! {
    /// The future of [`Trace`]: polls what lies below within the span.
    #[derive(Debug)]
    pub struct TraceFuture<F> {
        #[pin]
        inner: F,
        span: Span,
    }
}

impl<F, R> Future for TraceFuture<F>
where
    F: Future<Output = Result<Outcome<R>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.span.enter();
        let ended = this.inner.poll(cx);
        if let Poll::Ready(Ok(outcome)) = &ended {
            close(this.span, outcome);
        }
        ended
    }
}
