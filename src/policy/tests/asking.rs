//! When a human is asked, by whose terms, and which policies are refused because nobody could
//! answer.

use super::*;
use crate::call::{Found, Hints, Reason, Severity, ToolRef, ToolVersion};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;
use std::time::Duration;

const KEYS: [&str; 2] = [
    "ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=",
    "ed25519:PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
];

/// The smallest policy that asks, from line 8 with these terms, and with two people, from line 10.
fn asking(enforcement: &str, side_effects: &str) -> String {
    let [ana, bo] = KEYS;
    format!(
        "{}security: {{side_effects:\n  {side_effects}}}\napproval_sets:\n  prod: {{members: [\n    \
         {{id: ana, roles: [security], public_key: \"{ana}\"}},\n    \
         {{id: bo, roles: [owner], public_key: \"{bo}\"}}]}}\n",
        enforcing(enforcement)
    )
}

const DENY: &str = "{deny_on: [tool_not_in_allowlist]}";
const ASK: &str = "{approve_high_risk: true, human_escalation: {approval_set_id: prod}}";

fn judge(policy: &str, tool: &str) -> Verdict {
    let policy = Policy::from_yaml(policy).unwrap();
    let tool = ToolRef::new("demo", tool, None);
    let operation = policy.operation(&Evidence::new(tool, Hints::default(), true));
    policy.judge(&Asked::new(tool, operation))
}

fn warnings(text: &str) -> Vec<String> {
    let policy = Policy::from_yaml(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    policy.warnings().iter().map(ToString::to_string).collect()
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

/// What line 8 and the one behind it say wrong, and where.
#[test]
fn a_policy_that_nobody_could_answer_is_refused_with_the_place_and_the_fix() {
    let humans = "security.side_effects.human_escalation";
    let unattended = "so calls would run with nobody's approval; add `allow_unattended: true` to \
                      `human_escalation` if you mean that";
    for (terms, problem) in [
        (
            "{approval_set_id: prd}",
            "9:40: `H.approval_set_id`: `approval_set_id` is `prd`, which is not in `approval_sets`; \
             did you mean `prod`? add the set"
                .to_owned(),
        ),
        (
            "{approval_set_id: prod, approval_strategy: human_quorum, min_approvals: 3}",
            "9:94: `H.min_approvals`: `min_approvals` is 3, more than the members of the set `prod`, \
             2; lower it, or add members"
                .to_owned(),
        ),
        (
            "{approval_set_id: prod, min_rejections: 3}",
            "9:62: `H.min_rejections`: `min_rejections` is 3, more than the members of the set \
             `prod`, 2; lower it, or add members"
                .to_owned(),
        ),
        (
            "{approval_set_id: prod, min_approvals: 2}",
            "9:61: `H.min_approvals`: `single_approver` is one approval, and `min_approvals` is 2; \
             write `approval_strategy: human_quorum`, or take `min_approvals` out"
                .to_owned(),
        ),
        (
            "{approval_set_id: prod, approval_strategy: human_quorum, min_approvals: 1.5}",
            "9:94: `H.min_approvals` must be a whole number, found `1.5`".to_owned(),
        ),
        (
            "{approval_set_id: prod, required_roles: [securty]}",
            "9:62: `H.required_roles`: `required_roles` has `securty`, a role that no member of the \
             set `prod` has; did you mean `security`? give it to a member, or take it out"
                .to_owned(),
        ),
        (
            "{approval_set_id: prod, veto_roles: [legal]}",
            "9:58: `H.veto_roles`: `veto_roles` has `legal`, a role that no member of the set \
             `prod` has; give it to a member, or take it out"
                .to_owned(),
        ),
        (
            "{approval_strategy: auto_allow}",
            format!("9:42: `H.approval_strategy`: `approval_strategy` is `auto_allow`, {unattended}"),
        ),
        (
            "{timeout_action: auto_approve}",
            format!("9:39: `H.timeout_action`: `timeout_action` is `auto_approve`, {unattended}"),
        ),
        (
            "{timeout_action: auto_approve, allow_unattended: false}",
            format!("9:39: `H.timeout_action`: `timeout_action` is `auto_approve`, {unattended}"),
        ),
        // What an entry says itself is wrong there, and what it does not say is wrong above, once.
        (
            "{timeout_action: auto_approve, tools: [{tool: a}, {tool: b}]}",
            format!("9:39: `H.timeout_action`: `timeout_action` is `auto_approve`, {unattended}"),
        ),
        (
            "{timeout_action: auto_approve, allow_unattended: true, tools: [{tool: a, allow_unattended: false}]}",
            format!(
                "9:113: `H.tools[0].allow_unattended`: `timeout_action` is `auto_approve`, {unattended}"
            ),
        ),
        (
            "{tools: [{tool: a, approval_set_id: nobody}]}",
            "9:58: `H.tools[0].approval_set_id`: `approval_set_id` is `nobody`, which is not in \
             `approval_sets`; add the set"
                .to_owned(),
        ),
        (
            "{ttl_seconds: 0.5}",
            "9:36: `H.ttl_seconds` must be a number from 1 to 2592000, found `0.5`".to_owned(),
        ),
        (
            "{approval_set_id: ' '}",
            "9:40: `H.approval_set_id` must have at least one character".to_owned(),
        ),
    ] {
        let text = asking(DENY, &format!("{{human_escalation: {terms}}}"));
        let problem = problem.replace("`H.", &format!("`{humans}."));
        assert_eq!(wrong(&text), format!("policy.yaml:{problem}"), "{text}");
    }
}

#[test]
fn an_older_spelling_needs_the_same_consent() {
    for name in ["escalation_on_timeout", "timeout_action", "escalationOnTimeout"] {
        let text = asking(DENY, &format!("{{{name}: auto_approve}}"));
        assert!(
            wrong(&text).contains(&format!("`security.side_effects.{name}`: `timeout_action` is"))
        );
        let both = format!(
            "{{{name}: auto_approve, human_escalation: {{approval_set_id: prod, timeout_action: auto_reject}}}}"
        );
        assert_eq!(warnings(&asking(DENY, &both)).len(), 1, "the newer one counts");
    }
    // Of both spellings the first counts, and the other one must be right, too.
    let twice = asking(
        DENY,
        "{human_escalation: {approval_set_id: prod}, humanEscalation: {approval_strategy: auto_allow}}",
    );
    assert!(wrong(&twice).contains("`security.side_effects.humanEscalation.approval_strategy`"));
    let twice = twice.replace("auto_allow", "human_quorum");
    let policy = Policy::from_yaml(&twice).unwrap();
    let terms = policy.terms(ToolRef::new("demo", "rm", None)).unwrap();
    assert_eq!(terms.strategy, ApprovalStrategy::SingleApprover);
}

#[test]
fn one_person_is_one_member_with_a_key_that_can_be_checked() {
    let [ana, bo] = KEYS;
    let zero = "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let member = |id: &str, key: &str| format!("{{id: {id}, public_key: \"{key}\"}}");
    for (members, problem) in [
        (
            [member("ana", ana), member("ana", bo)],
            "10:10: `approval_sets.prod.members[1].id` is `ana` a second time, the first is at 9:10; \
             give each member an id of its own",
        ),
        (
            [member("ana", ana), member("bo", ana)],
            "10:26: `approval_sets.prod.members[1].public_key` is the key of another member, at 9:27; \
             one person must not count as two, so give each member a key of its own",
        ),
        (
            [member("ana", "ana"), member("bo", bo)],
            "9:27: `approval_sets.prod.members[0].public_key` must be `ed25519:` and the base64 of the \
             32 bytes of a public key",
        ),
        (
            [member("ana", zero), member("bo", bo)],
            "9:27: `approval_sets.prod.members[0].public_key` is a key that nothing can be checked \
             with: the public key is of low order, so anyone could sign for it; make one with \
             `sec0 keygen`",
        ),
        (
            ["{id: ana}".to_owned(), member("bo", bo)],
            "9:5: missing key `public_key` in `approval_sets.prod.members[0]`; it must be text",
        ),
    ] {
        let [one, other] = members;
        let text =
            with(&format!("approval_sets: {{prod: {{members: [\n    {one},\n    {other}]}}}}"));
        assert_eq!(wrong(&text), format!("policy.yaml:{problem}"), "{text}");
    }
    let text = with("approval_sets: {\"a\\u0007\": {members: [{id: a, public_key: k}]}}");
    assert!(wrong(&text).contains("the name of an approval set must be 1 to 128 bytes"));
}

#[test]
fn lists_are_bounded() {
    let tools = ["{tool: rm}"; 10_001].join(", ");
    let text = asking(DENY, &format!("{{human_escalation: {{tools: [{tools}]}}}}"));
    assert!(wrong(&text).contains("has 10001 entries, and a policy has at most 10000"));
    let members = vec![format!("{{id: a, public_key: \"{}\"}}", KEYS[0]); 1001].join(", ");
    let text = with(&format!("approval_sets: {{prod: {{members: [{members}]}}}}"));
    assert!(wrong(&text).contains("has 1001 entries, and a set has at most 1000"));
}

#[test]
fn warns_of_questions_that_nobody_can_answer_and_of_calls_that_nobody_approves() {
    let humans = "security.side_effects.human_escalation";
    let quiet = format!("{{approve_high_risk: true, human_escalation: {{approval_set_id: prod}}}}");
    for (enforcement, side_effects, expected) in [
        (DENY, quiet.as_str(), vec![]),
        (
            DENY,
            "{approve_high_risk: true, human_escalation: {min_approvals: 1}}",
            vec![
                "`H` has no `approval_set_id`, so nobody can approve and what is asked about is refused",
                "`approval_sets.prod` is used by nothing; name it in an `approval_set_id`, or take it out",
            ],
        ),
        (
            DENY,
            "{approve_high_risk: true, human_escalation: {approval_set_id: prod, \
             timeout_action: auto_approve, allow_unattended: true}}",
            vec!["`H` has `auto_approve`, so what nobody decides on runs with nobody's approval"],
        ),
        (
            DENY,
            "{approve_high_risk: true, human_escalation: {approval_set_id: prod, \
             approval_strategy: auto_allow, allow_unattended: true}}",
            vec!["`H` has `auto_allow`, so what the policy asks about runs with nobody's approval"],
        ),
        (
            DENY,
            "{approve_high_risk: true, human_escalation: {approval_set_id: prod, \
             approval_strategy: human_quorum, wait_ms: 5000, ttl_seconds: 1}}",
            vec![
                "`H` has `human_quorum` and needs one approval, which is no quorum; set `min_approvals`",
                "`H` has a `wait_ms` that is longer than `ttl_seconds`, after which nobody can approve",
            ],
        ),
        (
            DENY,
            "{human_escalation: {approval_set_id: prod}}",
            vec![
                "`H` is set, but nothing asks: neither `approve_high_risk` is true nor does an entry \
                 of `rules` ask",
            ],
        ),
        (
            DENY,
            "{approve_high_risk: true, ttl_seconds: 60}",
            vec![
                "`approval_sets.prod` is used by nothing; name it in an `approval_set_id`, or take it out",
                "`security.side_effects.approve_high_risk` is set, but without `human_escalation` \
                 nobody is asked",
                "`security.side_effects.ttl_seconds` is set, but without `human_escalation` nobody is \
                 asked",
            ],
        ),
        (
            DENY,
            "{approve_high_risk: true, human_escalation: {approval_set_id: prod}, humanEscalation: {}}",
            vec![
                "`security.side_effects.humanEscalation` stands beside `human_escalation`, which \
                 counts; take one of the two out",
            ],
        ),
        (
            DENY,
            "{approve_high_risk: true, human_escalation: {approval_set_id: prod, \
             tools: [{tool: rm}, {tool: rm, wait_ms: 1}]}}",
            vec![
                "`H.tools[1]` is for `rm`, of which `H.tools[0]` decides; put the narrower one first, \
                 or take one out",
            ],
        ),
        (
            "{deny_on: [tool_not_in_allowlist, handler_swap], escalate_on: [tool_not_in_allowlist, \
             handler_swap, fs_violation, sast_failed, tool_code_changed, duration_too_long]}",
            quiet.as_str(),
            vec![
                "`enforcement.escalate_on` has `handler_swap`, which refuses whatever the policy says, \
                 so nobody is asked; take it out",
                "`enforcement.escalate_on` has `fs_violation`, which `enforcement.deny_on` has not, so \
                 it is only recorded and nobody is asked; add it there",
                "`enforcement.escalate_on` has `sast_failed`, which this version never raises, so \
                 nobody is asked; take it out",
                "`enforcement.escalate_on` has `tool_code_changed`, which is about the integrity of \
                 the server, and that is nobody's to approve, so nobody is asked; take it out",
                "`enforcement.escalate_on` has `duration_too_long`, which is found when the tool has \
                 run, so nobody is asked; take it out",
            ],
        ),
        (
            "{deny_on: [tool_not_in_allowlist], escalate_on: [tool_not_in_allowlist]}",
            "{human_escalation: {approval_set_id: prod, tools: [{tool: rm}]}}",
            vec![
                "`enforcement.escalate_on` is set, but without \
                 `security.side_effects.approve_high_risk: true` nobody is asked",
                "`H` is set, but nothing asks: neither `approve_high_risk` is true nor does an entry \
                 of `rules` ask",
            ],
        ),
    ] {
        let text = asking(enforcement, side_effects);
        let mut found: Vec<_> = warnings(&text)
            .iter()
            .map(|line| line.split_once(": ").unwrap().1.replace(humans, "H"))
            .collect();
        let mut expected: Vec<_> = expected.iter().map(|it| (*it).to_owned()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_rule_that_asks_is_answered_by_the_terms_for_its_tools() {
    let rule = |tool| {
        format!("rules: [{{id: r, tool: '{tool}', pointer: /a, op: exists, effect: ask}}]\n")
    };
    let only_rm = "{human_escalation: {tools: [{tool: 'mcp://demo/rm', approval_set_id: prod}]}}";
    for (side_effects, tool, warned) in [
        ("{human_escalation: {approval_set_id: prod}}", "mcp://demo/rm", false),
        (only_rm, "mcp://demo/rm", false),
        (only_rm, "*", false),
        (only_rm, "mcp://demo/mv", true),
        ("{require_idempotency_key: true}", "rm", true),
    ] {
        let text = asking("{mode: enforce}", side_effects) + &rule(tool);
        let found = warnings(&text);
        let asks = found.iter().filter(|line| {
            line.starts_with(
                "14:9: `rules[0]` (`r`) asks for an approval, and nobody can give one for \
                              these tools, so what matches is refused; set \
                              `security.side_effects.human_escalation` for them, with an \
                              `approval_set_id`",
            )
        });
        assert_eq!(asks.count(), usize::from(warned), "{found:#?}\n{text}");
    }
}

#[test]
fn one_caller_who_is_two_members_is_warned_of() {
    let text = asking(DENY, ASK)
        .replace("[security],", "[security], principals: [ana@example.com],")
        .replace("[owner],", "[owner], principals: [ana@example.com],");
    assert_eq!(
        warnings(&text),
        ["11:3: `approval_sets.prod` has the caller `ana@example.com` as two members, `ana` and \
             `bo`; one person with two ids counts as two in a quorum"]
    );
}

#[test]
fn terms_for_a_tool_that_the_server_lacks_are_named() {
    let text = asking(
        DENY,
        "{approve_high_risk: true, human_escalation: {tools: [{tool: mv, approval_set_id: prod}]}}",
    );
    let version = ToolVersion::new("1.0");
    let policy = Policy::from_yaml(&text).unwrap();
    let found = policy.warnings_for(None, [("add", version.as_ref())]);
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["9:63: `human_escalation.tools[0].tool` is `mv`, which is none of these tools"]
    );
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
        let mut enforcement = format!("{{deny_on: [{}]", deny_on.join(", "));
        if let Some(list) = &escalate_on {
            enforcement += &format!(", escalate_on: [{}]", list.join(", "));
        }
        if let Some(mode) = mode {
            enforcement += &format!(", mode: {mode}");
        }
        let scoped = scope.map_or(String::new(), |scope| format!(", human_escalation: {scope}"));
        let text = asking(&format!("{enforcement}}}"), &format!("{{approve_high_risk: {switch}{scoped}}}"));
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
