use super::guard::{Finished, Guard, replace};
use super::regime::Regime;
use super::shared::{Shared, unavailable};
use super::step::step;
use crate::audit::{Admit, NotDurable, Refused, Slot};
use crate::call::{
    Call, Code, End, Facts, KeyedDigests, Outcome, Reason, Refusal, Reply, Retry, SpanIds, Trail,
};
use crate::policy::Policy;
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tower::Service;
use tower::util::{Oneshot, ServiceExt};

step! {
    /// Sees to it that every call that enters leaves exactly one outcome record.
    ///
    /// A call enters when the log has room for its record; until then it waits, and after the
    /// bound of the options it is refused. From there on its record is certain, also when the
    /// future is dropped and when everything below panics.
    ///
    /// While the log cannot be written, a call is refused here before anything else happens, and a
    /// call that is already under way gets `AUDIT_UNAVAILABLE` or `SIGNING_FAILED` in place of its
    /// reply, with `executed: true` if the handler had started.
    ///
    /// # Order
    ///
    /// Above [`Settle`](super::Settle): the error type below is uninhabited, so nothing that fails
    /// there can pass unrecorded.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future records the call as `cancelled`.
    Record, RecordLayer
}

/// A call for whose record the log has room.
#[derive(Debug)]
pub struct Entered<X> {
    call: Box<Call<X>>,
    trail: Trail,
    regime: Arc<Regime>,
    at: Instant,
    shared: Arc<Shared>,
}

impl<X> Entered<X> {
    /// What was asked.
    pub fn call(&self) -> &Call<X> {
        &self.call
    }

    /// The same, to be changed, with what the steps share.
    pub(super) fn call_mut(&mut self) -> (&mut Call<X>, &Shared) {
        (&mut self.call, &self.shared)
    }

    /// Where the steps note what they find.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// The policy by which this call is judged to its end, whatever is loaded meanwhile.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.regime.policy
    }

    /// The same, with what is counted under it.
    pub(super) fn regime(&self) -> &Regime {
        &self.regime
    }

    /// When it came in, on the monotonic clock.
    pub fn entered(&self) -> Instant {
        self.at
    }

    /// What the steps below share: it comes with the call, so that they hold nothing themselves.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn into_parts(self) -> (Call<X>, Trail, Arc<Shared>) {
        (*self.call, self.trail, self.shared)
    }
}

impl<S, X, R> Service<Call<X>> for Record<S>
where
    S: Service<Entered<X>, Response = Outcome<R>, Error = Infallible> + Clone,
    R: Reply,
{
    type Response = Outcome<R>;
    type Error = Infallible;
    type Future = RecordFuture<S, X, R>;

    /// Always ready: a call that waited here would leave no record when it is dropped.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call<X>) -> Self::Future {
        let span = call.span;
        let log = match self.shared.working_log() {
            Ok(log) => log,
            Err(refusal) => return RecordFuture::answered(refused(span, refusal)),
        };
        let below = self.inner.clone();
        let (entered, mut guard) = self.enter(call);
        if guard.is_unrecorded() {
            return RecordFuture { state: State::running(below, entered, guard) };
        }
        if let Admit::Slot(slot) = log.admit() {
            guard.admit(slot);
            return RecordFuture { state: State::running(below, entered, guard) };
        }
        let (log, wait) = (log.clone(), self.shared.admission_wait);
        let cancel = entered.call.cancel.clone();
        let admission: Admission =
            Box::pin(async move { cancel.run_until_cancelled(log.admit_within(wait)).await });
        RecordFuture { state: State::Waiting { admission, held: Some((below, entered, guard)) } }
    }
}

impl<S> Record<S> {
    fn enter<X>(&self, call: Call<X>) -> (Entered<X>, Guard) {
        let shared = &self.shared;
        let regime = shared.regime.load_full();
        let mut facts = Facts::at_entry(
            shared.clock.wall(),
            call.span,
            Arc::clone(&call.server),
            call.tool.bounded(),
            *regime.policy.digest().as_bytes(),
        );
        facts.hop.clone_from(&call.hop);
        facts.keyed = shared.digest_key.as_ref().map(|key| Box::new(KeyedDigests::under(key.id())));
        let (trail, keeper) = Trail::open(facts);
        let guard = Guard::new(shared, &regime, keeper, call.cancel.clone());
        let at = guard.entered();
        let call = Box::new(call);
        (Entered { call, trail, regime, at, shared: Arc::clone(shared) }, guard)
    }
}

fn refused<R>(span: SpanIds, refusal: Refusal) -> Outcome<R> {
    Outcome::new(span, End::Refused(refusal))
}

/// The wait for the disk at the end. Nobody's giving up shortens it: the record is on its way.
type Sealing = Pin<Box<dyn Future<Output = Result<(), NotDurable>> + Send>>;

/// `None` when the caller gave up first.
type Admission = Pin<Box<dyn Future<Output = Option<Result<Slot, Refused>>> + Send>>;

pin_project! {
    /// The future of [`Record`].
    pub struct RecordFuture<S, X, R>
    where
        S: Service<Entered<X>>,
    {
        #[pin]
        state: State<S, X, R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, X, R>
    where
        S: Service<Entered<X>>,
    {
        /// The log has no room yet. Dropped here, the call is recorded as cancelled.
        Waiting { admission: Admission, held: Option<(S, Entered<X>, Guard)> },
        Running { #[pin] below: Oneshot<S, Entered<X>>, guard: Option<Guard> },
        /// The call has ended, and its record has to be durable before anybody is told.
        Sealing { sealing: Sealing, outcome: Option<(Outcome<R>, Option<Refusal>)> },
        Answered { outcome: Option<Outcome<R>> },
    }
}

impl<S: Service<Entered<X>>, X, R> State<S, X, R> {
    fn running(below: S, entered: Entered<X>, guard: Guard) -> Self {
        Self::Running { below: below.oneshot(entered), guard: Some(guard) }
    }

    fn finished(finished: Finished<R>) -> Self {
        match finished {
            Finished::Now(outcome) => Self::Answered { outcome: Some(outcome) },
            Finished::When { durable, outcome, instead } => Self::Sealing {
                sealing: Box::pin(durable.wait()),
                outcome: Some((outcome, instead)),
            },
        }
    }
}

impl<S: Service<Entered<X>>, X, R> RecordFuture<S, X, R> {
    fn answered(outcome: Outcome<R>) -> Self {
        Self { state: State::Answered { outcome: Some(outcome) } }
    }
}

impl<S: Service<Entered<X>>, X, R> std::fmt::Debug for RecordFuture<S, X, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordFuture").finish_non_exhaustive()
    }
}

impl<S, X, R> Future for RecordFuture<S, X, R>
where
    S: Service<Entered<X>, Response = Outcome<R>, Error = Infallible>,
    R: Reply,
{
    type Output = Result<Outcome<R>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Waiting { admission, held } => {
                    let admitted = ready!(admission.as_mut().poll(cx));
                    let Some((below, entered, guard)) = held.take() else { return Poll::Pending };
                    go_on(admitted, below, entered, guard)
                }
                StateProj::Running { below, guard } => {
                    let Ok(outcome) = ready!(below.poll(cx));
                    let Some(guard) = guard.take() else { return Poll::Pending };
                    State::finished(guard.finish(outcome))
                }
                StateProj::Sealing { sealing, outcome } => {
                    let sealed = ready!(sealing.as_mut().poll(cx));
                    let Some((mut outcome, instead)) = outcome.take() else { return Poll::Pending };
                    if sealed == Err(NotDurable) {
                        outcome.end = replace(outcome.end, instead);
                    }
                    return Poll::Ready(Ok(outcome));
                }
                StateProj::Answered { outcome } => {
                    return outcome
                        .take()
                        .map_or(Poll::Pending, |outcome| Poll::Ready(Ok(outcome)));
                }
            };
            state.set(next);
        }
    }
}

/// The wait for room is over, one way or the other.
fn go_on<S, X, R>(
    admitted: Option<Result<Slot, Refused>>,
    below: S,
    entered: Entered<X>,
    mut guard: Guard,
) -> State<S, X, R>
where
    S: Service<Entered<X>>,
    R: Reply,
{
    let span = entered.call.span;
    let refusal = match admitted {
        Some(Ok(slot)) => {
            guard.admit(slot);
            // It may have failed while the call waited.
            match guard.log_refusal() {
                None => return State::running(below, entered, guard),
                Some(refusal) => refusal,
            }
        }
        None => Refusal::new(Reason::Cancelled),
        Some(Err(Refused::Backlog)) if entered.shared.runs_unrecorded => {
            return State::running(below, entered, guard);
        }
        Some(Err(Refused::Backlog)) => {
            unavailable(Code::AuditUnavailable).with_retry(Retry::After(Duration::from_millis(100)))
        }
        Some(Err(Refused::Closed)) => unavailable(Code::AuditUnavailable).with_retry(Retry::Never),
    };
    State::finished(guard.finish(refused(span, refusal)))
}
