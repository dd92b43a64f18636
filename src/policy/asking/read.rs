use super::asks::Asking;
use super::level::Level;
use super::people::ApprovalSet;
use super::sets::sets;
use super::terms::{ApprovalStrategy, EscalationTerms, TimeoutAction};
use crate::call::Reason;
use crate::policy::entry::Entry;
use crate::policy::error::{Problem, shown};
use crate::policy::rules::ByTool;
use crate::policy::shape::hint;
use crate::policy::tree::{Kind, Node};
use crate::policy::words;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most entries of `human_escalation.tools`.
const MAX_SCOPES: usize = 10_000;

const AROUND: &str = "security.side_effects";
/// The two spellings; where both stand the first counts.
pub(super) const SPELLINGS: [&str; 2] = ["human_escalation", "humanEscalation"];

/// Reads all that is said of asking, and says what the schema cannot: names that lead nowhere,
/// thresholds that nobody can reach, and calls that would run with nobody's approval by mistake.
///
/// What the schema refuses is left out; the check says why.
pub(in crate::policy) fn read(root: &Node) -> (Asking, Vec<Problem>) {
    let mut found = Vec::new();
    let sets = sets(root, &mut found);
    let enforcement = root.get("enforcement");
    let around = root.get("security").and_then(|security| security.get("side_effects"));
    let flag = around.and_then(|around| around.get("approve_high_risk"));
    let mut asking = Asking {
        approve_high_risk: flag.is_some_and(|flag| matches!(flag.kind, Kind::Flag(true))),
        escalate_on: enforcement.and_then(|it| it.get("escalate_on")).map(reasons),
        sets,
        ..Asking::default()
    };
    // The one that counts comes last; of the other one only the mistakes are told.
    let mut written = SPELLINGS.iter().rev().filter_map(|name| Some((*name, around?.get(name)?)));
    let mut any = false;
    for (name, node) in &mut written {
        any = true;
        let path = format!("{AROUND}.{name}");
        let base = Level { entry: None, base: Some((&path, node)), around };
        let terms = terms(&path, base, &asking.sets, &mut found);
        asking.base = is_set(node).then_some(terms);
        asking.scopes = scopes(&path, base, node, &asking.sets, &mut found);
    }
    if !any {
        let alone = Level { entry: None, base: None, around };
        terms(AROUND, alone, &asking.sets, &mut found);
    }
    asking.by_tool = ByTool::new(asking.scopes.iter().map(|(entry, _)| &entry.pattern));
    // What several scopes take from one place is wrong there once.
    let order = |it: &Problem| (it.line, it.column, it.message.clone());
    found.sort_by_key(order);
    found.dedup();
    (asking, found)
}

impl Asking {
    /// Whether everything that the file has of this was taken.
    pub(in crate::policy) fn is_all_of(&self, root: &Node) -> bool {
        let around = root.get("security").and_then(|security| security.get("side_effects"));
        let written = SPELLINGS.iter().find_map(|name| around?.get(name));
        let scopes = written.and_then(|it| it.get("tools")).map_or(0, |tools| tools.items().len());
        let members = |node: &Node| node.get("members").map_or(0, |all| all.items().len());
        let sets = match root.get("approval_sets").map(|node| &node.kind) {
            Some(Kind::Map(entries)) => entries.iter().map(|(_, set)| members(set)).sum(),
            Some(_) | None => 0,
        };
        let taken: usize = self.sets.values().map(|set| set.members.len()).sum();
        scopes == self.scopes.len() && sets == taken
    }
}

/// True where the section speaks for every tool: it has a key beside `tools`.
fn is_set(node: &Node) -> bool {
    let Kind::Map(entries) = &node.kind else { return false };
    entries.iter().any(|(name, _)| name.text() != Some("tools"))
}

fn reasons(node: &Node) -> Vec<Reason> {
    let texts = node.items().iter().filter_map(Node::text);
    texts.filter_map(|text| words::known(text).ok()).collect()
}

fn scopes(
    path: &str,
    base: Level<'_>,
    node: &Node,
    sets: &BTreeMap<Box<str>, ApprovalSet>,
    found: &mut Vec<Problem>,
) -> Vec<(Entry, EscalationTerms)> {
    let Some(tools) = node.get("tools") else { return Vec::new() };
    let path = format!("{path}.tools");
    if tools.items().len() > MAX_SCOPES {
        let message = format!(
            "`{path}` has {} entries, and a policy has at most {MAX_SCOPES}; name servers in place \
             of tools",
            tools.items().len()
        );
        found.push(Problem::new(tools.place, &path, message));
        return Vec::new();
    }
    let scope = |(index, node): (usize, &Node)| {
        let path = format!("{path}[{index}]");
        let tool = node.get("tool")?;
        let entry = Entry::read(tool.text()?, tool.place).ok()?;
        let level = Level { entry: Some((&path, node)), ..base };
        Some((entry, terms(&path, level, sets, found)))
    };
    tools.items().iter().enumerate().filter_map(scope).collect()
}

/// The terms of one scope, every field resolved.
fn terms(
    path: &str,
    level: Level<'_>,
    sets: &BTreeMap<Box<str>, ApprovalSet>,
    found: &mut Vec<Problem>,
) -> EscalationTerms {
    let terms = EscalationTerms {
        scope: path.into(),
        strategy: level.strategy(),
        timeout_action: level.timeout_action(),
        min_approvals: level.count("min_approvals"),
        min_rejections: level.count("min_rejections"),
        required_roles: level.texts("required_roles"),
        veto_roles: level.texts("veto_roles"),
        approval_set_id: level.text("approval_set_id"),
        connected_user: level.text("connected_user"),
        wait: level.time("wait_ms", 1000.0, Duration::ZERO),
        ttl: level.time("ttl_seconds", 1.0, Duration::from_hours(1)),
        allow_unattended: level.flag("allow_unattended"),
    };
    found.extend(["min_approvals", "min_rejections"].iter().filter_map(|key| level.whole(key)));
    unattended(&terms, level, found);
    if terms.strategy == ApprovalStrategy::SingleApprover && terms.min_approvals > 1 {
        let advice = format!(
            "`single_approver` is one approval, and `min_approvals` is {}; write \
             `approval_strategy: human_quorum`, or take `min_approvals` out",
            terms.min_approvals
        );
        say(level, &["min_approvals", "approval_strategy"], &advice, found);
    }
    let Some(id) = &terms.approval_set_id else {
        if let Some(user) = &terms.connected_user {
            let advice = format!(
                "`connected_user` is `{}`, and there is no `approval_set_id` to be a member of; add it",
                shown(user)
            );
            say(level, &["connected_user"], &advice, found);
        }
        return terms;
    };
    let Some(set) = sets.get(id) else {
        let names: Vec<_> = sets.keys().map(|name| &**name).collect();
        let advice = format!(
            "`approval_set_id` is `{}`, which is not in `approval_sets`{} add the set",
            shown(id),
            hint(id, &names)
        );
        say(level, &["approval_set_id"], &advice, found);
        return terms;
    };
    // A set with a fault inside is told as that, and not by what follows from it.
    if !set.members.is_empty() {
        reachable(&terms, set, level, found);
        connected(&terms, set, level, found);
    }
    terms
}

/// Nobody's approval must be wanted twice.
fn unattended(terms: &EscalationTerms, level: Level<'_>, found: &mut Vec<Problem>) {
    if terms.allow_unattended {
        return;
    }
    let wanted = "so calls would run with nobody's approval; add `allow_unattended: true` to \
                  `human_escalation` if you mean that";
    if terms.strategy == ApprovalStrategy::AutoAllow {
        let advice = format!("`approval_strategy` is `auto_allow`, {wanted}");
        say(level, &["approval_strategy", "allow_unattended"], &advice, found);
    }
    if terms.timeout_action == TimeoutAction::AutoApprove {
        let advice = format!("`timeout_action` is `auto_approve`, {wanted}");
        say(level, &["timeout_action", "allow_unattended"], &advice, found);
    }
}

/// What this set can never do.
fn reachable(
    terms: &EscalationTerms,
    set: &ApprovalSet,
    level: Level<'_>,
    found: &mut Vec<Problem>,
) {
    let (name, members) = (shown(&set.id), set.members.len());
    let most = u32::try_from(members).unwrap_or(u32::MAX);
    for (key, least) in
        [("min_approvals", terms.min_approvals), ("min_rejections", terms.min_rejections)]
    {
        if least > most {
            let advice = format!(
                "`{key}` is {least}, more than the members of the set `{name}`, {members}; lower \
                 it, or add members"
            );
            say(level, &[key, "approval_set_id"], &advice, found);
        }
    }
    for (key, roles) in
        [("required_roles", &terms.required_roles), ("veto_roles", &terms.veto_roles)]
    {
        for role in roles.iter().filter(|role| !set.has_role(role)) {
            let has = set.members.iter().flat_map(|member| &member.roles);
            let mut has: Vec<_> = has.map(|role| &**role).collect();
            has.sort_unstable();
            has.dedup();
            let advice = format!(
                "`{key}` has `{}`, a role that no member of the set `{name}` has{} give it to a \
                 member, or take it out",
                shown(role),
                hint(role, &has)
            );
            say(level, &[key, "approval_set_id"], &advice, found);
        }
    }
}

/// The connected user votes as somebody who may.
fn connected(
    terms: &EscalationTerms,
    set: &ApprovalSet,
    level: Level<'_>,
    found: &mut Vec<Problem>,
) {
    let Some(user) = &terms.connected_user else { return };
    if set.member(user).is_some() {
        return;
    }
    let names: Vec<_> = set.members.iter().map(|member| &*member.id).collect();
    let advice = format!(
        "`connected_user` is `{}`, which is no member of the set `{}`{} name a member, or add one",
        shown(user),
        shown(&set.id),
        hint(user, &names)
    );
    say(level, &["connected_user", "approval_set_id"], &advice, found);
}

/// Says what is wrong at the first of these keys that this scope has, else where they come from.
fn say(level: Level<'_>, keys: &[&str], advice: &str, found: &mut Vec<Problem>) {
    let Some(spot) = level.nearest(keys) else {
        // A default is never wrong; should one ever be, it must not pass.
        found.push(Problem::new(level.place(), AROUND, format!("`{AROUND}`: {advice}")));
        return;
    };
    found.push(Problem::new(spot.node.place, &spot.path, format!("`{}`: {advice}", spot.path)));
}
