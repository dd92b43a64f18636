use crate::call::{Cited, Found, Reason};
use std::sync::Arc;

/// What one reason does to a call under a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a third effect must be handled by every step")]
pub enum Effect {
    /// It refuses the call.
    Deny,
    /// It is recorded, and the call goes on.
    WouldDeny,
}

/// What a policy decides about a call, from the weakest to the strongest: a verdict is the
/// strongest of all that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a fifth ruling must be handled by every step")]
pub enum Ruling {
    /// Nothing speaks against the call.
    Allow,
    /// Something does, but does not refuse.
    WouldDeny,
    /// Somebody has to approve it first.
    Ask,
    /// It is refused.
    Deny,
}

/// All that a policy found in a call, and what follows from it.
///
/// A reason that is added can make the ruling stronger and never weaker: deny wins over ask, and
/// ask over allow. Without reasons nothing is allocated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    ruling: Ruling,
    deciding: Option<Found>,
    reasons: Vec<Found>,
    rules: Vec<Arc<Cited>>,
    has_noted: bool,
}

/// The most rules of a policy that one call's verdict names. What stands behind them still decides.
const MAX_RULES: usize = 64;

impl Verdict {
    /// Nothing was found.
    pub fn allow() -> Self {
        Self {
            ruling: Ruling::Allow,
            deciding: None,
            reasons: Vec::new(),
            rules: Vec::new(),
            has_noted: false,
        }
    }

    /// The call waits for an approval, for `reason`.
    pub fn ask(reason: Reason) -> Self {
        let mut verdict = Self::allow();
        verdict.add(reason, Ruling::Ask);
        verdict
    }

    /// Adds what was found, behind what was found before.
    pub fn add(&mut self, found: impl Into<Found>, ruling: Ruling) {
        let found = found.into();
        let decides = ruling > self.ruling;
        self.has_noted |= ruling == Ruling::WouldDeny;
        if decides {
            self.ruling = ruling;
            self.deciding = Some(found.clone());
        }
        if let Some(rule) = found.rule() {
            if self.rules.len() >= MAX_RULES && !decides {
                return;
            }
            self.rules.push(Arc::clone(rule));
        }
        if !self.reasons.iter().any(|one| one.as_str() == found.as_str()) {
            self.reasons.push(found);
        }
    }

    /// What follows.
    pub fn ruling(&self) -> Ruling {
        self.ruling
    }

    /// True when something was found that does not refuse and is only recorded.
    pub fn has_noted(&self) -> bool {
        self.has_noted
    }

    /// The reason of the ruling: the first of those that rule so. `None` when nothing was found.
    pub fn deciding(&self) -> Option<Reason> {
        self.deciding.as_ref().map(Found::reason)
    }

    /// The same, with the rule that found it.
    pub fn decided_by(&self) -> Option<&Found> {
        self.deciding.as_ref()
    }

    /// All that was found, in order, each once.
    pub fn reasons(&self) -> &[Found] {
        &self.reasons
    }

    /// All that was found, for the record.
    pub fn into_reasons(self) -> Vec<Found> {
        self.reasons
    }

    /// The rules that found something, in order: at most 64, and those that decide.
    pub fn rules(&self) -> &[Arc<Cited>] {
        &self.rules
    }
}

impl Effect {
    /// The spelling in explanations.
    pub fn as_str(self) -> &'static str {
        Ruling::from(self).as_str()
    }
}

impl Ruling {
    /// The spelling in explanations and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::WouldDeny => "would_deny",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

impl From<Effect> for Ruling {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Deny => Self::Deny,
            Effect::WouldDeny => Self::WouldDeny,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_wins_over_ask_and_ask_over_allow_in_any_order() {
        let found = [
            (Reason::VersionUnpinned, Ruling::WouldDeny),
            (Reason::ApprovalRequired, Ruling::Ask),
            (Reason::ToolNotInAllowlist, Ruling::Deny),
        ];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut verdict = Verdict::allow();
            for (reason, ruling) in order.map(|index| found[index]) {
                verdict.add(reason, ruling);
            }
            assert_eq!(verdict.ruling(), Ruling::Deny);
            assert_eq!(verdict.deciding(), Some(Reason::ToolNotInAllowlist));
            assert_eq!(verdict.reasons(), order.map(|index| found[index].0));
        }
        let mut asked = Verdict::ask(Reason::ApprovalRequired);
        asked.add(Reason::VersionUnpinned, Ruling::WouldDeny);
        assert_eq!(asked.ruling(), Ruling::Ask);
    }

    #[test]
    fn the_record_gets_what_was_found_in_the_same_order() {
        let mut verdict = Verdict::allow();
        verdict.add(Reason::VersionUnpinned, Ruling::WouldDeny);
        verdict.add(Reason::ToolNotInAllowlist, Ruling::Deny);
        assert_eq!(
            verdict.into_reasons(),
            [Reason::VersionUnpinned.into(), Found::from(Reason::ToolNotInAllowlist)]
        );
    }

    #[test]
    fn an_effect_is_spelled_as_the_ruling_that_it_gives() {
        let spelled = [Effect::Deny, Effect::WouldDeny].map(Effect::as_str);
        assert_eq!(spelled, ["deny", "would_deny"]);
    }

    #[test]
    fn nothing_found_allocates_nothing() {
        assert_eq!(Verdict::allow().into_reasons().capacity(), 0);
    }
}
