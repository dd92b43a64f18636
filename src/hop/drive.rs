use super::app::Sec0App;
use super::context::{Current, HopContext};
use super::door::HopDoor;
use super::handover::{Ended, Handover, HopReply};
use super::running::{Asked, Running, Way};
use super::waiting;
use crate::call::{Arguments, Call, End, Outcome, Reason, Refusal, SpanIds};
use crate::identity::agent_state::AgentState;
use pin_project_lite::pin_project;
use serde_json::Value;
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use tower::Service;

/// A hop to be run, with what it is given.
pub(super) struct Order {
    pub(super) app: Sec0App,
    pub(super) running: Arc<Running>,
    /// Why there are none, where they have no JSON.
    pub(super) arguments: Result<Option<Arguments>, Refusal>,
}

/// What the record has of a result.
pub(super) type Seen<T> = fn(&T) -> Option<Value>;

type Going = Pin<Box<<Way as Service<Call<HopDoor>>>::Future>>;

/// Runs the body if every step lets it, and records what becomes of it.
///
/// # Cancel safety
///
/// Dropping the future drops the body, and the record says `cancelled`.
pub(super) async fn drive<T, E, F>(
    order: Order,
    body: impl FnOnce(HopContext) -> F,
    seen: Seen<T>,
) -> Result<T, E>
where
    E: From<Refusal>,
    F: Future<Output = Result<T, E>>,
{
    if order.app.is_off() {
        return Box::pin(unjudged(&order.app, &order.running, body)).await;
    }
    let current = order.app.here();
    let (mut entry, mut going) = enter(order, &current, true)?;
    let answer = poll_fn(|cx| entry.poll_to_body(going.as_mut(), cx)).await;
    let frame = entry.leave(answer)?;
    let context = current.enter(&entry.running, frame, entry.cause);
    // In a box: this future would hold it several times over, and hops are nested.
    let mut body = Box::pin(context.clone().scope(caught(|| body(context))));
    let ended = poll_fn(|cx| match body.as_mut().poll(cx) {
        Poll::Ready(ended) => Poll::Ready(Ok(ended)),
        Poll::Pending => going.as_mut().poll(cx).map(Err),
    });
    match ended.await {
        Ok(ended) => {
            entry.tell(&ended, seen);
            let outcome = going.await;
            finished(ended, outcome)
        }
        // Its time was up, or its record cannot be written any more.
        Err(outcome) => Err(refused(outcome).into()),
    }
}

/// Runs a body where hops are switched off.
pub(super) fn unjudged<R, F: Future<Output = R>>(
    app: &Sec0App,
    running: &Arc<Running>,
    body: impl FnOnce(HopContext) -> F,
) -> impl Future<Output = R> {
    let enter = |current: &Current| current.enter(running, SpanIds::default(), None);
    let context = Current::with(app, enter).unwrap_or_else(|| enter(&app.here()));
    context.clone().scope(async move { body(context).await })
}

/// The same for a body that is not async.
pub(super) fn drive_sync<T, E>(
    order: Order,
    body: impl FnOnce(HopContext) -> Result<T, E>,
    seen: Seen<T>,
) -> Result<T, E>
where
    E: From<Refusal>,
{
    let current = order.app.here();
    if order.app.is_off() {
        let context = current.enter(&order.running, SpanIds::default(), None);
        return context.clone().scope_sync(|| body(context));
    }
    let waiting = waiting::Place::here(order.running.is_durable)?;
    let _runtime = waiting.enter()?;
    let (mut entry, mut going) = enter(order, &current, false)?;
    let answer = waiting.wait(|cx| entry.poll_to_body(going.as_mut(), cx));
    let Some(answer) = answer else { return Err(cannot_wait().into()) };
    let frame = entry.leave(answer)?;
    let context = current.enter(&entry.running, frame, entry.cause);
    let ended = catch_unwind(AssertUnwindSafe(|| context.clone().scope_sync(|| body(context))));
    entry.tell(&ended, seen);
    match waiting.wait(|cx| going.as_mut().poll(cx)) {
        Some(outcome) => finished(ended, outcome),
        None => Err(cannot_wait().after_execution().into()),
    }
}

/// The way of a call until its body.
struct Entry {
    running: Arc<Running>,
    handover: Arc<Handover>,
    cause: Option<SpanIds>,
}

/// Starts on the way. The call is made of what is known here; nothing has been decided.
fn enter(order: Order, current: &Current, may_wait: bool) -> Result<(Entry, Going), Refusal> {
    let Order { running, arguments, .. } = order;
    let (parent, run) = (current.frame(), current.run());
    let cause = parent.map(|frame| frame.span).or(run.cause);
    let state = current.state_of(&running).and_then(|state| worth_recording(&state));
    let (call, handover) = running.call(Asked {
        arguments: arguments?,
        run,
        trace: parent.map(|frame| frame.span),
        cause,
        state,
        // What came with the run is for its first hop: below, it would be another call's.
        idempotency_key: run.idempotency_key.clone().filter(|_| parent.is_none()),
        approval: run.approval.clone(),
        may_wait,
    });
    let going = Box::pin(running.way().call(call));
    Ok((Entry { running, handover, cause }, going))
}

/// The state as a header, where there is more in it than the headers beside it say. One that is too
/// large is left out.
fn worth_recording(state: &AgentState) -> Option<String> {
    match state.encode() {
        Ok(state) => Some(state),
        Err(error) => {
            tracing::warn!(%error, "the state of an agent is not recorded");
            None
        }
    }
}

type Answer = Option<Result<Outcome<HopReply>, Infallible>>;

impl Entry {
    /// Ends when the body may run (`None`), or never will.
    fn poll_to_body(
        &mut self,
        going: Pin<&mut <Way as Service<Call<HopDoor>>>::Future>,
        cx: &mut Context<'_>,
    ) -> Poll<Answer> {
        match going.poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if self.handover.is_cleared() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Leave to run the body: the span of the call that every step let pass.
    fn leave(&self, answer: Answer) -> Result<SpanIds, Refusal> {
        match (answer, self.handover.take()) {
            (Some(outcome), _) => Err(refused(outcome)),
            (None, Some(span)) => Ok(span),
            (None, None) => Err(Refusal::new(Reason::LayerFailed)),
        }
    }

    /// Tells the stack how the body has ended.
    fn tell<T, E>(&self, ended: &thread::Result<Result<T, E>>, seen: Seen<T>) {
        self.handover.end(match ended {
            Ok(Ok(value)) => Ended::Returned(HopReply { failed: false, body: seen(value) }),
            Ok(Err(_)) => Ended::Returned(HopReply { failed: true, body: None }),
            Err(_) => Ended::Panicked,
        });
    }
}

/// What the caller gets: the body's own result, unless the call could not be recorded after it.
fn finished<T, E: From<Refusal>>(
    ended: thread::Result<Result<T, E>>,
    outcome: Result<Outcome<HopReply>, Infallible>,
) -> Result<T, E> {
    let Ok(outcome) = outcome;
    match (ended, outcome.end) {
        (Err(payload), _) => resume_unwind(payload),
        (Ok(_), End::Refused(refusal)) => Err(refusal.into()),
        (Ok(result), End::Replied(_) | End::Panicked) => result,
    }
}

/// Why a body did not run, or was dropped.
fn refused(outcome: Result<Outcome<HopReply>, Infallible>) -> Refusal {
    let Ok(outcome) = outcome;
    match outcome.end {
        End::Refused(refusal) => refusal,
        // There was no body that could have replied.
        End::Replied(_) | End::Panicked => Refusal::new(Reason::LayerFailed),
    }
}

/// The refusal of a hop that would have to block a thread that is not its own.
fn cannot_wait() -> Refusal {
    Refusal::new(Reason::HopUnavailable).with_detail(waiting::CANNOT)
}

/// A body whose panic is its result.
async fn caught<T, F: Future<Output = T>>(body: impl FnOnce() -> F) -> thread::Result<T> {
    Caught { body: catch_unwind(AssertUnwindSafe(body))? }.await
}

pin_project! {
    struct Caught<F> {
        #[pin]
        body: F,
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = thread::Result<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let body = self.project().body;
        // It is not polled again after a panic.
        match catch_unwind(AssertUnwindSafe(|| body.poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}
