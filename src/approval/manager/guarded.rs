use super::answer::BackendError;
use super::cause::Cause;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// Why a backend gave no answer.
pub(super) enum Unanswered {
    Failed(BackendError),
    Panicked,
    Late(Duration),
}

/// What a backend answers within `limit`. It must be asked inside of `answer`, so that a panic there
/// is caught, too.
pub(super) async fn guarded<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, BackendError>>,
) -> Result<T, Unanswered> {
    let mut answer = pin!(answer);
    let caught = std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
            Ok(polled) => polled.map_err(Unanswered::Failed),
            Err(_panic) => Poll::Ready(Err(Unanswered::Panicked)),
        }
    });
    match timeout(limit, caught).await {
        Ok(answered) => answered,
        Err(_elapsed) => Err(Unanswered::Late(limit)),
    }
}

/// What an error of a backend says, which is the backend's code as well; nothing where that panics.
pub(super) fn words(error: &BackendError) -> String {
    catch_unwind(AssertUnwindSafe(|| error.to_string())).unwrap_or_default()
}

impl From<Unanswered> for Cause {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Failed(error) => Self::of(error),
            Unanswered::Panicked => Self::said(&"the backend of approvals panicked"),
            Unanswered::Late(limit) => Self::said(&format_args!(
                "the backend of approvals did not answer within {} ms",
                limit.as_millis()
            )),
        }
    }
}
