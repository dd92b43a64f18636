//! What the threads of the log meet at: the queues and their waiters take it from here, and from
//! nowhere else. The tests under `--cfg shuttle` put a scheduler in its place that tries one
//! interleaving after the other.

#[cfg(all(test, shuttle))]
mod chosen;

#[cfg(not(all(test, shuttle)))]
pub(super) use parking_lot::{Condvar, Mutex, MutexGuard};
#[cfg(not(all(test, shuttle)))]
pub(super) use std::{
    sync::atomic::{AtomicBool, AtomicU8},
    thread::{Builder, JoinHandle, yield_now},
};
#[cfg(not(all(test, shuttle)))]
pub(super) use tokio::sync::Semaphore;

#[cfg(all(test, shuttle))]
pub(super) use chosen::*;
