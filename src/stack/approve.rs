use super::authorize::Judged;
use super::future::StepFuture;
use super::step::step;
use crate::call::{Facts, Found, Reason, Refusal};
use crate::policy::Ruling;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::Service;

step! {
    /// Turns an allowed call into a permitted one; a call for which the policy asks a human is refused
    /// until approvals are built.
    ///
    /// A call that waits here, for room in a concurrency limit for example, stops waiting when its
    /// caller gives up.
    ///
    /// # Order
    ///
    /// After `authorize`, which asks; above every concurrency limit, so that a call that waits for a
    /// human holds nothing that others need.
    stateless Approve, ApproveLayer
}

/// A call that may run.
#[derive(Debug)]
pub struct Permitted<X> {
    judged: Judged<X>,
}

impl<X> Permitted<X> {
    /// The call with the policy's verdict.
    pub fn judged(&self) -> &Judged<X> {
        &self.judged
    }

    pub(super) fn into_judged(self) -> Judged<X> {
        self.judged
    }
}

impl<S, X, E> Service<Judged<X>> for Approve<S>
where
    S: Service<Permitted<X>, Error = E> + Clone,
    E: From<Refusal>,
{
    type Response = S::Response;
    type Error = E;
    type Future = StepFuture<ApproveFuture<S, X>>;

    /// Always ready: what is not ready below, such as a full concurrency limit, waits inside the
    /// future, so that it keeps no other call from being judged.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, judged: Judged<X>) -> Self::Future {
        match judged.verdict().ruling() {
            Ruling::Allow | Ruling::WouldDeny => {
                judged.intact().identified().entered().trail().with(Facts::permit);
                StepFuture::passed(ApproveFuture::new(self.inner.clone(), Permitted { judged }))
            }
            Ruling::Ask | Ruling::Deny => {
                let required = Found::from(Reason::ApprovalRequired);
                let asking = judged.verdict().decided_by().and_then(Found::rule);
                let required = asking.map_or(required.clone(), |rule| required.by(rule));
                StepFuture::refused(Refusal::new(required))
            }
        }
    }
}

pin_project! {
    /// The future of [`Approve`]: waits until what lies below takes the call, unless the caller
    /// gives up first; then it is the future of what lies below.
        pub struct ApproveFuture<S, X>
    where
        S: Service<Permitted<X>>,
    {
        below: S,
        waiting: Option<Permitted<X>>,
        // Made when there is something to wait for.
        given_up: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
        #[pin]
        running: Option<S::Future>,
    }
}

impl<S: Service<Permitted<X>>, X> ApproveFuture<S, X> {
    fn new(below: S, permitted: Permitted<X>) -> Self {
        Self { below, waiting: Some(permitted), given_up: None, running: None }
    }
}

impl<S: Service<Permitted<X>>, X> fmt::Debug for ApproveFuture<S, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApproveFuture").finish_non_exhaustive()
    }
}

impl<S, X, E> Future for ApproveFuture<S, X>
where
    S: Service<Permitted<X>, Error = E>,
    E: From<Refusal>,
{
    type Output = Result<S::Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(permitted) = this.waiting.take() {
            match this.below.poll_ready(cx) {
                Poll::Ready(Ok(())) => this.running.set(Some(this.below.call(permitted))),
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
                Poll::Pending => {
                    let cancel = &permitted.judged.intact().identified().entered().call().cancel;
                    let given_up = this
                        .given_up
                        .get_or_insert_with(|| Box::pin(cancel.clone().cancelled_owned()));
                    if given_up.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Err(Refusal::new(Reason::Cancelled).into()));
                    }
                    *this.waiting = Some(permitted);
                    return Poll::Pending;
                }
            }
        }
        this.running.as_pin_mut().map_or(Poll::Pending, |running| running.poll(cx))
    }
}
