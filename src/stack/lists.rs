use crate::call::ServerIdent;
use crate::digest::Digest;
use crate::policy::Policy;
use crate::registry::{Snapshot, Withheld};
use parking_lot::Mutex;
use std::sync::Arc;

/// Which tools lists leave out, judged once for each policy, registry and server.
#[derive(Debug, Default)]
pub(super) struct Lists(pub(super) Mutex<Vec<Judged>>);

/// The most that are remembered. A client changes none of what they depend on, so one is the rule,
/// and two while calls of an older policy end.
pub(super) const MOST: usize = 16;

#[derive(Debug)]
pub(super) struct Judged {
    pub(super) policy: Digest,
    pub(super) registry: Digest,
    pub(super) server: Arc<str>,
    pub(super) withheld: Arc<Withheld>,
}

impl Judged {
    /// True when it is about these three.
    pub(super) fn is_for(&self, policy: &Policy, frozen: &Snapshot, server: &ServerIdent) -> bool {
        self.policy == policy.digest()
            && self.registry == frozen.digest()
            && self.server == *server.at_version()
    }
}
