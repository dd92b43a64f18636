use crate::call::Refusal;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// The future of a step that either passes the call on or answers it at once.
    #[derive(Debug)]
    pub struct StepFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F> {
        Passed { #[pin] below: F },
        // Taken by the one poll that returns it.
        Refused { refusal: Option<Refusal> },
    }
}

impl<F> StepFuture<F> {
    pub(super) fn passed(below: F) -> Self {
        Self { state: State::Passed { below } }
    }

    pub(super) fn refused(refusal: Refusal) -> Self {
        Self { state: State::Refused { refusal: Some(refusal) } }
    }
}

impl<F, R, E> Future for StepFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: From<Refusal>,
{
    type Output = Result<R, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Passed { below } => below.poll(cx),
            // Polled again after it was ready, it stays pending, as a fused future does.
            StateProj::Refused { refusal } => match refusal.take() {
                Some(refusal) => Poll::Ready(Err(refusal.into())),
                None => Poll::Pending,
            },
        }
    }
}
