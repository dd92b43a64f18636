use crate::call::Reason;
use crate::policy::Mode;
use crate::policy::reading::{Kind, Node, known};

/// `enforcement` of a hop. Without the section a hop is enforced, with the lists of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HopEnforcement {
    /// Whether the policy is asked at all: `true` where nothing is said.
    pub enabled: bool,
    /// Whether what it finds refuses: [`Mode::Enforce`] where nothing is said.
    pub mode: Mode,
    /// Which of the reasons count.
    pub strategy: Strategy,
    /// The reasons that refuse; those of the policy where it is absent.
    pub deny_on: Option<Vec<Reason>>,
    /// The reasons for which a human is asked; those of the policy where it is absent.
    pub escalate_on: Option<Vec<Reason>>,
    /// Where the policy is said to stand.
    pub policy_level: PolicyLevel,
}

/// Which of the reasons that are found refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// Those that `deny_on` lists.
    #[default]
    DenyOnMatch,
    /// Any.
    DenyOnAny,
}

/// `policy_level`: where the policy is said to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PolicyLevel {
    /// At the gateway; the default of gateway hops.
    Gateway,
    /// At the server; the default of all others.
    #[default]
    Middleware,
}

impl HopEnforcement {
    pub(super) fn read(node: Option<&Node>, usual: PolicyLevel) -> Self {
        let get = |names: [&str; 2]| names.iter().find_map(|name| node?.get(name));
        let word = |names| get(names).and_then(Node::text);
        let enabled = get(["enabled", "enabled"]);
        Self {
            enabled: !enabled.is_some_and(|node| matches!(node.kind, Kind::Flag(false))),
            mode: match word(["mode", "mode"]) {
                Some("observe") => Mode::Observe,
                Some(_) | None => Mode::Enforce,
            },
            strategy: match word(["strategy", "strategy"]) {
                Some("deny_on_any") => Strategy::DenyOnAny,
                Some(_) | None => Strategy::DenyOnMatch,
            },
            deny_on: get(["deny_on", "denyOn"]).map(reasons),
            escalate_on: get(["escalate_on", "escalateOn"]).map(reasons),
            policy_level: match word(["policy_level", "policyLevel"]) {
                Some("gateway") => PolicyLevel::Gateway,
                Some("middleware") => PolicyLevel::Middleware,
                Some(_) | None => usual,
            },
        }
    }
}

/// The reasons of a list that the table has passed; what it has not passed is told by it.
fn reasons(list: &Node) -> Vec<Reason> {
    list.items().iter().filter_map(|item| known(item.text()?).ok()).collect()
}
