use super::index::ByTool;
use super::operator::Reading;
use super::rule::{ArgumentRule, Does};
use crate::call::{Arguments, Found, Reason, ToolRef};
use crate::policy::document::Mode;
use crate::policy::entry::Entry;
use crate::policy::verdict::{Ruling, Verdict};
use std::sync::Arc;

/// The entries of `rules`, and which are for which tool.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Rules {
    rules: Vec<ArgumentRule>,
    by_tool: ByTool,
}

/// An `allow` rule that was held against a call.
#[derive(Debug, Clone, Copy)]
struct Allowing<'r> {
    rule: &'r ArgumentRule,
    is_met: bool,
}

/// A pointer for which none of the `allow` rules matches.
#[derive(Debug)]
pub(super) struct Closed<'r> {
    /// The first of the rules that close it.
    pub(super) rule: &'r ArgumentRule,
    /// Whether that refuses.
    pub(super) acts: bool,
}

impl Rules {
    pub(super) fn new(rules: Vec<ArgumentRule>) -> Self {
        let by_tool = ByTool::new(rules.iter().map(|rule| &rule.tool.pattern));
        Self { rules, by_tool }
    }

    pub(in crate::policy) fn all(&self) -> &[ArgumentRule] {
        &self.rules
    }

    /// Which tools each rule is for, with its number and its id.
    pub(in crate::policy) fn entries(&self) -> impl Iterator<Item = (usize, &Entry, &str)> {
        let rules = self.rules.iter().enumerate();
        rules.map(|(index, rule)| (index, &rule.tool, &*rule.cited.id))
    }

    /// The rules for a tool, in the order of the file.
    pub(super) fn of(&self, tool: ToolRef<'_>) -> impl Iterator<Item = &ArgumentRule> {
        self.by_tool.matching(tool).filter_map(|number| self.rules.get(number))
    }

    /// Holds the rules for the tool against the arguments. A call without arguments is judged as
    /// one with an empty map of them.
    pub(in crate::policy) fn judge(
        &self,
        tool: ToolRef<'_>,
        arguments: Option<&Arguments>,
        mode: Mode,
        verdict: &mut Verdict,
    ) {
        if self.rules.is_empty() {
            return;
        }
        let none = Arguments::new();
        let arguments = arguments.unwrap_or(&none);
        let mut allowing = Vec::new();
        for rule in self.of(tool) {
            let reading = rule.operator.holds(rule.pointer.find(arguments));
            if rule.does == Does::Allow {
                allowing.push(Allowing { rule, is_met: reading == Reading::Met });
            } else if let Some((reason, ruling)) = rule.finds(reading, mode) {
                verdict.add(Found::from(reason).by(&rule.cited), ruling);
            }
        }
        for closed in closed(&mut allowing) {
            let found = Found::from(Reason::NoRuleAllows).by(&Arc::clone(&closed.rule.cited));
            verdict.add(found, in_mode(Ruling::Deny, closed.acts, mode));
        }
    }

    /// The pointers that are closed to this call.
    pub(super) fn closed<'r>(
        &'r self,
        tool: ToolRef<'_>,
        arguments: &Arguments,
    ) -> Vec<Closed<'r>> {
        let allows = self.of(tool).filter(|rule| rule.does == Does::Allow);
        let mut allowing: Vec<_> = allows
            .map(|rule| {
                let reading = rule.operator.holds(rule.pointer.find(arguments));
                Allowing { rule, is_met: reading == Reading::Met }
            })
            .collect();
        closed(&mut allowing)
    }
}

impl ArgumentRule {
    /// What a rule that denies or asks finds, and what follows. What it cannot read, it denies:
    /// else `"5"` would pass where `5` does not.
    pub(super) fn finds(&self, reading: Reading, mode: Mode) -> Option<(Reason, Ruling)> {
        let (reason, ruling) = match (reading, self.does) {
            (Reading::Unmet, _) | (_, Does::Allow) => return None,
            (Reading::Unreadable, _) => (Reason::RuleError, Ruling::Deny),
            (Reading::Met, Does::Ask) => (Reason::RuleDenied, Ruling::Ask),
            (Reading::Met, Does::Deny) => (Reason::RuleDenied, Ruling::Deny),
        };
        Some((reason, in_mode(ruling, self.acts, mode)))
    }
}

/// What becomes of a ruling where nothing may refuse.
pub(super) fn in_mode(ruling: Ruling, acts: bool, mode: Mode) -> Ruling {
    if acts && mode == Mode::Enforce { ruling } else { Ruling::WouldDeny }
}

/// The pointers for which none of the rules matches, in the order of the file.
///
/// Rules that only record close nothing: what would be denied if they acted is a `would_deny`.
fn closed<'r>(allowing: &mut [Allowing<'r>]) -> Vec<Closed<'r>> {
    // Stable, so that the first rule of the file stays the first on its pointer.
    allowing.sort_by_key(|one| one.rule.spot);
    let on_one_pointer = allowing.chunk_by(|one, next| one.rule.spot == next.rule.spot);
    on_one_pointer
        .filter_map(|rules| {
            let acting = rules.iter().find(|one| one.rule.acts);
            let is_met = |one: &Allowing<'_>| one.is_met && (one.rule.acts || acting.is_none());
            let rule = acting.or_else(|| rules.first())?.rule;
            (!rules.iter().any(is_met)).then_some(Closed { rule, acts: acting.is_some() })
        })
        .collect()
}
