use super::future::StepFuture;
use super::reserve::Reserved;
use super::shared::Shared;
use super::step::step;
use crate::call::{Basis, Call, Cleared, Operation, Reason, Refusal, Reply, Trail};
use crate::limit::{Backoff, Deadline};
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
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
    /// Where the policy has `side_effects.max_retries`, a failed call of a tool that is declared
    /// idempotent is run again, after a pause that doubles each time, as long as its deadline and its
    /// caller allow. However often it runs, it has one intent and one record.
    ///
    /// # Order
    ///
    /// Innermost: from here on the call counts as executed.
    stateless Invoke, InvokeLayer
}

impl<S, X> Service<Reserved<X>> for Invoke<S>
where
    S: Service<Cleared<X>, Error = Infallible> + Clone,
    S::Response: Reply,
{
    type Response = S::Response;
    type Error = Refusal;
    type Future = StepFuture<InvokeFuture<S, X>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.inner.poll_ready(cx).map_err(|never| match never {})
    }

    fn call(&mut self, reserved: Reserved<X>) -> Self::Future {
        let retries = Retries::of(&reserved);
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
        let again = retries.and_then(|retries| {
            let (call, below) = (call.again()?, self.inner.clone());
            Some(Box::new(Again { below, call, retries, pause: None }))
        });
        let timing = Timing { trail, shared, started };
        let running = self.inner.call(Cleared::new(call));
        StepFuture::passed(InvokeFuture { running, again, timing })
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

    /// False when the record is closed, and nothing may run any more.
    fn note_retry(&self) -> bool {
        self.trail.with(|facts| facts.retries = facts.retries.saturating_add(1)).is_some()
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        self.note();
    }
}

pin_project! {
    /// The future of [`Invoke`].
    pub struct InvokeFuture<S, X>
    where
        S: Service<Cleared<X>>,
    {
        #[pin]
        running: S::Future,
        // Made only for a call that may be run again.
        again: Option<Box<Again<S, X>>>,
        // Declared after `running`: dropped after it, so that the time it takes to drop counts.
        timing: Timing,
    }
}

impl<S: Service<Cleared<X>>, X> fmt::Debug for InvokeFuture<S, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvokeFuture").finish_non_exhaustive()
    }
}

impl<S, X> Future for InvokeFuture<S, X>
where
    S: Service<Cleared<X>, Error = Infallible>,
    S::Response: Reply,
{
    type Output = Result<S::Response, Refusal>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            if let Some(again) = this.again.as_mut()
                && let Some(pause) = &mut again.pause
            {
                let goes_on = ready!(pause.poll(cx));
                if goes_on {
                    let Ok(()) = ready!(again.below.poll_ready(cx));
                }
                let next = if goes_on { again.call.again() } else { None };
                let Some(pause) = again.pause.take() else { return Poll::Pending };
                let Some(next) = next.filter(|_| this.timing.note_retry()) else {
                    return Poll::Ready(Ok(pause.reply));
                };
                this.running.set(again.below.call(Cleared::new(next)));
            }
            let Ok(reply) = ready!(this.running.as_mut().poll(cx));
            let Some(again) = this.again.as_mut() else { return Poll::Ready(Ok(reply)) };
            let now = this.timing.shared.clock.monotonic();
            match again.retries.next(&reply, now) {
                None => return Poll::Ready(Ok(reply)),
                Some(wait) => again.pause = Some(Pause::new(wait, &again.call.cancel, reply)),
            }
        }
    }
}

/// What it takes to run a call again.
struct Again<S, X>
where
    S: Service<Cleared<X>>,
{
    below: S,
    call: Call<X>,
    retries: Retries,
    pause: Option<Pause<S::Response>>,
}

/// The time between two tries. If the caller gives up, the reply of the last try is the answer.
struct Pause<R> {
    sleep: Pin<Box<Sleep>>,
    given_up: Pin<Box<WaitForCancellationFutureOwned>>,
    reply: R,
}

impl<R> Pause<R> {
    fn new(wait: Duration, cancel: &CancellationToken, reply: R) -> Self {
        let given_up = Box::pin(cancel.clone().cancelled_owned());
        Self { sleep: Box::pin(tokio::time::sleep(wait)), given_up, reply }
    }

    /// False when the caller has given up.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.given_up.as_mut().poll(cx).is_ready() {
            return Poll::Ready(false);
        }
        self.sleep.as_mut().poll(cx).map(|()| true)
    }
}

/// How often a call may still be run again, and until when.
struct Retries {
    left: u32,
    tries: u32,
    until: Option<Instant>,
}

impl Retries {
    /// `None` where the policy has none, or the tool is not declared idempotent: by an annotation
    /// that is believed, or by what it is known not to change. A guess by its name is no
    /// declaration.
    fn of<X>(reserved: &Reserved<X>) -> Option<Self> {
        let intact = reserved.permitted().judged().intact();
        let entered = intact.identified().entered();
        let left = entered.policy().max_retries();
        if left == 0 {
            return None;
        }
        let definition = intact.definition();
        let says_so = definition.hints_believed && definition.hints.idempotent == Some(true);
        let reads = |operation: Operation| !operation.side_effect && operation.basis != Basis::Name;
        let reads = || entered.trail().with(|facts| facts.operation.is_some_and(reads));
        if !says_so && reads() != Some(true) {
            return None;
        }
        let longest = entered.policy().max_duration();
        let waited = entered.trail().with(|facts| facts.waited).unwrap_or_default();
        let deadline = |longest| Deadline::new(entered.entered(), longest).after(waited).at();
        let until = longest.and_then(deadline);
        Some(Self { left, tries: 0, until })
    }

    /// How long to wait until the next try; `None` when this reply is the answer.
    fn next(&mut self, reply: &impl Reply, now: Instant) -> Option<Duration> {
        self.tries = self.tries.saturating_add(1);
        self.left = self.left.checked_sub(1)?;
        if !reply.is_worth_another_try() {
            return None;
        }
        let wait = Backoff::after(self.tries, fastrand::u32(..));
        let begins = now.checked_add(wait)?;
        self.until.is_none_or(|until| begins < until).then_some(wait)
    }
}
