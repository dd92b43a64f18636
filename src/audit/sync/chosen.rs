//! The same names over `shuttle`: every lock, wait, notification and atomic is a point at which the
//! scheduler may go on with another thread.

pub(in crate::audit) use shuttle::sync::atomic::{AtomicBool, AtomicU8};
pub(in crate::audit) use shuttle::thread::{Builder, JoinHandle, yield_now};

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::thread::{Thread, current, park};
use shuttle::{Config, MaxSteps, Runner};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Tries `schedules` interleavings of `test` at random, and as many that put off one thread at a
/// few chosen moments: those find what needs a thread to be very late.
///
/// A failure prints its schedule, for `shuttle::replay`.
pub(in crate::audit) fn explore(schedules: usize, test: impl Fn() + Copy + Send + Sync + 'static) {
    run(RandomScheduler::new(schedules), test);
    run(PctScheduler::new(3, schedules), test);
}

fn run(scheduler: impl Scheduler + 'static, test: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 512 * 1024;
    // A thread that waits for what never comes, and looks again and again, ends here.
    config.max_steps = MaxSteps::FailAfter(20_000);
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(test);
}

/// Lets another thread come first, without asking for it as `yield_now` does.
pub(in crate::audit) fn point() {
    AtomicBool::new(false).load(Ordering::SeqCst);
}

/// A lock that is not poisoned.
#[derive(Debug, Default)]
pub(in crate::audit) struct Mutex<T>(shuttle::sync::Mutex<T>);

#[derive(Debug)]
pub(in crate::audit) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// None while its holder waits for a notification.
    held: Option<shuttle::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(in crate::audit) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(in crate::audit) fn lock(&self) -> MutexGuard<'_, T> {
        let held = Some(self.0.lock().unwrap_or_else(PoisonError::into_inner));
        MutexGuard { mutex: self, held }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().unwrap()
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().unwrap()
    }
}

/// Time is not modelled: a wait that has an end may end at any moment after it began, and one of
/// [`Duration::MAX`] never does by itself. A thread that nobody wakes then is a deadlock, which the
/// scheduler reports.
#[derive(Debug, Default)]
pub(in crate::audit) struct Condvar {
    // Never held across a point, so it is free whenever somebody wants it.
    waiting: parking_lot::Mutex<Vec<Arc<Waiter>>>,
}

#[derive(Debug)]
struct Waiter {
    thread: Thread,
    is_notified: std::sync::atomic::AtomicBool,
}

#[derive(Debug)]
pub(in crate::audit) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(in crate::audit) fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(in crate::audit) fn new() -> Self {
        Self::default()
    }

    pub(in crate::audit) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_for(guard, Duration::MAX);
    }

    pub(in crate::audit) fn wait_for<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        at_most: Duration,
    ) -> WaitTimeoutResult {
        // Who notifies without the lock can come here, before anybody waits.
        point();
        let is_notified = std::sync::atomic::AtomicBool::new(false);
        let waiter = Arc::new(Waiter { thread: current(), is_notified });
        self.waiting.lock().push(Arc::clone(&waiter));
        guard.held = None;
        let mut timed_out = false;
        while !waiter.is_notified.load(Ordering::SeqCst) {
            if at_most == Duration::MAX {
                park();
            } else if thread_rng().r#gen::<bool>() {
                self.waiting.lock().retain(|other| !Arc::ptr_eq(other, &waiter));
                timed_out = true;
                break;
            } else {
                yield_now();
            }
        }
        guard.held = guard.mutex.lock().held;
        WaitTimeoutResult(timed_out)
    }

    pub(in crate::audit) fn wait_while_for<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        at_most: Duration,
    ) -> WaitTimeoutResult {
        while condition(&mut *guard) {
            if self.wait_for(guard, at_most).timed_out() {
                return WaitTimeoutResult(true);
            }
        }
        WaitTimeoutResult(false)
    }

    pub(in crate::audit) fn notify_one(&self) {
        point();
        let mut waiting = self.waiting.lock();
        let chosen = match waiting.len() {
            0 | 1 => waiting.pop(),
            several => Some(waiting.swap_remove(thread_rng().gen_range(0..several))),
        };
        drop(waiting);
        chosen.into_iter().for_each(|waiter| waiter.wake());
    }

    pub(in crate::audit) fn notify_all(&self) {
        point();
        let all = std::mem::take(&mut *self.waiting.lock());
        all.into_iter().for_each(|waiter| waiter.wake());
    }
}

impl Waiter {
    fn wake(&self) {
        self.is_notified.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// The one of tokio, with a point before everything that is done with it.
#[derive(Debug)]
pub(in crate::audit) struct Semaphore(tokio::sync::Semaphore);

impl Semaphore {
    pub(in crate::audit) fn new(permits: usize) -> Self {
        Self(tokio::sync::Semaphore::new(permits))
    }
}

impl Deref for Semaphore {
    type Target = tokio::sync::Semaphore;

    fn deref(&self) -> &Self::Target {
        point();
        &self.0
    }
}
