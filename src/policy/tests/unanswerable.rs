//! Which policies are refused because nobody could answer what they ask, and which are warned of.

use super::asking::{ASK, DENY, KEYS, asking};
use super::*;
use crate::call::{ToolRef, ToolVersion};

const HUMANS: &str = "security.side_effects.human_escalation";
const UNATTENDED: &str = "so calls would run with nobody's approval; add `allow_unattended: true` to \
                          `human_escalation` if you mean that";

fn warnings(text: &str) -> Vec<String> {
    let policy = Policy::from_yaml(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    policy.warnings().iter().map(ToString::to_string).collect()
}

/// Terms, and what is wrong with them: `H` is `human_escalation`, `U` why nobody's approval takes consent.
const WRONG: [(&str, &str); 15] = [
    (
        "{approval_set_id: prd}",
        "9:40: `H.approval_set_id`: `approval_set_id` is `prd`, which is not in `approval_sets`; \
             did you mean `prod`? add the set",
    ),
    (
        "{approval_set_id: prod, approval_strategy: human_quorum, min_approvals: 3}",
        "9:94: `H.min_approvals`: `min_approvals` is 3, more than the members of the set `prod`, \
             2; lower it, or add members",
    ),
    (
        "{approval_set_id: prod, min_rejections: 3}",
        "9:62: `H.min_rejections`: `min_rejections` is 3, more than the members of the set \
             `prod`, 2; lower it, or add members",
    ),
    (
        "{approval_set_id: prod, min_approvals: 2}",
        "9:61: `H.min_approvals`: `single_approver` is one approval, and `min_approvals` is 2; \
             write `approval_strategy: human_quorum`, or take `min_approvals` out",
    ),
    (
        "{approval_set_id: prod, approval_strategy: human_quorum, min_approvals: 1.5}",
        "9:94: `H.min_approvals` must be a whole number, found `1.5`",
    ),
    (
        "{approval_set_id: prod, required_roles: [securty]}",
        "9:62: `H.required_roles`: `required_roles` has `securty`, a role that no member of the \
             set `prod` has; did you mean `security`? give it to a member, or take it out",
    ),
    (
        "{approval_set_id: prod, veto_roles: [legal]}",
        "9:58: `H.veto_roles`: `veto_roles` has `legal`, a role that no member of the set \
             `prod` has; give it to a member, or take it out",
    ),
    (
        "{approval_strategy: auto_allow}",
        "9:42: `H.approval_strategy`: `approval_strategy` is `auto_allow`, U",
    ),
    (
        "{timeout_action: auto_approve}",
        "9:39: `H.timeout_action`: `timeout_action` is `auto_approve`, U",
    ),
    (
        "{timeout_action: auto_approve, allow_unattended: false}",
        "9:39: `H.timeout_action`: `timeout_action` is `auto_approve`, U",
    ),
    // What an entry says itself is wrong there, and what it does not say is wrong above, once.
    (
        "{timeout_action: auto_approve, tools: [{tool: a}, {tool: b}]}",
        "9:39: `H.timeout_action`: `timeout_action` is `auto_approve`, U",
    ),
    (
        "{timeout_action: auto_approve, allow_unattended: true, tools: [{tool: a, allow_unattended: false}]}",
        "9:113: `H.tools[0].allow_unattended`: `timeout_action` is `auto_approve`, U",
    ),
    (
        "{tools: [{tool: a, approval_set_id: nobody}]}",
        "9:58: `H.tools[0].approval_set_id`: `approval_set_id` is `nobody`, which is not in \
             `approval_sets`; add the set",
    ),
    ("{ttl_seconds: 0.5}", "9:36: `H.ttl_seconds` must be a number from 1 to 2592000, found `0.5`"),
    ("{approval_set_id: ' '}", "9:40: `H.approval_set_id` must have at least one character"),
];

#[test]
fn a_policy_that_nobody_could_answer_is_refused_with_the_place_and_the_fix() {
    for (terms, problem) in WRONG {
        let text = asking(DENY, &format!("{{human_escalation: {terms}}}"));
        let problem = problem
            .replace("`H.", &format!("`{HUMANS}."))
            .replace(", U", &format!(", {UNATTENDED}"));
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
    let tools = vec!["{tool: rm}"; 10_001].join(", ");
    let text = asking(DENY, &format!("{{human_escalation: {{tools: [{tools}]}}}}"));
    assert!(wrong(&text).contains("has 10001 entries, and a policy has at most 10000"));
    let members = vec![format!("{{id: a, public_key: \"{}\"}}", KEYS[0]); 1001].join(", ");
    let text = with(&format!("approval_sets: {{prod: {{members: [{members}]}}}}"));
    assert!(wrong(&text).contains("has 1001 entries, and a set has at most 1000"));
}

#[test]
fn lists_and_names_may_be_as_long_as_their_bounds() {
    let tools = vec!["{tool: rm}"; 10_000].join(", ");
    let text = asking(DENY, &format!("{{human_escalation: {{tools: [{tools}]}}}}"));
    assert!(wrong(&text).starts_with("nothing is wrong"));
    // The keys are the same, and that is what is wrong.
    let members = vec![format!("{{id: a, public_key: \"{}\"}}", KEYS[0]); 1000].join(", ");
    let text = with(&format!("approval_sets: {{prod: {{members: [{members}]}}}}"));
    assert!(!wrong(&text).contains("a set has at most 1000"));
    let named = |name: &str| {
        let member = format!("{{id: a, public_key: \"{}\"}}", KEYS[0]);
        wrong(&with(&format!("approval_sets: {{\"{name}\": {{members: [{member}]}}}}")))
    };
    assert!(named(&"n".repeat(128)).starts_with("nothing is wrong"));
    for name in [&*"n".repeat(129), &"n".repeat(200), " ", "a\\tb"] {
        let said = "the name of an approval set must be 1 to 128 bytes";
        assert!(named(name).contains(said), "{name}: {}", named(name));
    }
}

#[test]
fn a_wait_may_be_as_long_as_the_question_lives() {
    let warned = |wait: u32| {
        let text = asking(
            DENY,
            &format!(
                "{{approve_high_risk: true, human_escalation: {{approval_set_id: prod, \
                     wait_ms: {wait}, ttl_seconds: 1}}}}"
            ),
        );
        warnings(&text).iter().any(|it| it.contains("longer than `ttl_seconds`"))
    };
    assert!(!warned(1000));
    assert!(warned(1001));
}

/// `enforcement`, `security.side_effects`, and the warnings: `H` is `human_escalation`.
const HARDLY_MEANT: [(&str, &str, &[&str]); 11] = [
    (DENY, ASK, &[]),
    (
        DENY,
        "{approve_high_risk: true, human_escalation: {min_approvals: 1}}",
        &[
            "`H` has no `approval_set_id`, so nobody can approve and what is asked about is refused",
            "`approval_sets.prod` is used by nothing; name it in an `approval_set_id`, or take it out",
        ],
    ),
    (
        DENY,
        "{approve_high_risk: true, human_escalation: {approval_set_id: prod, \
             timeout_action: auto_approve, allow_unattended: true}}",
        &["`H` has `auto_approve`, so what nobody decides on runs with nobody's approval"],
    ),
    (
        DENY,
        "{approve_high_risk: true, human_escalation: {approval_set_id: prod, \
             approval_strategy: auto_allow, allow_unattended: true}}",
        &["`H` has `auto_allow`, so what the policy asks about runs with nobody's approval"],
    ),
    (
        DENY,
        "{approve_high_risk: true, human_escalation: {approval_set_id: prod, \
             approval_strategy: human_quorum, wait_ms: 5000, ttl_seconds: 1}}",
        &[
            "`H` has `human_quorum` and needs one approval, which is no quorum; set `min_approvals`",
            "`H` has a `wait_ms` that is longer than `ttl_seconds`, after which nobody can approve",
        ],
    ),
    (
        DENY,
        "{human_escalation: {approval_set_id: prod}}",
        &["`H` is set, but nothing asks: neither `approve_high_risk` is true nor does an entry \
                 of `rules` ask"],
    ),
    (
        DENY,
        "{approve_high_risk: true, ttl_seconds: 60}",
        &[
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
        &["`security.side_effects.humanEscalation` stands beside `human_escalation`, which \
                 counts; take one of the two out"],
    ),
    (
        DENY,
        "{approve_high_risk: true, human_escalation: {approval_set_id: prod, \
             tools: [{tool: rm}, {tool: rm, wait_ms: 1}]}}",
        &["`H.tools[1]` is for `rm`, of which `H.tools[0]` decides; put the narrower one first, \
                 or take one out"],
    ),
    (
        "{deny_on: [tool_not_in_allowlist, handler_swap], escalate_on: [tool_not_in_allowlist, \
             handler_swap, fs_violation, sast_failed, tool_code_changed, duration_too_long]}",
        ASK,
        &[
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
        &[
            "`enforcement.escalate_on` is set, but without \
                 `security.side_effects.approve_high_risk: true` nobody is asked",
            "`H` is set, but nothing asks: neither `approve_high_risk` is true nor does an entry \
                 of `rules` ask",
        ],
    ),
];

#[test]
fn warns_of_questions_that_nobody_can_answer_and_of_calls_that_nobody_approves() {
    for (enforcement, side_effects, expected) in HARDLY_MEANT {
        let text = asking(enforcement, side_effects);
        let mut found: Vec<_> = warnings(&text)
            .iter()
            .map(|line| line.split_once(": ").unwrap().1.replace(HUMANS, "H"))
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
