//! Which tools a list shows.

use super::*;
use crate::call::{Arguments, Hints, Reason, ToolRef, ToolVersion};
use proptest::prelude::*;

fn hides(enforcement: &str, more: &str, tool: &str, version: Option<&str>) -> bool {
    let policy = enforcing(enforcement) + more + "\nexpose: filtered\n";
    let version = version.and_then(ToolVersion::new);
    let tool = ToolRef::new("demo", tool, version.as_ref());
    Policy::from_yaml(&policy).unwrap().withholds(tool)
}

const LISTED: &str = "{deny_on: [tool_not_in_allowlist]}";

#[test]
fn a_tool_is_hidden_where_the_policy_denies_every_call_of_it() {
    assert!(hides(LISTED, "", "rm", Some("1.0")));
    assert!(hides(LISTED, "", "add", Some("2.0")));
    assert!(!hides(LISTED, "", "add", Some("1.0")));
    // Only recorded, so it may be called.
    assert!(!hides("{deny_on: [version_unpinned]}", "", "rm", Some("1.0")));
    assert!(hides("{deny_on: [version_unpinned]}", "", "rm", Some("latest")));
    assert!(hides("{deny_on: [version_unpinned]}", "", "add", None));
    assert!(!hides("{mode: observe, deny_on: [tool_not_in_allowlist]}", "", "rm", None));
    let never = "rules: [{id: a, tool: '*', pointer: '', op: exists, effect: deny}]";
    assert!(hides("{mode: enforce}", never, "add", Some("1.0")));
    assert!(!hides("{mode: observe}", never, "add", Some("1.0")));
}

#[test]
fn what_a_key_an_approval_or_other_arguments_let_through_is_shown() {
    let keyed = "{deny_on: [missing_idempotency_for_side_effect]}";
    let required = "side_effects: {require_idempotency_key: true}";
    assert!(!hides(keyed, required, "delete_all", Some("1.0")));
    let asks = "rules: [{id: a, tool: '*', pointer: '', op: exists, effect: ask}]";
    assert!(!hides("{mode: enforce}", asks, "add", Some("1.0")));
    let denies = "rules: [{id: a, tool: '*', pointer: /a, op: eq, value: 1, effect: deny}]";
    assert!(!hides("{mode: enforce}", denies, "add", Some("1.0")));
    let closed = "security: {egress_allowlist: [], fs_allowlist: []}";
    assert!(!hides("{deny_on: [egress_violation, fs_violation]}", closed, "fetch", Some("1.0")));
}

#[test]
fn by_default_every_tool_is_shown() {
    for more in ["", "\nexpose: all\n"] {
        let policy = Policy::from_yaml(&(enforcing(LISTED) + more)).unwrap();
        assert!(!policy.withholds(ToolRef::new("demo", "rm", None)));
    }
}

proptest! {
    /// Whatever is sent, a hidden tool is not called.
    #[test]
    fn no_call_of_a_hidden_tool_is_let_through(
        denied in proptest::sample::subsequence(
            vec!["tool_not_in_allowlist", "version_unpinned", "missing_idempotency_for_side_effect"],
            0..3,
        ),
        tool in "add|rm", version in "1.0|2.0|new|", has_key: bool, a in "[ab]",
    ) {
        let deny_on = denied.join(", ");
        let text = enforcing(&format!("{{mode: enforce, deny_on: [{deny_on}]}}"))
            + "side_effects: {require_idempotency_key: true}\nexpose: filtered\n";
        let policy = Policy::from_yaml(&text).unwrap();
        let version = ToolVersion::new(&version);
        let tool = ToolRef::new("demo", &tool, version.as_ref());
        let arguments: Arguments = [(a, 1.into())].into_iter().collect();
        let evidence = Evidence::new(tool, Hints::default(), true).with_arguments(Some(&arguments));
        let asked = Asked::new(tool, policy.operation(&evidence))
            .with_idempotency_key(has_key)
            .with_arguments(Some(&arguments));
        let verdict = policy.judge(&asked);
        if policy.withholds(tool) {
            prop_assert_eq!(verdict.ruling(), Ruling::Deny);
        } else if verdict.ruling() == Ruling::Deny {
            prop_assert_eq!(verdict.deciding(), Some(Reason::MissingIdempotency));
        }
    }
}
