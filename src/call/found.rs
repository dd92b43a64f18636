use super::reason::Reason;
use std::fmt;
use std::sync::Arc;

/// One thing that was found against a call: a reason of the closed vocabulary, and where a rule of
/// the policy found it, which rule and in which words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    reason: Reason,
    by: Option<Arc<Cited>>,
}

/// A rule of the policy, as records and replies name it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cited {
    /// `rules[].id`.
    pub id: Box<str>,
    /// `rules[].reason`, where the rule has one: it stands for `rule_denied`.
    pub token: Option<Box<str>>,
}

impl Found {
    /// The same, found by this rule.
    #[must_use]
    pub fn by(mut self, rule: &Arc<Cited>) -> Self {
        self.by = Some(Arc::clone(rule));
        self
    }

    /// The reason of the closed vocabulary.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The rule that found it; `None` where no rule did.
    pub fn rule(&self) -> Option<&Arc<Cited>> {
        self.by.as_ref()
    }

    /// The spelling in replies, records and explanations: the rule's own token for `rule_denied`,
    /// else that of the reason.
    pub fn as_str(&self) -> &str {
        let rule = self.by.as_ref().filter(|_| self.reason == Reason::RuleDenied);
        rule.and_then(|rule| rule.token.as_deref()).unwrap_or(self.reason.as_str())
    }
}

impl Cited {
    /// A rule with this id, and with a reason of its own or without one.
    pub fn new(id: &str, token: Option<&str>) -> Self {
        Self { id: id.into(), token: token.map(Into::into) }
    }
}

impl From<Reason> for Found {
    fn from(reason: Reason) -> Self {
        Self { reason, by: None }
    }
}

impl PartialEq<Reason> for Found {
    fn eq(&self, reason: &Reason) -> bool {
        self.reason == *reason
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Keeps what was found once under each spelling, in order.
pub(super) fn keep(all: &mut Vec<Found>, found: Found) {
    if !all.iter().any(|one| one.as_str() == found.as_str()) {
        all.push(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_for_the_rule_and_never_for_another_reason() {
        let rule = Arc::new(Cited::new("no-shell", Some("shell")));
        assert_eq!(Found::from(Reason::RuleDenied).by(&rule).as_str(), "shell");
        for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::RuleDenied) {
            assert_eq!(Found::from(*reason).by(&rule).as_str(), reason.as_str());
        }
        let plain = Arc::new(Cited::new("no-shell", None));
        assert_eq!(Found::from(Reason::RuleDenied).by(&plain).as_str(), "rule_denied");
    }

    #[test]
    fn the_same_spelling_is_kept_once_and_the_first_stays() {
        let (mut all, one) = (Vec::new(), Arc::new(Cited::new("a", Some("shell"))));
        keep(&mut all, Found::from(Reason::RuleDenied).by(&one));
        keep(
            &mut all,
            Found::from(Reason::RuleDenied).by(&Arc::new(Cited::new("b", Some("shell")))),
        );
        keep(&mut all, Reason::RuleDenied.into());
        keep(&mut all, Reason::RuleDenied.into());
        assert_eq!(all.iter().map(Found::as_str).collect::<Vec<_>>(), ["shell", "rule_denied"]);
        assert_eq!(all[0].rule(), Some(&one));
    }
}
