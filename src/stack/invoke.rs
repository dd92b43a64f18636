use super::future::StepFuture;
use super::reserve::Reserved;
use super::shared::Shared;
use super::step::step;
use crate::call::{Cleared, Reason, Refusal, Trail};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tower::Service;

step! {
    /// Runs the handler, and measures it.
    ///
    /// # Security
    ///
    /// It accepts only [`Reserved`], and it alone makes the [`Cleared`] that a door's handler
    /// takes.
    ///
    /// A call whose caller has given up, or whose record is closed, does not run.
    ///
    /// # Order
    ///
    /// Innermost: from here on the call counts as executed.
    stateless Invoke, InvokeLayer
}

impl<S, X> Service<Reserved<X>> for Invoke<S>
where
    S: Service<Cleared<X>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Refusal;
    type Future = StepFuture<InvokeFuture<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx).map_err(|never| match never {})
    }

    fn call(&mut self, reserved: Reserved<X>) -> Self::Future {
        let (call, trail, shared) = reserved.into_parts();
        if call.cancel.is_cancelled() {
            return StepFuture::refused(Refusal::new(Reason::Cancelled));
        }
        let started = shared.clock.monotonic();
        if trail.with(|facts| facts.started = Some(started)).is_none() {
            // The record is closed: somebody kept the call beyond its end. It must not run now.
            tracing::error!("a layer in the security stack passed a call on after it had ended");
            return StepFuture::refused(Refusal::new(Reason::LayerFailed));
        }
        let timing = Timing { trail, shared, started };
        StepFuture::passed(InvokeFuture { inner: self.inner.call(Cleared::new(call)), timing })
    }
}

/// Notes how long the handler ran, also when it is dropped or panics.
#[derive(Debug)]
struct Timing {
    trail: Trail,
    shared: Arc<Shared>,
    started: Instant,
}

impl Timing {
    fn note(&self) {
        let ran = self.shared.clock.monotonic().saturating_duration_since(self.started);
        self.trail.with(|facts| facts.latency = ran);
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        self.note();
    }
}

pin_project! {
    /// The future of [`Invoke`].
    #[derive(Debug)]
    pub struct InvokeFuture<F> {
        #[pin]
        inner: F,
        // Declared after `inner`: dropped after it, so that the time it takes to drop counts.
        timing: Timing,
    }
}

impl<F, R> Future for InvokeFuture<F>
where
    F: Future<Output = Result<R, Infallible>>,
{
    type Output = Result<R, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(reply) = ready!(this.inner.poll(cx));
        Poll::Ready(Ok(reply))
    }
}
