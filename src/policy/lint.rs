use super::compiled::Policy;
use super::document::Mode;
use super::error::{Place, Problem, shown};
use super::pattern::Pattern;
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
        let denies = |reason: Reason| policy.deny_on().contains(&reason);
        if policy.allowlist().allows_everything() {
            allowlist
                .say(&mut found, "allows every tool in enforce mode; name the servers or tools");
        } else if !denies(Reason::ToolNotInAllowlist) && !policy.deny_on().is_empty() {
            let advice = "does not have `tool_not_in_allowlist`, so a tool that is not on the list \
                          is called and only recorded";
            deny_on.say(&mut found, advice);
        }
        if policy.deny_on().is_empty() && !policy.rules().can_refuse() {
            let advice = "is in enforce mode, but `deny_on` is empty, so the policy refuses \
                          nothing; add reasons or write `mode: observe`";
            enforcement.say(&mut found, advice);
        } else {
            for (path, reason) in [
                (policy.max_payload_bytes().map(|_| PAYLOAD), Reason::PayloadTooLarge),
                (policy.max_duration().map(|_| DURATION), Reason::DurationTooLong),
                (policy.idempotency_key_path(), Reason::MissingIdempotency),
            ] {
                if let Some(path) = path
                    && !denies(reason)
                {
                    let advice = format!(
                        "is set, but `enforcement.deny_on` does not have `{reason}`, so it is \
                         only recorded"
                    );
                    Spot::of(root, path).say(&mut found, &advice);
                }
            }
        }
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
    let implied = enforcement.node.is_none_or(|node| node.get("mode").is_none());
    found.extend(policy.rules().lint(policy.mode(), implied));
    overshadowed(policy, &mut found);
    found.sort_by_key(|problem| (problem.line, problem.column));
    found
}

/// Of the overrides the first that matches decides: what stands behind one for the same tools, or
/// for all, never does.
fn overshadowed(policy: &Policy, found: &mut Vec<Problem>) {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut everything = None;
    for (index, said) in policy.overrides().iter().enumerate() {
        let (text, place) = (&*said.entry.text, said.entry.place);
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
