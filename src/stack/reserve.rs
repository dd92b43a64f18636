use super::approve::Permitted;
use super::shared::Shared;
use super::step::step;
use crate::call::{Call, Trail};
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::Service;

step! {
    /// The place where a call waits until its intent is durable.
    ///
    /// In audit mode `batch`, the only one so far, nothing is waited for: the room for the record was
    /// taken at entry.
    ///
    /// # Order
    ///
    /// The last thing before the handler: whatever could still refuse the call has done so, and an
    /// intent is made durable only for a call that will run.
    stateless Reserve, ReserveLayer
}

/// A call whose record is reserved: what [`Invoke`](super::Invoke) runs, and nothing else.
#[derive(Debug)]
pub struct Reserved<X> {
    permitted: Permitted<X>,
}

impl<X> Reserved<X> {
    /// The permitted call.
    pub fn permitted(&self) -> &Permitted<X> {
        &self.permitted
    }

    pub(super) fn into_parts(self) -> (Call<X>, Trail, Arc<Shared>) {
        self.permitted.into_judged().into_intact().into_identified().into_entered().into_parts()
    }
}

impl<S, X> Service<Permitted<X>> for Reserve<S>
where
    S: Service<Reserved<X>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, permitted: Permitted<X>) -> S::Future {
        self.inner.call(Reserved { permitted })
    }
}
