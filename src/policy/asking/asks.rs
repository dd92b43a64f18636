use super::escalates::never_escalates;
use super::people::ApprovalSet;
use super::terms::{ApprovalStrategy, EscalationTerms};
use crate::call::{Reason, Severity, ToolRef};
use crate::policy::compiled::Policy;
use crate::policy::entry::Entry;
use crate::policy::rules::ByTool;
use crate::policy::verdict::{Effect, Ruling};
use std::collections::BTreeMap;

/// What the policy says of asking, compiled.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Asking {
    pub(super) approve_high_risk: bool,
    /// `None` where the policy does not say; then it is as `deny_on`.
    pub(super) escalate_on: Option<Vec<Reason>>,
    /// The terms for every tool that has none of its own.
    pub(super) base: Option<EscalationTerms>,
    /// The terms for single tools, in the order of the file.
    pub(super) scopes: Vec<(Entry, EscalationTerms)>,
    pub(super) by_tool: ByTool,
    pub(super) sets: BTreeMap<Box<str>, ApprovalSet>,
}

impl Asking {
    /// The patterns of the terms for single tools, in the order of the file.
    pub(in crate::policy) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.scopes.iter().map(|(entry, _)| entry)
    }

    /// All terms, those for every tool first.
    pub(super) fn all_terms(&self) -> impl Iterator<Item = &EscalationTerms> {
        self.base.iter().chain(self.scopes.iter().map(|(_, terms)| terms))
    }

    /// The same with these reasons in place of `escalate_on`.
    pub(in crate::policy) fn escalating_on(mut self, reasons: &[Reason]) -> Self {
        self.escalate_on = Some(reasons.to_vec());
        self
    }

    fn terms(&self, tool: ToolRef<'_>) -> Option<&EscalationTerms> {
        let first = self.by_tool.matching(tool).next();
        match first.and_then(|number| self.scopes.get(number)) {
            Some((_, terms)) => Some(terms),
            None => self.base.as_ref(),
        }
    }

    /// Whether the policy would ask about this reason, where there is somebody to ask.
    pub(super) fn lists(&self, reason: Reason, deny_on: &[Reason]) -> bool {
        let listed = self.escalate_on.as_deref().unwrap_or(deny_on);
        self.approve_high_risk && listed.contains(&reason) && never_escalates(reason).is_none()
    }
}

/// Which denials become questions, and who is asked.
impl Policy {
    /// The terms by which a call of this tool is asked about: those of the first entry of
    /// `human_escalation.tools` that matches, else those of `human_escalation` itself. `None` where
    /// neither is set: then nobody is asked.
    ///
    /// They also hold where an entry of `rules` asks. That there are terms does not say that there
    /// are people: see [`Policy::approvers`].
    pub fn terms(&self, tool: ToolRef<'_>) -> Option<&EscalationTerms> {
        self.asking().terms(tool)
    }

    /// All terms, those for every tool first.
    pub fn all_terms(&self) -> impl Iterator<Item = &EscalationTerms> {
        self.asking().all_terms()
    }

    /// The entry of `approval_sets` with this name.
    pub fn approval_set(&self, id: &str) -> Option<&ApprovalSet> {
        self.asking().sets.get(id)
    }

    /// The people who decide by these terms; `None` where the terms name no set.
    pub fn approvers(&self, terms: &EscalationTerms) -> Option<&ApprovalSet> {
        self.approval_set(terms.approval_set_id.as_deref()?)
    }

    /// What this reason does to a call of this tool: as [`Policy::effect`], but a denial that the
    /// policy wants to be asked about is [`Ruling::Ask`].
    ///
    /// That takes `security.side_effects.approve_high_risk`, the reason in `enforcement.escalate_on`
    /// (where that is absent, in `deny_on`), and terms for the tool. Reasons of integrity, identity
    /// and audit stay denials, and so does one of critical severity where nobody would be asked.
    pub fn ruling(&self, reason: Reason, tool: ToolRef<'_>) -> Ruling {
        let effect = self.effect(reason);
        if effect == Effect::Deny && self.escalates(reason, tool) {
            Ruling::Ask
        } else {
            effect.into()
        }
    }

    fn escalates(&self, reason: Reason, tool: ToolRef<'_>) -> bool {
        let asking = self.asking();
        asking.lists(reason, self.deny_on())
            && asking.terms(tool).is_some_and(|terms| {
                terms.strategy != ApprovalStrategy::AutoAllow
                    || reason.severity() != Severity::Critical
            })
    }
}
