use super::approve::Permitted;
use super::future::StepFuture;
use super::shared::{Shared, unavailable};
use super::step::step;
use crate::audit::{Durable, NotDurable};
use crate::call::{AuditMode, Call, Code, Reason, Refusal, Trail};
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tower::Service;

step! {
    /// The place where a call waits until its intent is durable.
    ///
    /// In audit mode `batch` nothing is waited for: the room for the record was taken at entry. In
    /// `blocking` and `blocking-strict` the journal has the intent before the handler runs, so that
    /// the call has a record whatever happens; where that cannot be had the call is refused with
    /// `AUDIT_UNAVAILABLE`.
    ///
    /// # Order
    ///
    /// The last thing before the handler: whatever could still refuse the call has done so, and an
    /// intent is made durable only for a call that will run.
    ///
    /// # Cancel safety
    ///
    /// A call whose caller gives up while it waits does not run; it has its record all the same.
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

impl<S, X, E> Service<Permitted<X>> for Reserve<S>
where
    S: Service<Reserved<X>, Error = E> + Clone,
    E: From<Refusal>,
{
    type Response = S::Response;
    type Error = E;
    type Future = StepFuture<ReserveFuture<S, X>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, permitted: Permitted<X>) -> Self::Future {
        match intend(&permitted) {
            Ok(None) => {
                let below = self.inner.call(Reserved { permitted });
                StepFuture::passed(ReserveFuture { state: State::Running { below } })
            }
            Ok(Some(durable)) => {
                // The one that is ready goes with the call.
                let next = self.inner.clone();
                let below = std::mem::replace(&mut self.inner, next);
                let cancel =
                    permitted.judged().intact().identified().entered().call().cancel.clone();
                let wait: Wait =
                    Box::pin(async move { cancel.run_until_cancelled(durable.wait()).await });
                let held = Some((below, permitted));
                StepFuture::passed(ReserveFuture { state: State::Waiting { wait, held } })
            }
            Err(NotDurable) => StepFuture::refused(unavailable(Code::AuditUnavailable)),
        }
    }
}

/// Hands in the intent, where the mode of the call's class asks for one.
fn intend<X>(permitted: &Permitted<X>) -> Result<Option<Durable>, NotDurable> {
    let entered = permitted.judged().intact().identified().entered();
    let shared = entered.shared();
    let handed_in = entered.trail().with(|facts| match shared.mode(facts) {
        AuditMode::Batch => Ok(None),
        AuditMode::Blocking | AuditMode::BlockingStrict => {
            shared.log.as_ref().ok_or(NotDurable)?.intend(facts).map(Some)
        }
    });
    match handed_in {
        Some(Err(NotDurable)) if shared.runs_unrecorded => Ok(None),
        Some(handed_in) => handed_in,
        // A call whose record is closed goes no further than `invoke`, which refuses it.
        None => Ok(None),
    }
}

/// `None` when the caller gave up first.
type Wait = Pin<Box<dyn Future<Output = Option<Result<(), NotDurable>>> + Send>>;

pin_project! {
    /// The future of [`Reserve`].
    pub struct ReserveFuture<S, X>
    where
        S: Service<Reserved<X>>,
    {
        #[pin]
        state: State<S, X>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, X>
    where
        S: Service<Reserved<X>>,
    {
        Waiting { wait: Wait, held: Option<(S, Permitted<X>)> },
        Running { #[pin] below: S::Future },
    }
}

impl<S: Service<Reserved<X>>, X> fmt::Debug for ReserveFuture<S, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReserveFuture").finish_non_exhaustive()
    }
}

impl<S, X, E> Future for ReserveFuture<S, X>
where
    S: Service<Reserved<X>, Error = E>,
    E: From<Refusal>,
{
    type Output = Result<S::Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let below = match state.as_mut().project() {
                StateProj::Running { below } => return below.poll(cx),
                StateProj::Waiting { wait, held } => {
                    let waited = ready!(wait.as_mut().poll(cx));
                    let Some((mut below, permitted)) = held.take() else { return Poll::Pending };
                    let shared = permitted.judged().intact().identified().entered().shared();
                    let refusal = match waited {
                        Some(Ok(())) => None,
                        Some(Err(NotDurable)) if shared.runs_unrecorded => None,
                        Some(Err(NotDurable)) => Some(unavailable(Code::AuditUnavailable)),
                        None => Some(Refusal::new(Reason::Cancelled)),
                    };
                    if let Some(refusal) = refusal {
                        return Poll::Ready(Err(refusal.into()));
                    }
                    below.call(Reserved { permitted })
                }
            };
            state.set(State::Running { below });
        }
    }
}
