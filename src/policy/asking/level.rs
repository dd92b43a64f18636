use super::terms::{ApprovalStrategy, TimeoutAction};
use crate::policy::error::{Place, Problem};
use crate::policy::tree::{Kind, Node};
use std::time::Duration;

/// Where the keys of one scope are looked for: in the entry of `tools`, then in `human_escalation`,
/// then among the older spellings next to it.
#[derive(Clone, Copy)]
pub(super) struct Level<'n> {
    /// The entry of `tools`, with its path.
    pub(super) entry: Option<(&'n str, &'n Node)>,
    /// `human_escalation`, under the spelling that it has, with its path.
    pub(super) base: Option<(&'n str, &'n Node)>,
    /// `security.side_effects`.
    pub(super) around: Option<&'n Node>,
}

/// A value where it was found.
pub(super) struct Spot<'n> {
    pub(super) path: String,
    pub(super) node: &'n Node,
}

const AROUND: &str = "security.side_effects";

/// The older spellings, in the order in which they count.
pub(super) const LEGACY: [(&str, &[&str]); 2] = [
    ("ttl_seconds", &["escalation_ttl_seconds", "ttl_seconds", "escalationTtlSeconds"]),
    ("timeout_action", &["escalation_on_timeout", "timeout_action", "escalationOnTimeout"]),
];

impl<'n> Level<'n> {
    /// The value of a key.
    pub(super) fn find(&self, key: &str) -> Option<Spot<'n>> {
        let own = [self.entry, self.base].into_iter().flatten();
        let own = own.filter_map(|(path, node)| Some((path, key, node.get(key)?)));
        let legacy = LEGACY.iter().find(|(name, _)| *name == key).map_or(&[][..], |(_, all)| all);
        let legacy =
            legacy.iter().filter_map(|name| Some((AROUND, *name, self.around?.get(name)?)));
        let (path, key, node) = own.chain(legacy).next()?;
        Some(Spot { path: format!("{path}.{key}"), node })
    }

    /// The value that a problem of these keys is best shown at: the first that this very scope has.
    pub(super) fn nearest(&self, keys: &[&str]) -> Option<Spot<'n>> {
        let all = || keys.iter().copied();
        let here = |(path, node): (&str, &'n Node)| {
            all().find_map(|key| Some(Spot { path: format!("{path}.{key}"), node: node.get(key)? }))
        };
        self.entry.and_then(here).or_else(|| all().find_map(|key| self.find(key)))
    }

    pub(super) fn strategy(&self) -> ApprovalStrategy {
        let found = self.find("approval_strategy");
        let found = found.and_then(|spot| ApprovalStrategy::parse(spot.node.text()?));
        found.unwrap_or(ApprovalStrategy::SingleApprover)
    }

    pub(super) fn timeout_action(&self) -> TimeoutAction {
        let found = self.find("timeout_action");
        let found = found.and_then(|spot| TimeoutAction::parse(spot.node.text()?));
        found.unwrap_or(TimeoutAction::AutoReject)
    }

    /// A number of people. That it is one is said by [`Level::whole`].
    pub(super) fn count(&self, key: &str) -> u32 {
        let found =
            self.find(key).and_then(|spot| u32::try_from(number(spot.node)?.as_u64()?).ok());
        found.unwrap_or(1)
    }

    /// Says where a number of people is none: half a person cannot approve.
    pub(super) fn whole(&self, key: &str) -> Option<Problem> {
        let spot = self.find(key)?;
        let number = number(spot.node)?;
        let message = format!("`{}` must be a whole number, found `{number}`", spot.path);
        let is_odd = number.as_f64().is_some_and(|number| number.fract() != 0.0);
        is_odd.then(|| Problem::new(spot.node.place, &spot.path, message))
    }

    /// A time that the file has in this unit.
    pub(super) fn time(&self, key: &str, in_a_second: f64, usual: Duration) -> Duration {
        // The schema bounds it, so that it can be added to a clock's reading.
        const LONGEST: Duration = Duration::from_hours(366 * 24);
        let found = self.find(key).and_then(|spot| number(spot.node)?.as_f64());
        let time = found.map(|number| Duration::try_from_secs_f64(number / in_a_second));
        time.map_or(usual, |time| time.unwrap_or(LONGEST).min(LONGEST))
    }

    /// Text of a list, without blanks around it, each once.
    pub(super) fn texts(&self, key: &str) -> Vec<Box<str>> {
        self.find(key).map(|spot| texts(spot.node)).unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.find(key).is_some_and(|spot| matches!(spot.node.kind, Kind::Flag(true)))
    }

    pub(super) fn text(&self, key: &str) -> Option<Box<str>> {
        let text = self.find(key)?.node.text()?.trim();
        (!text.is_empty()).then(|| text.into())
    }

    /// Where the scope begins.
    pub(super) fn place(&self) -> Place {
        self.entry
            .or(self.base)
            .map(|(_, node)| node)
            .or(self.around)
            .map_or(Place::START, |it| it.place)
    }
}

/// Texts of a list, without blanks around them, each once.
pub(super) fn texts(node: &Node) -> Vec<Box<str>> {
    let mut all: Vec<Box<str>> = Vec::new();
    for text in node.items().iter().filter_map(Node::text) {
        if !all.iter().any(|one| **one == *text.trim()) {
            all.push(text.trim().into());
        }
    }
    all
}

fn number(node: &Node) -> Option<&serde_json::Number> {
    if let Kind::Number(number) = &node.kind { Some(number) } else { None }
}
