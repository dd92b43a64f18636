use crate::approval::{
    Answer, ApprovalStore, Asking, CallKey, EscalationId, Kept, Line, Moment, NextRound, Opened,
    Overdue, Presentation, RoundId, Spent, StoreError, TakenRound, Unspendable, Vote, Voted,
};
use crate::clock::Timestamp;
use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A store of approvals whose panics are errors of its: the call that needed the answer is refused
/// and recorded like any other, and may come again.
#[derive(Debug)]
pub(super) struct Unpanicking(Arc<dyn ApprovalStore>);

impl Unpanicking {
    pub(super) fn over(store: Arc<dyn ApprovalStore>) -> Self {
        Self(store)
    }

    fn ask_it<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn ApprovalStore) -> Answer<T>,
    ) -> Answer<T> {
        match caught(|| ask(&*self.0)) {
            Ok(answer) => Box::pin(Unwound(Some(answer))),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }
}

impl ApprovalStore for Unpanicking {
    fn ask(&self, asking: Arc<Asking>, now: Timestamp) -> Answer<Opened> {
        self.ask_it(|store| store.ask(asking, now))
    }

    fn read(&self, id: EscalationId) -> Answer<Option<Kept>> {
        self.ask_it(|store| store.read(id))
    }

    fn changed(&self, id: EscalationId, seen: u64) -> Answer<Kept> {
        self.ask_it(|store| store.changed(id, seen))
    }

    fn vote(&self, vote: Vote, now: Timestamp) -> Answer<Voted> {
        self.ask_it(|store| store.vote(vote, now))
    }

    fn settle(&self, id: EscalationId, moment: Moment) -> Answer<Option<Kept>> {
        self.ask_it(|store| store.settle(id, moment))
    }

    fn spend(
        &self,
        id: EscalationId,
        presentation: Arc<Presentation>,
        moment: Moment,
    ) -> Answer<Result<Spent, Unspendable>> {
        self.ask_it(|store| store.spend(id, presentation, moment))
    }

    fn expect_round(&self, id: RoundId, next: Arc<NextRound>, now: Timestamp) -> Answer<()> {
        self.ask_it(|store| store.expect_round(id, next, now))
    }

    fn take_round(&self, id: RoundId, call: CallKey, now: Timestamp) -> Answer<TakenRound> {
        self.ask_it(|store| store.take_round(id, call, now))
    }

    fn overdue(&self, stream: &str, after: Option<Overdue>, now: Timestamp) -> Answer<Vec<Kept>> {
        self.ask_it(|store| store.overdue(stream, after, now))
    }

    fn pending(&self) -> Answer<Option<u64>> {
        self.ask_it(|store| store.pending())
    }

    fn lines(&self, stream: &str, after: u64) -> Answer<Vec<Line>> {
        self.ask_it(|store| store.lines(stream, after))
    }

    fn recorded(&self, stream: &str, up_to: u64) -> Answer<()> {
        self.ask_it(|store| store.recorded(stream, up_to))
    }

    fn stirred(&self, seen: u64) -> Answer<u64> {
        self.ask_it(|store| store.stirred(seen))
    }

    fn is_durable(&self) -> bool {
        caught(|| self.0.is_durable()).unwrap_or(false)
    }
}

/// An answer whose panic is an error. It is not polled again afterwards.
struct Unwound<T>(Option<Answer<T>>);

impl<T> Future for Unwound<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(answer) = &mut self.0 else { return Poll::Ready(Err(panicked())) };
        match caught(|| answer.as_mut().poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(answered)) => Poll::Ready(answered),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<T> Drop for Unwound<T> {
    fn drop(&mut self) {
        let answer = self.0.take();
        if caught(move || drop(answer)).is_err() {
            tracing::error!("an answer of the store of approvals panicked while it was dropped");
        }
    }
}

fn caught<T>(act: impl FnOnce() -> T) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|payload| {
        // It may panic in its turn, and so on: it is left where it is.
        std::mem::forget(payload);
        panicked()
    })
}

fn panicked() -> StoreError {
    StoreError::Failed("it panicked".into())
}
