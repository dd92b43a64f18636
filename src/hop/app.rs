//! The app whose hops run.

use std::cell::RefCell;

tokio::task_local! {
    static OF_TASK: Sec0App;
}

thread_local! {
    static OF_THREAD: RefCell<Option<Sec0App>> = const { RefCell::new(None) };
}

/// A program with hops.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Sec0App {}

impl Sec0App {
    /// Runs `body` with this app as the one of its hops.
    ///
    /// # Cancel safety
    /// As safe as `body`.
    pub async fn scope<F: Future>(&self, body: F) -> F::Output {
        OF_TASK.scope(self.clone(), body).await
    }

    /// Runs `body` with this app as the one of its hops, on this thread.
    pub fn scope_sync<R>(&self, body: impl FnOnce() -> R) -> R {
        let before = OF_THREAD.replace(Some(self.clone()));
        let result = body();
        OF_THREAD.set(before);
        result
    }

    /// The app of the scope that runs now.
    pub fn current() -> Option<Self> {
        OF_TASK.try_with(Clone::clone).ok().or_else(|| OF_THREAD.with_borrow(Clone::clone))
    }
}
