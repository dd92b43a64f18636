//! What the machine says of this process.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::time::{Duration, Instant};

/// The time that all threads of the process have spent on processors.
pub(crate) fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// Resident memory in KiB.
pub(crate) fn resident_kib() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no figure in VmRSS")?.parse()?)
}

/// Keeps what `run` starts on one processor; threads that are there already stay where they are.
pub(crate) fn on_one_core<T>(run: impl FnOnce() -> T) -> Result<T, Box<dyn Error>> {
    let before = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    let first = (0..CpuSet::MAX_CPU).find(|cpu| before.is_set(*cpu)).ok_or("no processor")?;
    one.set(first);
    sched_setaffinity(None, &one)?;
    let value = run();
    sched_setaffinity(None, &before)?;
    Ok(value)
}

/// Waits without sleeping: a timer of the system would come late by more than what is measured.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the machine's clock")]
pub(crate) fn spin_until(at: Instant) {
    while Instant::now() < at {
        std::hint::spin_loop();
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the machine's clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
