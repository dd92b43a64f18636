use super::record::Entered;
use super::step::step;
use crate::call::{End, Outcome, Reason, Refusal, Retry, SpanIds};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::load_shed::error::Overloaded;
use tower::timeout::error::Elapsed;
use tower::util::{Oneshot, ServiceExt};
use tower::{BoxError, Service};

step! {
    /// The one place where a fault below becomes a refusal.
    ///
    /// | what comes from below | what the call gets |
    /// |---|---|
    /// | a reply | the reply |
    /// | a [`Refusal`] | the refusal |
    /// | tower's `Elapsed` | `duration_too_long` |
    /// | tower's `Overloaded` | `overloaded`, may be retried |
    /// | any other error of a layer that was put in | `layer_failed` |
    /// | a panic | [`End::Panicked`] |
    ///
    /// # Order
    ///
    /// Right below [`Record`](super::Record), which takes only services that cannot fail.
    ///
    /// # Panics
    ///
    /// None: a panic of anything below ends here. With `panic = "abort"` nothing can.
    stateless Settle, SettleLayer
}

impl<S, X, R> Service<Entered<X>> for Settle<S>
where
    S: Service<Entered<X>, Response = R> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Outcome<R>;
    type Error = Infallible;
    type Future = SettleFuture<S, X>;

    /// Always ready: what is not ready below waits inside the future, where a fault is caught.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, entered: Entered<X>) -> Self::Future {
        let span = entered.call().span;
        SettleFuture { below: Some(self.inner.clone().oneshot(entered)), span }
    }
}

pin_project! {
    /// The future of [`Settle`].
    pub struct SettleFuture<S, X>
    where
        S: Service<Entered<X>>,
    {
        #[pin]
        below: Option<Oneshot<S, Entered<X>>>,
        span: SpanIds,
    }
}

impl<S: Service<Entered<X>>, X> std::fmt::Debug for SettleFuture<S, X> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettleFuture").finish_non_exhaustive()
    }
}

impl<S, X, R> Future for SettleFuture<S, X>
where
    S: Service<Entered<X>, Response = R>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Outcome<R>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(below) = this.below.as_mut().as_pin_mut() else { return Poll::Pending };
        // Whatever panicked is not touched again but to be dropped, so no broken state is seen.
        let end = match catch_unwind(AssertUnwindSafe(|| below.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(reply))) => End::Replied(reply),
            Ok(Poll::Ready(Err(fault))) => End::Refused(refusal(fault.into())),
            Err(payload) => {
                // Both may panic again while they are dropped; that changes nothing any more.
                quietly(|| drop(payload));
                End::Panicked
            }
        };
        quietly(|| this.below.set(None));
        Poll::Ready(Ok(Outcome::new(*this.span, end)))
    }
}

fn quietly(drop: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(drop)) {
        // It may panic in its turn, and so on: it is left where it is.
        std::mem::forget(payload);
        tracing::error!("a handler's future panicked while it was dropped");
    }
}

/// The table above, for errors.
fn refusal(fault: BoxError) -> Refusal {
    let fault = match fault.downcast::<Refusal>() {
        Ok(refusal) => return *refusal,
        Err(fault) => fault,
    };
    if fault.is::<Elapsed>() {
        return Refusal::new(Reason::DurationTooLong);
    }
    if fault.is::<Overloaded>() {
        return Refusal::new(Reason::Overloaded).with_retry(Retry::Soon);
    }
    tracing::error!(error = %fault, "a layer in the security stack failed; the call is refused");
    Refusal::new(Reason::LayerFailed)
}
