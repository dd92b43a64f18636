use super::lists::{Judged, MOST};
use super::shared::Shared;
use crate::audit::{Event, Listed};
use crate::call::{ServerIdent, ToolRef};
use crate::policy::{Effect, Expose, Policy};
use crate::registry::{Snapshot, Withheld};
use std::sync::Arc;

impl Shared {
    /// The frozen tools that no list shows; `None` where all are shown. What is new is one line of
    /// the log: lists are no calls, and whoever lists in a loop must not fill it.
    pub(super) fn withheld(&self, server: &Arc<ServerIdent>) -> Option<Arc<Withheld>> {
        let regime = self.regime.load_full();
        let policy = &*regime.policy;
        if policy.expose() == Expose::All {
            return None;
        }
        let frozen = self.frozen.get()?;
        let mut judged = self.lists.0.lock();
        if let Some(known) = judged.iter().find(|known| known.is_for(policy, frozen, server)) {
            return Some(Arc::clone(&known.withheld));
        }
        let withheld = Arc::new(self.judge_all(policy, frozen, server));
        if judged.len() >= MOST {
            judged.remove(0);
        }
        judged.push(Judged {
            policy: policy.digest(),
            registry: frozen.digest(),
            server: Arc::clone(server.at_version()),
            withheld: Arc::clone(&withheld),
        });
        drop(judged);
        if let Some(log) = &self.log {
            let count = |tools: usize| u64::try_from(tools).unwrap_or(u64::MAX);
            let listed = Listed {
                server: Arc::clone(server),
                registry: frozen.digest(),
                policy: policy.digest(),
                shown: count(frozen.len().saturating_sub(withheld.len())),
                withheld: count(withheld.len()),
            };
            log.event(Event::tools_list(self.clock.wall(), listed));
        }
        Some(withheld)
    }

    /// What the steps `verify` and `authorize` would deny whatever is sent.
    fn judge_all(&self, policy: &Policy, frozen: &Snapshot, server: &Arc<ServerIdent>) -> Withheld {
        let finding = self.finding(server);
        let lapsed = |name: &str| {
            let mut found = finding.into_iter().flat_map(|finding| finding.reasons(name));
            found.any(|reason| policy.effect(reason) == Effect::Deny)
        };
        let is_hidden = |name: &str, tool: ToolRef<'_>| policy.withholds(tool) || lapsed(name);
        let tools = frozen.iter().filter(|tool| {
            let named = ToolRef::new(server.name(), &tool.name, tool.version.as_ref());
            is_hidden(&tool.name, named)
        });
        tools.map(|tool| tool.name.clone()).collect()
    }
}
