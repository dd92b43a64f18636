use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Runs a future on this thread, which is no thread of a runtime, until it ends; `None` when the time
/// is up, or `ends` is set and the thread was unparked. The future can be gone on with.
#[expect(clippy::disallowed_methods, reason = "a bound of the thread's own, that no clock moves")]
pub(super) fn wait_for<F>(
    future: &mut Pin<Box<F>>,
    at_most: Duration,
    ends: &AtomicBool,
) -> Option<F::Output>
where
    F: Future + ?Sized,
{
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let until = Instant::now() + at_most;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || ends.load(Ordering::Acquire) {
            return None;
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
