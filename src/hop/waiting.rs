use crate::call::{Reason, Refusal};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use tokio::runtime::{Builder, EnterGuard, Handle, Runtime, RuntimeFlavor};
use tokio::task::block_in_place;

/// What a hop is told that cannot be waited for.
pub(super) const CANNOT: &str = "a hop that is not async would have to wait on the thread of a \
    current-thread runtime; make it async, run it with `spawn_blocking` of a multi-thread runtime, \
    or record its operation in `batch`";

/// Where code that is not async runs, and so how it can wait.
#[derive(Debug)]
pub(super) enum Place {
    /// On a thread that belongs to no runtime: it parks, and the time is that of a runtime of our own.
    Outside,
    /// On a multi-thread runtime, which is told that the thread is taken.
    MultiThread,
    /// On the one thread of a runtime: it never waits.
    CurrentThread,
}

impl Place {
    /// Where this code runs.
    ///
    /// # Errors
    ///
    /// It cannot wait here, and has to.
    pub(super) fn here(has_to_wait: bool) -> Result<Self, Refusal> {
        let place = match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Err(_) => Self::Outside,
            Ok(RuntimeFlavor::MultiThread) => Self::MultiThread,
            // Kinds to come may have one thread.
            Ok(_) => Self::CurrentThread,
        };
        if has_to_wait && matches!(place, Self::CurrentThread) {
            return Err(Refusal::new(Reason::HopUnavailable).with_detail(CANNOT));
        }
        Ok(place)
    }

    /// Enters a runtime where there is none: the steps ask it for the time.
    ///
    /// # Errors
    ///
    /// None can be started.
    pub(super) fn enter(&self) -> Result<Option<EnterGuard<'static>>, Refusal> {
        match self {
            Self::Outside => Ok(Some(clockwork()?.enter())),
            Self::MultiThread | Self::CurrentThread => Ok(None),
        }
    }

    /// Polls until it is ready; `None` where that would block a thread that others need.
    pub(super) fn wait<T>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        // Mostly it is ready at once, and nobody has to make room.
        if let Poll::Ready(value) = poll(&mut context) {
            return Some(value);
        }
        let mut park = || {
            loop {
                if let Poll::Ready(value) = poll(&mut context) {
                    return value;
                }
                thread::park();
            }
        };
        match self {
            Self::Outside => Some(park()),
            Self::MultiThread => Some(block_in_place(park)),
            Self::CurrentThread => None,
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The runtime whose time is used outside any: one thread for the whole process, started when it is
/// first needed. It holds nothing of any app.
fn clockwork() -> Result<&'static Handle, Refusal> {
    static CLOCKWORK: OnceLock<Option<Handle>> = OnceLock::new();
    let started = CLOCKWORK.get_or_init(|| {
        let started = Builder::new_current_thread().enable_time().build().and_then(run);
        started
            .inspect_err(|error| tracing::error!(%error, "no thread for hops outside a runtime"))
            .ok()
    });
    started.as_ref().ok_or_else(|| {
        Refusal::new(Reason::HopUnavailable).with_detail(
            "the thread that keeps the time cannot be started; allow this user more threads",
        )
    })
}

fn run(runtime: Runtime) -> std::io::Result<Handle> {
    let handle = runtime.handle().clone();
    let forever = move || runtime.block_on(std::future::pending::<()>());
    thread::Builder::new().name("sec0-hops".to_owned()).spawn(forever)?;
    Ok(handle)
}
