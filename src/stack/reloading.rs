use crate::policy::{LocalDisk, Policy, PolicySource};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::time::Duration;

/// Where newer versions come from, and what a new one has to know.
#[derive(Debug)]
pub(super) struct Reloading {
    pub(super) source: Mutex<Box<dyn PolicySource>>,
    pub(super) every: Duration,
    /// The audit directory and the lock file: no call touches them, whatever a policy allows.
    pub(super) own: Vec<PathBuf>,
}

impl Reloading {
    pub(super) fn new(source: Box<dyn PolicySource>, every: Duration, own: Vec<PathBuf>) -> Self {
        Self { source: Mutex::new(source), every, own }
    }
}

/// The same policy, which knows what the paths on this machine lead to, and which files are sec0's
/// own.
pub(super) fn grounded(policy: Policy, own: &[PathBuf]) -> Policy {
    let own: Vec<_> = policy.own_files().into_iter().chain(own.iter().cloned()).collect();
    policy.on_disk(&own, &LocalDisk)
}
