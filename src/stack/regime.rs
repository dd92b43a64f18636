use crate::limit::{Circuits, Rates};
use crate::policy::Policy;
use std::sync::Arc;
use std::time::Instant;

/// A policy, and what is counted under it. A call that has entered under one ends under it.
#[derive(Debug)]
pub(super) struct Regime {
    pub(super) policy: Arc<Policy>,
    /// The quotas of the callers; `None` where the policy has none.
    pub(super) rates: Option<Arc<Rates>>,
    /// The circuits of the tools; `None` where nothing opens one.
    pub(super) circuits: Option<Arc<Circuits>>,
}

impl Regime {
    pub(super) fn new(policy: Policy, now: Instant) -> Self {
        let rates = Rates::new(policy.rates().rules(), now).map(Arc::new);
        let circuits = Circuits::new(policy.breakers(), now).map(Arc::new);
        Self { policy: Arc::new(policy), rates, circuits }
    }

    /// The one of another server of the same program. Callers have one quota for both; circuits are
    /// each server's own, since they know tools by their names alone.
    pub(super) fn beside(&self, policy: Policy, now: Instant) -> Self {
        let circuits = Circuits::new(policy.breakers(), now).map(Arc::new);
        Self { circuits, ..self.followed_by(policy, now) }
    }

    /// The one of a newer policy. What the two have alike is counted on, so that a change of
    /// something else gives nobody a new quota and closes no circuit.
    pub(super) fn followed_by(&self, next: Policy, now: Instant) -> Self {
        let has_same_rates = self.policy.rates().says_the_same(next.rates());
        let has_same_breakers = self.policy.breakers() == next.breakers();
        let mut following = Self::new(next, now);
        if has_same_rates {
            following.rates.clone_from(&self.rates);
        }
        if has_same_breakers {
            following.circuits.clone_from(&self.circuits);
        }
        following
    }
}
