use super::asking::Asking;
use super::compiled::Policy;
use super::document::Mode;
use crate::call::{Force, Reason};
use crate::digest::Digest;

/// What of a policy is done in one place, where that differs from the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enforced {
    /// Nothing that the policy decides refuses there.
    pub observes: bool,
    /// The reasons that refuse in place of `enforcement.deny_on`.
    pub deny_on: Option<Vec<Reason>>,
    /// Every reason refuses that `enforcement.deny_on` may list.
    pub denies_any: bool,
    /// The reasons for which a human is asked, in place of `enforcement.escalate_on`.
    pub escalate_on: Option<Vec<Reason>>,
}

impl Policy {
    /// The same policy where this is done of it.
    ///
    /// Reasons that are listed are enforced, also where the policy as a whole observes. The digest is
    /// another one where anything differs, so that an approval is good for what asked for it.
    #[must_use]
    pub fn enforced(mut self, so: &Enforced) -> Self {
        if *so == Enforced::default() {
            return self;
        }
        let by_policy = |reason: &Reason| reason.force() == Force::ByPolicy;
        let listed = if so.denies_any {
            Some(Reason::ALL.iter().copied().filter(by_policy).collect())
        } else {
            so.deny_on.clone()
        };
        let enforces = listed.as_ref().is_some_and(|listed| !listed.is_empty());
        let mode = if so.observes {
            Mode::Observe
        } else if enforces {
            Mode::Enforce
        } else {
            self.mode()
        };
        let digest = digest(self.digest(), mode, so);
        self.set_enforcement(digest, mode, listed);
        let asking: Asking = self.asking().clone();
        match &so.escalate_on {
            Some(reasons) => self.with_asking(asking.escalating_on(reasons)),
            None => self,
        }
    }

    /// The policy of a place that has none: it refuses everything there, or nothing but what no
    /// policy may let pass. `retention` is what records say.
    ///
    /// # Errors
    ///
    /// The tenant is none that a policy may have.
    pub fn absent(tenant: &str, refuses: bool) -> Result<Self, super::PolicyError> {
        // JSON is YAML.
        let text = serde_json::json!({
            "tenant": tenant,
            "default_retention": "30d",
            "signing": {"enabled": true},
            "tools": {"allowlist": ["mcp://*"], "deny_if_unpinned_version": false},
            "enforcement": {"mode": "observe"},
        });
        let text = text.to_string();
        let policy = Self::from_yaml_named(&text, "no policy")?;
        Ok(if refuses { policy.refusing(Reason::NoPolicy) } else { policy })
    }
}

/// The lists are told apart by their order and their number, and each from its absence.
fn digest(policy: Digest, mode: Mode, so: &Enforced) -> Digest {
    let words = |list: &Option<Vec<Reason>>| {
        let list = list.as_ref()?;
        Some(list.iter().map(|reason| reason.as_str()).collect::<Vec<_>>())
    };
    let said = serde_json::json!({
        "policy": policy.to_string(),
        "mode": matches!(mode, Mode::Enforce),
        "denies_any": so.denies_any,
        "deny_on": words(&so.deny_on),
        "escalate_on": words(&so.escalate_on),
    });
    Digest::of(said.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Basis, Op, Operation, ToolRef};
    use crate::policy::{Asked, Effect, Ruling};

    const POLICY: &str = "tenant: acme\ndefault_retention: 30d\nsigning: {enabled: true}\n\
                          tools: {allowlist: ['mcp://shop/*']}\n";

    fn policy(enforcement: &str) -> Policy {
        Policy::from_yaml(&format!("{POLICY}enforcement: {enforcement}\n")).unwrap()
    }

    #[test]
    fn a_place_that_says_nothing_is_under_the_policy_as_it_is() {
        let policy = policy("{deny_on: [egress_violation]}");
        let same = policy.clone().enforced(&Enforced::default());
        assert_eq!(same.digest(), policy.digest());
        assert_eq!(same.effect(Reason::EgressViolation), Effect::Deny);
    }

    #[test]
    fn lists_of_a_place_stand_in_place_of_those_of_the_policy() {
        let observing = policy("{mode: observe}");
        let so = Enforced { deny_on: Some(vec![Reason::FsViolation]), ..Enforced::default() };
        let place = observing.clone().enforced(&so);
        assert_eq!(place.effect(Reason::FsViolation), Effect::Deny);
        assert_eq!(place.effect(Reason::EgressViolation), Effect::WouldDeny);
        assert_ne!(place.digest(), observing.digest());
    }

    #[test]
    fn any_reason_denies_where_any_is_to() {
        let so = Enforced { denies_any: true, ..Enforced::default() };
        let place = policy("{mode: observe}").enforced(&so);
        for reason in Reason::ALL.iter().filter(|reason| reason.force() == Force::ByPolicy) {
            assert_eq!(place.effect(*reason), Effect::Deny, "{reason}");
        }
    }

    #[test]
    fn a_place_that_observes_refuses_nothing_that_a_policy_decides() {
        let so = Enforced { observes: true, denies_any: true, ..Enforced::default() };
        let place = policy("{deny_on: [egress_violation]}").enforced(&so);
        assert_eq!(place.effect(Reason::EgressViolation), Effect::WouldDeny);
        assert_eq!(place.effect(Reason::HandlerSwap), Effect::Deny);
    }

    #[test]
    fn without_a_policy_everything_is_refused_or_nothing() {
        let tool = ToolRef::new("shop", "buy", None);
        let operation = Operation { op: Op::Delete, side_effect: true, basis: Basis::Name };
        for (refuses, ruling) in [(true, Ruling::Deny), (false, Ruling::Allow)] {
            let absent = Policy::absent("acme: \"x\"", refuses).unwrap();
            assert_eq!(absent.tenant(), "acme: \"x\"");
            assert_eq!(absent.judge(&Asked::new(tool, operation)).ruling(), ruling);
        }
    }
}
