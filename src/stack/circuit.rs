//! The circuits of tools, as calls meet them: asked where the policy is, told where a call ends.

use super::regime::Regime;
use super::shared::Shared;
use crate::audit::Event;
use crate::call::{CircuitChange, CircuitState, Facts, Reason, Status, ToolName, Trail};
use crate::limit::{Passage, Probe, Sample};
use std::sync::Arc;
use std::time::Duration;

impl Shared {
    /// Asks the circuit of the call's tool, which must be a frozen one. `Some` says after how long
    /// another call may pass; this one may not.
    ///
    /// Where the call is let through to try the circuit, that goes into the facts: whatever becomes
    /// of it, [`end_circuit`](Self::end_circuit) gives the place back.
    pub(super) fn ask_circuit(&self, regime: &Regime, trail: &Trail) -> Option<Duration> {
        let circuits = regime.circuits.as_ref()?;
        let now = self.clock.monotonic();
        let asked = trail.with(|facts| {
            let frozen = self.frozen.get();
            let names = frozen.iter().flat_map(|frozen| frozen.iter());
            // By the name that the record has, so that the end finds it again.
            let names = names.map(|tool| ToolName::from(&*tool.name).bounded());
            match circuits.admit(&facts.tool, names, now) {
                Passage::Free => None,
                Passage::Barred(wait) => Some(wait),
                Passage::Tried(probe) => {
                    facts.probe = Some(probe.number());
                    None
                }
            }
        });
        asked.flatten()
    }

    /// Tells the circuit of the call's tool how the call ended. To be called once for each call,
    /// when its status is that of its handler.
    pub(super) fn end_circuit(&self, regime: &Regime, facts: &Facts) {
        let Some(circuits) = &regime.circuits else { return };
        let (probe, sample) = (facts.probe.map(Probe::of_number), sample(facts));
        if probe.is_none() && sample.is_none() {
            return;
        }
        let change = circuits.end(&facts.tool, probe, sample, self.clock.monotonic());
        if let Some(change) = change {
            self.tell_circuit(facts, change);
        }
    }

    fn tell_circuit(&self, facts: &Facts, change: CircuitChange) {
        let tool = &*facts.tool;
        let CircuitChange { state, calls, failed, slow } = change;
        match state {
            CircuitState::Open => {
                tracing::warn!(tool, calls, failed, slow, "the circuit of a tool has opened");
            }
            CircuitState::Closed => {
                tracing::info!(tool, "the circuit of a tool has closed");
            }
        }
        if let Some(log) = &self.log {
            let (server, name) = (Arc::clone(&facts.server), ToolName::new(facts.tool.clone()));
            log.event(Event::circuit(self.clock.wall(), facts.span, server, &name, change));
        }
    }
}

/// What the end of a call says of its tool; `None` where it says nothing: the handler did not run,
/// the caller gave up, or a layer round the handler failed.
fn sample(facts: &Facts) -> Option<Sample> {
    if !facts.executed() {
        return None;
    }
    let failed = match facts.status {
        Status::Ok => false,
        Status::Error if facts.refused_for == Some(Reason::LayerFailed.into()) => return None,
        Status::Error | Status::Panicked | Status::Timeout => true,
        Status::Cancelled | Status::Denied | Status::Unknown => return None,
    };
    Some(Sample { failed, latency: facts.latency })
}
