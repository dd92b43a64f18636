//! When a human is asked, and by whose terms.

use super::*;
use crate::call::{Found, Hints, Reason, Severity, ToolRef};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;
use std::time::Duration;

pub(super) const KEYS: [&str; 2] = [
    "ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=",
    "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
];

/// The smallest policy that asks, from line 8 with these terms, and with two people, from line 10.
pub(super) fn asking(enforcement: &str, side_effects: &str) -> String {
    let [ana, bo] = KEYS;
    format!(
        "{}security: {{side_effects:\n  {side_effects}}}\napproval_sets:\n  prod: {{members: [\n    \
         {{id: ana, roles: [security], public_key: \"{ana}\"}},\n    \
         {{id: bo, roles: [owner], public_key: \"{bo}\"}}]}}\n",
        enforcing(enforcement)
    )
}

pub(super) const DENY: &str = "{deny_on: [tool_not_in_allowlist]}";
pub(super) const ASK: &str = "{approve_high_risk: true, human_escalation: {approval_set_id: prod}}";

fn judge(policy: &str, tool: &str) -> Verdict {
    let policy = Policy::from_yaml(policy).unwrap();
    let tool = ToolRef::new("demo", tool, None);
    let operation = policy.operation(&Evidence::new(tool, Hints::default(), true));
    policy.judge(&Asked::new(tool, operation))
}

#[test]
fn a_denial_by_policy_becomes_a_question_where_everything_for_it_is_set() {
    for (enforcement, side_effects, ruling) in [
        (DENY, ASK, Ruling::Ask),
        // Each of the parts is needed.
        ("{mode: enforce}", ASK, Ruling::WouldDeny),
        ("{mode: observe, deny_on: [tool_not_in_allowlist]}", ASK, Ruling::WouldDeny),
        (DENY, "{human_escalation: {approval_set_id: prod}}", Ruling::Deny),
        (
            DENY,
            "{approve_high_risk: false, human_escalation: {approval_set_id: prod}}",
            Ruling::Deny,
        ),
        (DENY, "{approve_high_risk: true}", Ruling::Deny),
        (DENY, "{approve_high_risk: true, human_escalation: {}}", Ruling::Deny),
        (DENY, "{approve_high_risk: true, humanEscalation: {approval_set_id: prod}}", Ruling::Ask),
        // A list of its own takes the place of `deny_on`, and an empty one switches it off.
        ("{deny_on: [tool_not_in_allowlist], escalate_on: []}", ASK, Ruling::Deny),
        ("{deny_on: [tool_not_in_allowlist], escalate_on: [fs_violation]}", ASK, Ruling::Deny),
        (
            "{deny_on: [tool_not_in_allowlist], escalate_on: [tool_not_in_allowlist]}",
            ASK,
            Ruling::Ask,
        ),
        // What is not denied is not asked about.
        ("{deny_on: [fs_violation], escalate_on: [tool_not_in_allowlist]}", ASK, Ruling::WouldDeny),
        // One denial that nobody may lift is enough.
        (
            "{deny_on: [tool_not_in_allowlist, version_unpinned], escalate_on: [tool_not_in_allowlist]}",
            ASK,
            Ruling::Deny,
        ),
        ("{deny_on: [tool_not_in_allowlist, version_unpinned]}", ASK, Ruling::Ask),
        // Nobody may be there to answer; that is no reason to deny for another reason.
        (DENY, "{approve_high_risk: true, human_escalation: {min_approvals: 1}}", Ruling::Ask),
    ] {
        let policy = asking(enforcement, side_effects);
        assert_eq!(judge(&policy, "rm").ruling(), ruling, "{policy}");
    }
}

#[test]
fn terms_for_a_tool_are_those_of_the_first_entry_that_matches_else_those_for_all() {
    let policy = asking(
        DENY,
        "{ttl_seconds: 7, escalation_ttl_seconds: 8, escalation_on_timeout: auto_reject,\n  \
         human_escalation: {approval_set_id: prod, wait_ms: 5, veto_roles: [security], tools: [\n  \
         {tool: 'mcp://demo/rm', wait_ms: 10, veto_roles: []},\n  \
         {tool: 'rm', wait_ms: 20}, {tool: 'mcp://other/*', ttl_seconds: 9}]}}",
    );
    let policy = Policy::from_yaml(&policy).unwrap();
    let at = |server, tool| {
        let terms = policy.terms(ToolRef::new(server, tool, None)).unwrap();
        let scope = terms.scope.trim_start_matches("security.side_effects.human_escalation");
        (scope.to_owned(), terms.wait.as_millis(), terms.ttl.as_secs(), terms.veto_roles.len())
    };
    assert_eq!(at("demo", "rm"), (".tools[0]".to_owned(), 10, 8, 0));
    assert_eq!(at("third", "rm"), (".tools[1]".to_owned(), 20, 8, 1));
    assert_eq!(at("other", "rm"), (".tools[1]".to_owned(), 20, 8, 1));
    assert_eq!(at("other", "x"), (".tools[2]".to_owned(), 5, 9, 1));
    assert_eq!(at("demo", "x"), (String::new(), 5, 8, 1));
}

#[test]
fn a_section_with_nothing_but_tools_is_for_those_tools() {
    let policy = asking(
        DENY,
        "{approve_high_risk: true, human_escalation: {tools: [{tool: rm, approval_set_id: prod}]}}",
    );
    assert_eq!(judge(&policy, "rm").ruling(), Ruling::Ask);
    assert_eq!(judge(&policy, "mv").ruling(), Ruling::Deny);
    let policy = Policy::from_yaml(&policy).unwrap();
    assert_eq!(policy.terms(ToolRef::new("demo", "mv", None)), None);
}

#[test]
fn terms_have_their_defaults() {
    let policy = Policy::from_yaml(&asking(DENY, ASK)).unwrap();
    let terms = policy.terms(ToolRef::new("demo", "rm", None)).unwrap();
    assert_eq!(terms.strategy, ApprovalStrategy::SingleApprover);
    assert_eq!(terms.timeout_action, TimeoutAction::AutoReject);
    assert_eq!((terms.min_approvals, terms.min_rejections), (1, 1));
    assert_eq!((terms.wait, terms.ttl), (Duration::ZERO, Duration::from_hours(1)));
    assert!(!terms.allow_unattended && !terms.may_run_unattended());
    assert_eq!(policy.approvers(terms).map(|set| set.members.len()), Some(2));
    assert_eq!(policy.approval_set("test"), None);
}

#[test]
fn what_runs_with_nobodys_approval_is_a_question_and_said_to_run_so() {
    for (keys, unattended) in [
        ("approval_strategy: auto_allow, allow_unattended: true", true),
        ("timeout_action: auto_approve, allow_unattended: true", true),
        ("timeout_action: auto_reject", false),
    ] {
        let side_effects = format!(
            "{{approve_high_risk: true, human_escalation: {{approval_set_id: prod, {keys}}}}}"
        );
        let text = asking(DENY, &side_effects);
        assert_eq!(judge(&text, "rm").ruling(), Ruling::Ask, "{keys}");
        let policy = Policy::from_yaml(&text).unwrap();
        let terms = policy.terms(ToolRef::new("demo", "rm", None)).unwrap();
        assert_eq!(terms.may_run_unattended(), unattended, "{keys}");
    }
}

#[test]
fn no_silence_approves_what_is_critical() {
    let text = asking(
        DENY,
        "{human_escalation: {approval_set_id: prod, timeout_action: auto_approve, allow_unattended: true}}",
    );
    let policy = Policy::from_yaml(&text).unwrap();
    let terms = policy.terms(ToolRef::new("demo", "rm", None)).unwrap();
    for (severity, action) in [
        (Severity::Low, TimeoutAction::AutoApprove),
        (Severity::High, TimeoutAction::AutoApprove),
        (Severity::Critical, TimeoutAction::AutoReject),
    ] {
        assert_eq!(terms.on_timeout(severity), action, "{severity:?}");
    }
}

#[test]
fn an_explanation_says_what_would_be_asked() {
    let explain = |text: &str| {
        let policy = Policy::from_yaml(text).unwrap();
        let tool = ToolRef::new("demo", "rm", None);
        policy.explain(&Question::new(Evidence::new(tool, Hints::default(), true)))
    };
    let quorum = asking(
        DENY,
        "{approve_high_risk: true, human_escalation: {approval_set_id: prod, min_approvals: 2, \
         approval_strategy: human_quorum, required_roles: [security], veto_roles: [owner], \
         min_rejections: 2, wait_ms: 1500, ttl_seconds: 60}}",
    );
    let explanation = explain(&quorum);
    assert_eq!(explanation.decision(), Ruling::Ask);
    assert_eq!(
        explanation.asks().unwrap().to_string(),
        "2 of the 2 in `prod`, approved by `security`; 2 rejections refuse, or one by `owner`; after \
         60 s without a decision: auto_reject; held for 1500 ms; by \
         `security.side_effects.human_escalation`"
    );
    let report = serde_json::to_value(&explanation).unwrap();
    assert_eq!(
        report["asks"],
        json!({
            "scope": "security.side_effects.human_escalation", "approval_strategy": "human_quorum",
            "approval_set_id": "prod", "members": 2, "min_approvals": 2, "min_rejections": 2,
            "required_roles": ["security"], "veto_roles": ["owner"],
            "timeout_action": "auto_reject", "wait_ms": 1500.0, "ttl_seconds": 60.0,
            "unattended": false,
        })
    );
    let row = report["rules"].as_array().unwrap().iter().find(|row| row["id"] == "tools.allowlist");
    assert_eq!((&row.unwrap()["effect"], &row.unwrap()["decided"]), (&json!("ask"), &json!(true)));

    assert_eq!(
        explain(&asking(DENY, ASK)).asks().unwrap().to_string(),
        "one of the 2 in `prod`; 1 rejection refuses; after 3600 s without a decision: auto_reject; \
         refused at once, with the id; by `security.side_effects.human_escalation`"
    );
    let nobody = ASK.replace("approval_set_id: prod", "min_approvals: 1");
    let nobody = explain(&asking(DENY, &nobody));
    assert_eq!(
        nobody.asks().unwrap().to_string(),
        "nobody: `security.side_effects.human_escalation` has no `approval_set_id`"
    );
    let denied = explain(&asking(DENY, "{}"));
    assert_eq!((denied.decision(), denied.asks()), (Ruling::Deny, None));
    assert_eq!(serde_json::to_value(&denied).unwrap()["asks"], json!(null));
}

const LISTED: [&str; 7] = [
    "tool_not_in_allowlist",
    "version_unpinned",
    "payload_too_large",
    "duration_too_long",
    "tool_code_changed",
    "handler_swap",
    "missing_audit_signature",
];

/// What may be approved, said once more by hand.
const APPROVABLE: [&str; 5] = [
    "tool_not_in_allowlist",
    "version_unpinned",
    "missing_idempotency_for_side_effect",
    "egress_violation",
    "fs_violation",
];

const SCOPES: [Option<&str>; 5] = [
    None,
    Some("{}"),
    Some("{approval_set_id: prod}"),
    Some("{tools: [{tool: rm, approval_set_id: prod}]}"),
    Some("{approval_strategy: auto_allow, allow_unattended: true}"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every reason, held against a table of its own: the mode, the two lists, the switch, the
    /// scope, and who decides on the reason.
    #[test]
    fn a_reason_rules_by_mode_lists_switch_scope_and_force(
        mode in select(vec![None, Some("observe"), Some("enforce")]),
        deny_on in subsequence(LISTED.to_vec(), 0..=7),
        escalate_on in proptest::option::of(subsequence(LISTED.to_vec(), 0..=7)),
        switch in any::<bool>(),
        scope in select(SCOPES.to_vec()),
        tool in select(vec!["rm", "mv"]),
    ) {
        let listed = escalate_on.as_ref();
        let listed = listed.map_or(String::new(), |list| format!(", escalate_on: [{}]", list.join(", ")));
        let moded = mode.map_or(String::new(), |mode| format!(", mode: {mode}"));
        let enforcement = format!("{{deny_on: [{}]{listed}{moded}}}", deny_on.join(", "));
        let scoped = scope.map_or(String::new(), |scope| format!(", human_escalation: {scope}"));
        let text = asking(&enforcement, &format!("{{approve_high_risk: {switch}{scoped}}}"));
        let policy = Policy::from_yaml(&text).unwrap();
        let enforces = mode.map_or(!deny_on.is_empty(), |mode| mode == "enforce");
        let has_terms = match scope {
            None | Some("{}") => false,
            Some(scope) => tool == "rm" || !scope.starts_with("{tools"),
        };
        for reason in Reason::ALL {
            let name = reason.as_str();
            let by_policy = reason.is_in_schema()
                && !["handler_swap", "registry_mutation", "missing_audit_signature"].contains(&name);
            let in_enforce = ["rule_denied", "rule_error", "no_rule_allows", "rate_limited", "circuit_open"];
            let denies = match name {
                _ if by_policy => enforces && deny_on.contains(&name),
                _ if in_enforce.contains(&name) => enforces,
                _ => true,
            };
            let listed = escalate_on.as_ref().unwrap_or(&deny_on).contains(&name);
            let asks = denies && listed && switch && has_terms && APPROVABLE.contains(&name);
            let expected = match (asks, denies) {
                (true, _) => Ruling::Ask,
                (false, true) => Ruling::Deny,
                (false, false) => Ruling::WouldDeny,
            };
            let found = policy.ruling(*reason, ToolRef::new("demo", tool, None));
            prop_assert_eq!(found, expected, "{} {}\n{}", name, tool, text);
        }

        // The verdict on a call is the strongest of what its reasons say.
        let verdict = judge(&text, tool);
        let rulings = verdict.reasons().iter().map(Found::reason);
        let strongest = rulings.map(|it| policy.ruling(it, ToolRef::new("demo", tool, None))).max();
        prop_assert_eq!(verdict.reasons(), [Reason::ToolNotInAllowlist, Reason::VersionUnpinned]);
        prop_assert_eq!(Some(verdict.ruling()), strongest);
    }
}
