use super::circuit::{Circuit, Passage, Probe};
use super::window::Sample;
use crate::call::{BreakerRule, CircuitChange, CircuitState};
use crate::limit::whole_millis;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The circuits of all tools of a server.
///
/// There is one for each tool that was frozen and none for any other name: callers cannot make any.
#[derive(Debug)]
pub struct Circuits {
    rule: BreakerRule,
    since: Instant,
    tools: OnceLock<HashMap<Box<str>, Mutex<Circuit>>>,
}

impl Circuits {
    /// All circuits closed at `since`, the beginning of time. `None` where the rule opens none.
    pub fn new(rule: BreakerRule, since: Instant) -> Option<Self> {
        let opens = rule.error_rate_pct.is_some() || rule.p95_latency.is_some();
        opens.then(|| Self { rule, since, tools: OnceLock::new() })
    }

    /// Asks the circuit of `tool`. `names` are the frozen tools, of which the first call makes the
    /// circuits; a tool that is none of them has no circuit and passes.
    ///
    /// Whoever is [tried](Passage::Tried) must say how it [ended](Self::end), whatever that is.
    pub fn admit(
        &self,
        tool: &str,
        names: impl Iterator<Item = impl Into<Box<str>>>,
        now: Instant,
    ) -> Passage {
        let circuits =
            self.tools.get_or_init(|| names.map(|name| (name.into(), Mutex::default())).collect());
        let Some(circuit) = circuits.get(tool) else { return Passage::Free };
        match circuit.lock().admit(&self.rule, self.at(now)) {
            Passage::Barred(wait) => Passage::Barred(whole_millis(wait)),
            passage @ (Passage::Free | Passage::Tried(_)) => passage,
        }
    }

    /// A call of `tool` has ended: how it went, or `None` where that says nothing of the tool. The
    /// place of one that was tried is free again then.
    ///
    /// What ends while the circuit is open, and was not let through to try it, does not count.
    pub fn end(
        &self,
        tool: &str,
        probe: Option<Probe>,
        sample: Option<Sample>,
        now: Instant,
    ) -> Option<CircuitChange> {
        let circuit = self.tools.get()?.get(tool)?;
        circuit.lock().end(probe, sample, &self.rule, self.at(now))
    }

    /// How the circuit of each tool stands; nothing before the first call. One that is tried is open.
    pub fn states(&self) -> Vec<(Box<str>, CircuitState)> {
        let tools = self.tools.get().into_iter().flatten();
        tools.map(|(tool, circuit)| (tool.clone(), circuit.lock().state())).collect()
    }

    fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}
