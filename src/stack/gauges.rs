//! How a layer stands, as metrics tell it.

use super::approvals::Approvals;
use super::own_thread::wait_for;
use super::shared::Shared;
use crate::audit::{Health, Log};
use crate::otel::{CircuitReading, Gauges, Reading};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long the store of approvals may take to count.
const COUNTED: Duration = Duration::from_secs(1);

impl Shared {
    /// Has telemetry ask this layer how it stands, for as long as there is one.
    pub(super) fn be_measured(self: &Arc<Self>) {
        let own: Weak<Self> = Arc::downgrade(self);
        self.telemetry.watch(own);
    }

    fn circuits(&self) -> Vec<CircuitReading> {
        let regime = self.regime.load();
        let states = regime.circuits.iter().flat_map(|circuits| circuits.states());
        let server = || self.frozen_of.get().cloned();
        states.map(|(tool, state)| CircuitReading::new(server(), tool, state)).collect()
    }
}

impl Gauges for Shared {
    fn read(&self) -> Reading {
        if self.is_beside {
            return Reading { circuits: self.circuits(), ..Reading::default() };
        }
        let counted = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let log = self.log.as_ref();
        Reading {
            approvals_pending: self.approvals.as_deref().and_then(pending),
            calls_held: self.approvals.as_ref().map_or(0, |it| counted(it.held())),
            audit_queue: log.map_or(0, |log| counted(log.unwritten())),
            calls_under_way: log.map_or(0, |log| counted(log.under_way())),
            is_failing: log.map(Log::health) != Some(Health::Working),
            circuits: self.circuits(),
        }
    }
}

/// A store that does not answer in time, or fails, is not counted; calls say so.
fn pending(approvals: &Approvals) -> Option<u64> {
    let never = AtomicBool::new(false);
    match wait_for(&mut approvals.store().pending(), COUNTED, &never)? {
        Ok(count) => count,
        Err(error) => {
            tracing::debug!(%error, "the approvals were not counted");
            None
        }
    }
}
