use super::asks::Asking;
use super::escalates::never_escalates;
use super::level::LEGACY;
use super::overlap::overlap;
use super::people::ApprovalSet;
use super::read::SPELLINGS;
use super::terms::{ApprovalStrategy, EscalationTerms, TimeoutAction};
use crate::call::Reason;
use crate::policy::document::Mode;
use crate::policy::entry::Entry;
use crate::policy::error::{Place, Problem, shown};
use crate::policy::pattern::Pattern;
use crate::policy::tree::{Kind, Node};
use std::collections::HashMap;

const AROUND: &str = "security.side_effects";
const ESCALATE_ON: &str = "enforcement.escalate_on";

/// What of asking is valid and probably not meant.
impl Asking {
    /// `asking` are the entries of `rules` that ask, with number, id and whether each acts.
    pub(in crate::policy) fn lint<'r>(
        &self,
        root: &Node,
        mode: Mode,
        deny_on: &[Reason],
        rules: impl Iterator<Item = (usize, &'r Entry, &'r str)>,
    ) -> Vec<Problem> {
        let mut found = Vec::new();
        let file = File { root };
        let mut asks = false;
        for (index, entry, id) in rules {
            asks = true;
            if !self.may_answer(&entry.pattern) {
                let path = format!("rules[{index}]");
                let message = format!(
                    "`{path}` (`{}`) asks for an approval, and nobody can give one for these tools, \
                     so what matches is refused; set `{AROUND}.human_escalation` for them, with an \
                     `approval_set_id`",
                    shown(id)
                );
                found.push(Problem::new(entry.place, &path, message));
            }
        }
        self.listed(&file, mode, deny_on, &mut found);
        self.switched(&file, asks, &mut found);
        for terms in self.all_terms() {
            of_terms(terms, &file, &mut found);
        }
        self.overshadowed(&mut found);
        for set in self.sets.values() {
            self.of_set(set, &file, &mut found);
        }
        found.sort_by_key(|problem| (problem.line, problem.column, problem.message.clone()));
        found.dedup();
        found
    }

    /// Whether there may be a tool of this pattern that somebody can be asked about.
    fn may_answer(&self, pattern: &Pattern<Box<str>>) -> bool {
        let answers = |terms: &EscalationTerms| {
            terms.approval_set_id.is_some() || terms.strategy == ApprovalStrategy::AutoAllow
        };
        self.base.as_ref().is_some_and(answers)
            || self
                .scopes
                .iter()
                .any(|(entry, terms)| answers(terms) && overlap(&entry.pattern, pattern))
    }

    /// The reasons of `escalate_on` for which nobody is ever asked.
    fn listed(&self, file: &File<'_>, mode: Mode, deny_on: &[Reason], found: &mut Vec<Problem>) {
        let Some(list) = &self.escalate_on else { return };
        for reason in list {
            if let Some(why) = never_escalates(*reason) {
                let advice = format!("has `{reason}`, {why}, so nobody is asked; take it out");
                file.say(ESCALATE_ON, &advice, found);
            } else if mode == Mode::Enforce && !deny_on.contains(reason) {
                let advice = format!(
                    "has `{reason}`, which `enforcement.deny_on` has not, so it is only recorded \
                     and nobody is asked; add it there"
                );
                file.say(ESCALATE_ON, &advice, found);
            }
        }
        if !list.is_empty() && !self.approve_high_risk {
            let advice = "is set, but without `security.side_effects.approve_high_risk: true` \
                          nobody is asked";
            file.say(ESCALATE_ON, advice, found);
        }
    }

    /// Keys of which one is nothing without the other.
    fn switched(&self, file: &File<'_>, rules_ask: bool, found: &mut Vec<Problem>) {
        let no_terms = self.all_terms().next().is_none();
        if self.approve_high_risk && no_terms {
            let advice = "is set, but without `human_escalation` nobody is asked";
            file.say(&format!("{AROUND}.approve_high_risk"), advice, found);
        }
        let [first, second] = SPELLINGS.map(|name| format!("{AROUND}.{name}"));
        if !no_terms && !self.approve_high_risk && !rules_ask {
            let written = if file.get(&first).is_some() { &first } else { &second };
            let advice = "is set, but nothing asks: neither `approve_high_risk` is true nor does an \
                          entry of `rules` ask";
            file.say(written, advice, found);
        }
        if file.get(&first).is_some() && file.get(&second).is_some() {
            let advice = "stands beside `human_escalation`, which counts; take one of the two out";
            file.say(&second, advice, found);
        }
        for name in LEGACY.iter().flat_map(|(_, names)| *names) {
            let path = format!("{AROUND}.{name}");
            if no_terms && file.get(&path).is_some() {
                file.say(&path, "is set, but without `human_escalation` nobody is asked", found);
            }
        }
    }

    /// Of the entries of `tools` the first that matches counts.
    fn overshadowed(&self, found: &mut Vec<Problem>) {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        let mut everything = None;
        for (entry, terms) in &self.scopes {
            if let Some(first) = everything.or_else(|| seen.get(&*entry.text).copied()) {
                let (scope, text) = (&terms.scope, shown(&entry.text));
                let message = format!(
                    "`{scope}` is for `{text}`, of which `{first}` decides; put the narrower one \
                     first, or take one out"
                );
                found.push(Problem::new(entry.place, scope, message));
                continue;
            }
            seen.insert(&entry.text, &terms.scope);
            if matches!(entry.pattern, Pattern::Everything) {
                everything = Some(&*terms.scope);
            }
        }
    }

    fn of_set(&self, set: &ApprovalSet, file: &File<'_>, found: &mut Vec<Problem>) {
        let path = format!("approval_sets.{}", shown(&set.id));
        let place = file.set(&set.id);
        let used = self.all_terms().any(|terms| terms.approval_set_id.as_deref() == Some(&*set.id));
        if !used {
            let message = format!(
                "`{path}` is used by nothing; name it in an `approval_set_id`, or take it out"
            );
            found.push(Problem::new(place, &path, message));
        }
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for member in &set.members {
            for principal in &member.principals {
                let Some(first) = seen.insert(principal, &member.id) else { continue };
                let message = format!(
                    "`{path}` has the caller `{}` as two members, `{}` and `{}`; one person with two \
                     ids counts as two in a quorum",
                    shown(principal),
                    shown(first),
                    shown(&member.id)
                );
                found.push(Problem::new(place, &path, message));
            }
        }
    }
}

/// What of the terms of one scope is hardly meant.
fn of_terms(terms: &EscalationTerms, file: &File<'_>, found: &mut Vec<Problem>) {
    let mut say = |advice: &str| file.say(&terms.scope, advice, found);
    if terms.strategy == ApprovalStrategy::AutoAllow {
        say("has `auto_allow`, so what the policy asks about runs with nobody's approval");
        return;
    }
    if terms.timeout_action == TimeoutAction::AutoApprove {
        say("has `auto_approve`, so what nobody decides on runs with nobody's approval");
    }
    if terms.approval_set_id.is_none() {
        say("has no `approval_set_id`, so nobody can approve and what is asked about is refused");
    }
    if terms.strategy == ApprovalStrategy::HumanQuorum && terms.min_approvals == 1 {
        say("has `human_quorum` and needs one approval, which is no quorum; set `min_approvals`");
    }
    if terms.wait > terms.ttl {
        say("has a `wait_ms` that is longer than `ttl_seconds`, after which nobody can approve");
    }
}

/// The document, for places.
struct File<'n> {
    root: &'n Node,
}

impl<'n> File<'n> {
    fn get(&self, path: &str) -> Option<&'n Node> {
        path.split('.').try_fold(self.root, |node, part| match part.split_once('[') {
            None => node.get(part),
            Some((name, index)) => {
                let index = index.trim_end_matches(']').parse::<usize>();
                index.map_or(None, |index| node.get(name)?.items().get(index))
            }
        })
    }

    fn say(&self, path: &str, advice: &str, found: &mut Vec<Problem>) {
        let place = self.get(path).map_or(Place::START, |node| node.place);
        found.push(Problem::new(place, path, format!("`{path}` {advice}")));
    }

    /// Where a set stands; its name may have dots.
    fn set(&self, id: &str) -> Place {
        let Some(Kind::Map(entries)) = self.root.get("approval_sets").map(|node| &node.kind) else {
            return Place::START;
        };
        let entry = entries.iter().find(|(name, _)| name.text().map(str::trim) == Some(id));
        entry.map_or(Place::START, |(name, _)| name.place)
    }
}
