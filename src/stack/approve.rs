use super::authorize::Judged;
use super::future::StepFuture;
use super::step::step;
use crate::call::{Facts, Reason, Refusal};
use crate::policy::Ruling;
use std::task::{Context, Poll};
use tower::Service;
use tower::util::{Oneshot, ServiceExt};

step! {
    /// Turns an allowed call into a permitted one; a call for which the policy asks a human is refused
    /// until approvals are built.
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
    type Future = StepFuture<Oneshot<S, Permitted<X>>>;

    /// Always ready: what is not ready below, such as a full concurrency limit, waits inside the
    /// future, so that it keeps no other call from being judged.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, judged: Judged<X>) -> Self::Future {
        match judged.verdict().ruling() {
            Ruling::Allow | Ruling::WouldDeny => {
                judged.intact().identified().entered().trail().with(Facts::permit);
                StepFuture::passed(self.inner.clone().oneshot(Permitted { judged }))
            }
            Ruling::Ask | Ruling::Deny => {
                StepFuture::refused(Refusal::new(Reason::ApprovalRequired))
            }
        }
    }
}
