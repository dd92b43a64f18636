use super::door::HopDoor;
use crate::call::{Call, Cleared, Reply, SpanIds};
use parking_lot::Mutex;
use serde_json::Value;
use std::convert::Infallible;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::Service;

/// Where the stack and the body meet: the body runs outside the stack, so that it may borrow, and its
/// result passes no hands; the stack waits for it as for a handler.
///
/// Both are polled by one task, one after the other, so nobody has to be woken.
#[derive(Debug, Default)]
pub(super) struct Handover(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// The stack has not let the call pass.
    #[default]
    Judged,
    /// Every step let the call with this span pass. The body may run, once.
    ///
    /// INVARIANT: made from a [`Cleared`] alone, in [`Handover::clear`].
    Cleared(SpanIds),
    /// The body runs.
    Runs,
    /// The body has ended.
    Ended(Ended),
}

/// How a body ended.
#[derive(Debug)]
pub(super) enum Ended {
    Returned(HopReply),
    Panicked,
}

/// What the record has to know of what the body returned.
#[derive(Debug)]
pub(super) struct HopReply {
    pub(super) failed: bool,
    /// The result; `None` where it is an error, or has no JSON.
    pub(super) body: Option<Value>,
}

impl Handover {
    /// Takes leave to run the body, whose span this is; `None` while a step has not let the call pass, and once it was
    /// taken.
    pub(super) fn take(&self) -> Option<SpanIds> {
        let mut state = self.0.lock();
        let State::Cleared(span) = *state else { return None };
        *state = State::Runs;
        Some(span)
    }

    /// True while leave can be taken.
    pub(super) fn is_cleared(&self) -> bool {
        matches!(*self.0.lock(), State::Cleared(_))
    }

    /// The body has ended: the stack goes on when it is polled next.
    pub(super) fn end(&self, ended: Ended) {
        *self.0.lock() = State::Ended(ended);
    }

    fn clear(cleared: Cleared<HopDoor>) -> Arc<Self> {
        let Call { span, door, .. } = cleared.into_call();
        *door.handover.0.lock() = State::Cleared(span);
        door.handover
    }

    fn ended(&self) -> Option<Ended> {
        let mut state = self.0.lock();
        if !matches!(*state, State::Ended(_)) {
            return None;
        }
        match std::mem::replace(&mut *state, State::Runs) {
            State::Ended(ended) => Some(ended),
            State::Judged | State::Cleared(_) | State::Runs => None,
        }
    }
}

impl Reply for HopReply {
    type Body<'a> = &'a Value;

    fn body(&self) -> Option<&Value> {
        self.body.as_ref()
    }

    fn failed(&self) -> bool {
        self.failed
    }

    /// A body can be run once.
    fn is_worth_another_try(&self) -> bool {
        false
    }
}

/// The innermost service of a hop: hands over to the body, and waits for its end.
#[derive(Debug, Clone)]
pub(super) struct HopLeaf;

impl Service<Cleared<HopDoor>> for HopLeaf {
    type Response = HopReply;
    type Error = Infallible;
    type Future = BodyEnds;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, cleared: Cleared<HopDoor>) -> BodyEnds {
        BodyEnds(Handover::clear(cleared))
    }
}

/// Unwinds through the stack in place of the body's own payload.
struct BodyPanicked;

/// Ends when the body has.
#[derive(Debug)]
pub(super) struct BodyEnds(Arc<Handover>);

impl Future for BodyEnds {
    type Output = Result<HopReply, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        match self.0.ended() {
            Some(Ended::Returned(reply)) => Poll::Ready(Ok(reply)),
            // The stack records it as it does with a handler's; the body's own payload goes to the
            // caller.
            Some(Ended::Panicked) => resume_unwind(Box::new(BodyPanicked)),
            None => Poll::Pending,
        }
    }
}
