use super::compiled::Policy;
use super::document::Mode;
use super::error::{Place, Problem, shown};
use super::expose::Expose;
use super::idle::lacking;
use super::pattern::Pattern;
use super::places::{EgressEntry, Root};
use super::tree::{Kind, Node};
use crate::call::Reason;
use std::collections::HashMap;

/// What is valid in a policy and probably not meant.
pub(super) fn lint(policy: &Policy, root: &Node) -> Vec<Problem> {
    let mut found = Vec::new();
    let allowlist = Spot::of(root, "tools.allowlist");
    let deny_on = Spot::of(root, "enforcement.deny_on");
    let enforcement = Spot::of(root, "enforcement");
    allowlist.repeated(&mut found);
    deny_on.repeated(&mut found);

    if policy.mode() == Mode::Enforce {
        half_enforced(policy, root, [&allowlist, &deny_on, &enforcement], &mut found);
    }
    for reason in [Reason::ServerCodeChanged, Reason::ToolCodeChanged] {
        if policy.lock_rule().is_none() && policy.deny_on().contains(&reason) {
            let advice = format!(
                "has `{reason}`, which nothing raises without a lock file; set `registry.lock`, or \
                 name one in the options of the program"
            );
            deny_on.say(&mut found, &advice);
        }
    }
    for reason in policy.deny_on() {
        if let Some(key) = lacking(policy, *reason) {
            let advice = format!(
                "has `{reason}`, which nothing raises without `{key}`; set it, or take the reason out"
            );
            deny_on.say(&mut found, &advice);
        }
    }
    if policy.expose() == Expose::Filtered && policy.mode() == Mode::Observe {
        let advice =
            "is `filtered`, but in observe mode every tool may be called, so all are listed";
        Spot::of(root, "expose").say(&mut found, advice);
    }
    if policy.max_payload_bytes() == Some(0) {
        let advice = "is less than 1, so every call with arguments is too large; write at least 1";
        Spot::of(root, PAYLOAD).say(&mut found, advice);
    }
    if policy.digest_key_ref().is_some() && policy.digest_key_ref() == policy.key_ref() {
        let advice = "names the signing key, so whoever may check digests could sign records; \
                      name a key of its own";
        Spot::of(root, "audit.digest_key").say(&mut found, advice);
    }
    allowlist.slashed(&mut found);
    outside_of_use(policy, root, &mut found);
    let implied = enforcement.node.is_none_or(|node| node.get("mode").is_none());
    found.extend(policy.rules().lint(policy.mode(), implied));
    let (mode, deny_on) = (policy.mode(), policy.deny_on());
    found.extend(policy.asking().lint(root, mode, deny_on, policy.rules().asking()));
    overshadowed(policy, &mut found);
    found.sort_by_key(|problem| (problem.line, problem.column));
    found
}

/// What a policy in enforce mode does not refuse, though it looks as if it did.
fn half_enforced(
    policy: &Policy,
    root: &Node,
    [allowlist, deny_on, enforcement]: [&Spot<'_>; 3],
    found: &mut Vec<Problem>,
) {
    let denies = |reason: Reason| policy.deny_on().contains(&reason);
    if policy.allowlist().allows_everything() {
        allowlist.say(found, "allows every tool in enforce mode; name the servers or tools");
    } else if !denies(Reason::ToolNotInAllowlist) && !policy.deny_on().is_empty() {
        let advice = "does not have `tool_not_in_allowlist`, so a tool that is not on the list \
                      is called and only recorded";
        deny_on.say(found, advice);
    }
    if policy.deny_on().is_empty() && !policy.rules().can_refuse() {
        let advice = "is in enforce mode, but `deny_on` is empty, so the policy refuses \
                      nothing; add reasons or write `mode: observe`";
        enforcement.say(found, advice);
    } else {
        for (path, reason) in [
            (policy.max_payload_bytes().map(|_| PAYLOAD), Reason::PayloadTooLarge),
            (policy.max_duration().map(|_| DURATION), Reason::DurationTooLong),
            (policy.idempotency_key_path(), Reason::MissingIdempotency),
            (policy.scope().egress.as_ref().map(|_| EGRESS), Reason::EgressViolation),
            (policy.scope().paths.as_ref().map(|_| PATHS), Reason::FsViolation),
        ] {
            if let Some(path) = path
                && !denies(reason)
            {
                let advice = format!(
                    "is set, but `enforcement.deny_on` does not have `{reason}`, so it is \
                     only recorded"
                );
                Spot::of(root, path).say(found, &advice);
            }
        }
    }
}

/// Of the overrides the first that matches decides: what stands behind one for the same tools, or
/// for all, never does.
fn overshadowed(policy: &Policy, found: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut everything = None;
    for (index, said) in policy.overrides().iter().enumerate() {
        let (text, place) = (&*said.entry.text, said.entry.place);
        // What an entry says of arguments is added to what the others say.
        if !said.classifies() {
            continue;
        }
        if let Some(first) = everything.or_else(|| seen.get(text).copied()) {
            let path = format!("tools.overrides[{index}]");
            let text = shown(text);
            let message = format!(
                "`{path}` is for `{text}`, of which `tools.overrides[{first}]` decides; \
                 put the narrower one first, or take one out"
            );
            found.push(Problem::new(place, &path, message));
            continue;
        }
        seen.insert(text, index);
        if matches!(said.entry.pattern, Pattern::Everything) {
            everything = Some(index);
        }
    }
}

/// What is said of URLs and paths, and can never change what is allowed.
fn outside_of_use(policy: &Policy, root: &Node, found: &mut Vec<Problem>) {
    let scope = policy.scope();
    if let Some(egress) = &scope.egress {
        let list = Spot::of(root, EGRESS);
        list.covered(found, egress.entries(), EgressEntry::covers);
        for ((place, path, text), entry) in list.entries().zip(egress.entries()) {
            if entry.is_wide() {
                let text = shown(text);
                let message = format!(
                    "`{path}` is `{text}`, below which anybody can have a name; \
                     name the hosts that you mean"
                );
                found.push(Problem::new(place, &path, message));
            }
        }
    }
    if let Some(paths) = &scope.paths {
        let list = Spot::of(root, PATHS);
        list.covered(found, paths.entries(), Root::covers);
        for (place, path, text) in list.entries() {
            if text.len() > 1 && text.ends_with('/') {
                let text = shown(text);
                let message = format!(
                    "`{path}` is `{text}`, which is that directory and nothing in it; \
                     write `{text}*` for what is below"
                );
                found.push(Problem::new(place, &path, message));
            }
        }
    } else {
        let base = Spot::of(root, "security.fs_base");
        if base.node.is_some() {
            base.say(found, "is set, but without `security.fs_allowlist` no path is checked");
        }
    }
    for (index, said) in policy.overrides().iter().enumerate() {
        for (key, list, used) in [
            ("url_args", EGRESS, said.url_args.is_empty() || scope.egress.is_some()),
            ("path_args", PATHS, said.path_args.is_empty() || scope.paths.is_some()),
        ] {
            if !used {
                let path = format!("tools.overrides[{index}].{key}");
                let message = format!("`{path}` is set, but without `{list}` nothing is checked");
                found.push(Problem::new(said.entry.place, &path, message));
            }
        }
    }
}

const EGRESS: &str = "security.egress_allowlist";
const PATHS: &str = "security.fs_allowlist";
const PAYLOAD: &str = "security.limits.max_payload_kb";
const DURATION: &str = "security.limits.max_duration_ms";

/// A key of the document and its value, where it has one.
struct Spot<'a> {
    path: &'a str,
    node: Option<&'a Node>,
}

impl<'a> Spot<'a> {
    fn of(root: &'a Node, path: &'a str) -> Self {
        Self { path, node: path.split('.').try_fold(root, |node, key| node.get(key)) }
    }

    fn say(&self, found: &mut Vec<Problem>, advice: &str) {
        let place = self.node.map_or(Place::START, |node| node.place);
        found.push(Problem::new(place, self.path, format!("`{}` {advice}", self.path)));
    }

    /// The texts of a list, with place and path.
    fn entries(&self) -> impl Iterator<Item = (Place, String, &'a str)> {
        let items = match self.node.map(|node| &node.kind) {
            Some(Kind::List(items)) => items.as_slice(),
            _ => &[],
        };
        let path = self.path;
        items.iter().enumerate().filter_map(move |(index, item)| {
            Some((item.place, format!("{path}[{index}]"), item.text()?.trim()))
        })
    }

    fn repeated(&self, found: &mut Vec<Problem>) {
        let mut seen: HashMap<&str, String> = HashMap::new();
        for (place, path, text) in self.entries() {
            if let Some(first) = seen.get(text) {
                let message = format!("`{path}` is `{}` again, as `{first}`", shown(text));
                found.push(Problem::new(place, &path, message));
            } else {
                seen.insert(text, path);
            }
        }
    }

    /// Entries that allow nothing which another entry does not allow already. Looked for among the
    /// first thousand only: it takes time with the square of their number.
    fn covered<T>(&self, found: &mut Vec<Problem>, entries: &[T], covers: fn(&T, &T) -> bool) {
        const MOST: usize = 1000;
        for ((place, path, text), (at, entry)) in
            self.entries().zip(entries.iter().enumerate()).take(MOST)
        {
            let wider = entries.iter().take(MOST).enumerate().find(|(index, other)| {
                *index != at && covers(other, entry) && (*index < at || !covers(entry, other))
            });
            if let Some((index, _)) = wider {
                let (key, text) = (self.path, shown(text));
                let message =
                    format!("`{path}` is `{text}`, which `{key}[{index}]` allows already");
                found.push(Problem::new(place, &path, message));
            }
        }
    }

    /// `server/tool` without its scheme is a tool with a slash in its name.
    fn slashed(&self, found: &mut Vec<Problem>) {
        for (place, path, text) in self.entries() {
            if text.contains('/') && !text.starts_with("mcp://") {
                let text = shown(text);
                let message = format!(
                    "`{path}` is `{text}`, a tool with a slash in its name; \
                     a tool of a server is `mcp://{text}`"
                );
                found.push(Problem::new(place, &path, message));
            }
        }
    }
}
