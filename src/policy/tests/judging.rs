use super::*;
use crate::call::{Hints, Reason, ToolRef, ToolVersion};
use crate::clock::{Clock as _, System};
use Reason::{ToolNotInAllowlist, VersionUnpinned};
use std::time::Duration;

fn judge(policy: &str, tool: &str, version: Option<&str>) -> Verdict {
    judge_with(policy, tool, version, false)
}

fn judge_with(policy: &str, tool: &str, version: Option<&str>, has_key: bool) -> Verdict {
    let policy = Policy::from_yaml(policy).unwrap();
    let version = version.and_then(ToolVersion::new);
    let tool = ToolRef::new("demo", tool, version.as_ref());
    let operation = policy.operation(&Evidence::new(tool, Hints::default(), true));
    policy.judge(&Asked::new(tool, operation).with_idempotency_key(has_key))
}

#[test]
fn the_smallest_policy_observes_and_has_the_defaults() {
    let policy = Policy::from_yaml(GOOD).unwrap();
    assert_eq!(policy.tenant(), "acme");
    assert_eq!(policy.retention().as_str(), "30d");
    assert_eq!(policy.key_ref(), None);
    assert_eq!(policy.mode(), Mode::Observe);
    assert_eq!(policy.max_payload_bytes(), None);
    assert_eq!(policy.max_duration(), None);
    assert!(policy.warnings().is_empty());
    // `tools.deny_if_unpinned_version` is on unless it is turned off.
    assert_eq!(judge(GOOD, "add", None).reasons(), [ToolNotInAllowlist, VersionUnpinned]);
}

#[test]
fn enforces_when_deny_on_has_entries_unless_the_mode_says_otherwise() {
    for (section, mode) in [
        ("{}", Mode::Observe),
        ("{deny_on: []}", Mode::Observe),
        ("{deny_on: [version_unpinned]}", Mode::Enforce),
        ("{mode: observe, deny_on: [version_unpinned]}", Mode::Observe),
        ("{mode: enforce}", Mode::Enforce),
    ] {
        assert_eq!(Policy::from_yaml(&enforcing(section)).unwrap().mode(), mode, "{section}");
    }
}

#[test]
fn a_reason_denies_only_in_enforce_and_only_when_deny_on_has_it() {
    for (section, ruling, deciding) in [
        ("{}", Ruling::WouldDeny, ToolNotInAllowlist),
        (
            "{mode: observe, deny_on: [tool_not_in_allowlist]}",
            Ruling::WouldDeny,
            ToolNotInAllowlist,
        ),
        ("{mode: enforce}", Ruling::WouldDeny, ToolNotInAllowlist),
        ("{deny_on: [payload_too_large]}", Ruling::WouldDeny, ToolNotInAllowlist),
        ("{deny_on: [tool_not_in_allowlist]}", Ruling::Deny, ToolNotInAllowlist),
        ("{deny_on: [version_unpinned]}", Ruling::Deny, VersionUnpinned),
    ] {
        let verdict = judge(&enforcing(section), "rm", None);
        assert_eq!(verdict.ruling(), ruling, "{section}");
        assert_eq!(verdict.deciding(), Some(deciding), "{section}");
        assert_eq!(verdict.reasons(), [ToolNotInAllowlist, VersionUnpinned], "{section}");
    }
    let allowed = judge(&enforcing("{deny_on: [tool_not_in_allowlist]}"), "add", Some("1.0"));
    assert_eq!(allowed, Verdict::allow());
}

#[test]
fn integrity_and_audit_deny_even_in_observe() {
    let policy = Policy::from_yaml(&enforcing("{mode: observe}")).unwrap();
    for reason in [Reason::HandlerSwap, Reason::RegistryMutation, Reason::MissingAuditSignature] {
        assert_eq!(policy.effect(reason), Effect::Deny, "{reason}");
    }
    assert_eq!(policy.effect(VersionUnpinned), Effect::WouldDeny);
}

#[test]
fn a_version_is_unpinned_by_the_entry_that_allows_the_tool() {
    for (entry, version, unpinned) in [
        ("mcp://demo/add@1.0", Some("1.0"), false),
        ("mcp://demo/add@latest", Some("latest"), true),
        ("mcp://demo/add@v1", Some("v1"), true),
        ("mcp://demo/add", Some("latest"), false),
        ("mcp://demo/add@*", Some("latest"), false),
        ("mcp://demo/*@*", Some("latest"), false),
        ("add", Some("latest"), false),
        ("*", Some("latest"), false),
        // The most exact entry counts, in whatever order they stand.
        ("*, mcp://demo/add@latest", Some("latest"), true),
        // A tool without a version is unpinned whatever allows it.
        ("mcp://demo/add", None, true),
        ("mcp://demo/add@*", None, true),
        ("'*'", None, true),
    ] {
        let entry = if entry.starts_with("*,") { entry.replace('*', "'*'") } else { entry.into() };
        let entry = if entry == "*" { "'*'".to_owned() } else { entry };
        let policy = GOOD.replace("mcp://demo/add@1.0", &entry);
        let verdict = judge(&policy, "add", version);
        let expected: &[Reason] = if unpinned { &[VersionUnpinned] } else { &[] };
        assert_eq!(verdict.reasons(), expected, "{entry} {version:?}");

        let lax = policy.replace("tools:", "tools:\n  deny_if_unpinned_version: false");
        assert_eq!(judge(&lax, "add", version), Verdict::allow(), "{entry} {version:?}");
    }
}

#[test]
fn a_side_effect_without_a_key_is_found_where_either_key_of_the_policy_requires_one() {
    let listed = "{deny_on: [missing_idempotency_for_side_effect]}";
    let aliased = "{deny_on: [idempotency_missing]}";
    let allow = "allowlist: ['*']";
    for (section, ruling) in
        [("{}", Ruling::WouldDeny), (listed, Ruling::Deny), (aliased, Ruling::Deny)]
    {
        for required in [
            "side_effects: {require_idempotency_key: true}",
            "security: {side_effects: {require_idempotency_key: true}}",
            "side_effects: {require_idempotency_key: false}\nsecurity: {side_effects: {require_idempotency_key: true}}",
        ] {
            let policy = enforcing(section).replace("allowlist: [mcp://demo/add@1.0]", allow);
            let policy = format!("{policy}{required}\n");
            let verdict = judge_with(&policy, "write", Some("1.0"), false);
            assert_eq!(verdict.reasons(), [Reason::MissingIdempotency], "{policy}");
            assert_eq!(verdict.ruling(), ruling, "{policy}");
            assert_eq!(judge_with(&policy, "write", Some("1.0"), true), Verdict::allow());
            assert_eq!(judge_with(&policy, "look", Some("1.0"), false), Verdict::allow());
            let off = policy.replace("true}", "false}").replace("enabled: false", "enabled: true");
            assert_eq!(judge_with(&off, "write", Some("1.0"), false), Verdict::allow(), "{off}");
        }
    }
}

#[test]
fn limits_are_whole_kilobytes_and_milliseconds_and_zero_is_none() {
    for (kilobytes, bytes) in [
        ("0", None),
        ("0.0", None),
        ("1", Some(1024)),
        ("64", Some(65_536)),
        ("1.9", Some(1024)),
        ("0.5", Some(0)),
        ("1e300", Some(u64::MAX)),
    ] {
        let text = with(&format!("security: {{limits: {{max_payload_kb: {kilobytes}}}}}"));
        assert_eq!(Policy::from_yaml(&text).unwrap().max_payload_bytes(), bytes, "{kilobytes}");
    }
    for (milliseconds, nanoseconds) in
        [("0", None), ("100", Some(100_000_000)), ("0.5", Some(500_000))]
    {
        let text = with(&format!("security: {{limits: {{max_duration_ms: {milliseconds}}}}}"));
        let limit = Policy::from_yaml(&text).unwrap().max_duration();
        assert_eq!(limit.map(|limit| limit.as_nanos()), nanoseconds, "{milliseconds}");
    }
    let endless = with("security: {limits: {max_duration_ms: 1e300}}");
    let limit = Policy::from_yaml(&endless).unwrap().max_duration().unwrap();
    assert!(System.monotonic().checked_add(limit).is_some());
}

#[test]
fn arguments_may_be_as_large_as_the_limit_says() {
    let text = enforcing("{deny_on: [payload_too_large]}");
    let policy =
        Policy::from_yaml(&format!("{text}security: {{limits: {{max_payload_kb: 1}}}}\n")).unwrap();
    assert_eq!(policy.judge_size(1024), Verdict::allow());
    assert_eq!(policy.judge_size(1025).ruling(), Ruling::Deny);
}

#[test]
fn a_bound_of_zero_opens_no_circuit() {
    let bounds = |section: &str| {
        let text = enforcing(&format!("{{circuit_breakers: {section}}}"));
        let rule = Policy::from_yaml(&text).unwrap().breakers();
        (rule.error_rate_pct, rule.p95_latency)
    };
    assert_eq!(bounds("{error_rate_pct: 0, p95_latency_ms: 0}"), (None, None));
    let smallest = (Some(0.5), Some(Duration::from_millis(1)));
    assert_eq!(bounds("{error_rate_pct: 0.5, p95_latency_ms: 1}"), smallest);
}

#[test]
fn the_digest_is_of_the_content_and_not_of_the_layout() {
    let digest = |text: &str| Policy::from_yaml(text).unwrap().digest();
    let flow = "{enforcement: {}, tools: {allowlist: [\"mcp://demo/add@1.0\"]}, # why\n \
                signing: {enabled: true}, default_retention: '30d', tenant: acme}";
    assert_eq!(digest(GOOD), digest(flow));
    assert_eq!(
        digest(&with("security: {limits: {max_payload_kb: 64}}")),
        digest(&with("security: {limits: {max_payload_kb: 64.0}}")),
    );
    assert_ne!(digest(GOOD), digest(&GOOD.replace("acme", "acne")));
    assert_ne!(digest(GOOD), digest(&with("rules: []")));
    let bytes = br#"{"default_retention":"30d","enforcement":{},"signing":{"enabled":true},"tenant":"acme","tools":{"allowlist":["mcp://demo/add@1.0"]}}"#;
    assert_eq!(digest(GOOD), crate::digest::Digest::of(bytes));
}

#[test]
fn policies_that_differ_in_a_digit_of_a_large_number_have_two_digests() {
    let of = |value: &str| {
        let rule = "{id: r, tool: '*', pointer: /a, effect: deny, op: eq, value: ";
        Policy::from_yaml(&with(&format!("rules: [{rule}{value}}}]"))).unwrap().digest()
    };
    assert_ne!(of("9007199254740993"), of("9007199254740992"));
    assert_ne!(of("9007199254740993"), of("'9007199254740993'"));
    assert_ne!(of("18446744073709551615"), of("18446744073709551614"));
    assert_ne!(of("-9007199254740993"), of("-9007199254740992"));
    assert_eq!(of("9007199254740992"), of("9007199254740992.0"));
}

#[test]
fn a_key_of_which_only_the_name_is_written_is_refused_and_not_left_out() {
    for more in [
        "rules:",
        "security: {egress_allowlist: }",
        "security: {fs_allowlist: ~}",
        "security: {limits: {max_payload_kb: null}}",
        "side_effects:",
        "registry: {lock: }",
    ] {
        assert!(Policy::from_yaml(&with(more)).is_err(), "{more}");
    }
    let empty = GOOD.replace("enforcement: {}", "enforcement: {deny_on: }");
    assert!(Policy::from_yaml(&empty).is_err());
}

#[test]
fn warns_of_what_is_valid_and_hardly_meant() {
    let enforced = GOOD.replace("enforcement: {}", "enforcement: {deny_on: [version_unpinned]}");
    for (text, warnings) in [
        (GOOD.replace("mcp://demo/add@1.0", "'*', add"), vec![]),
        (
            enforced.replace("mcp://demo/add@1.0", "'*'"),
            vec![
                "6:14: `tools.allowlist` allows every tool in enforce mode; name the servers or tools",
            ],
        ),
        (
            enforced.clone(),
            vec![
                "7:24: `enforcement.deny_on` does not have `tool_not_in_allowlist`, so a tool that \
                 is not on the list is called and only recorded",
            ],
        ),
        (
            enforcing("{mode: enforce}"),
            vec![
                "7:14: `enforcement` is in enforce mode, but `deny_on` is empty, so the policy \
                 refuses nothing; add reasons or write `mode: observe`",
            ],
        ),
        (
            GOOD.replace("mcp://demo/add@1.0", "add, demo/add, 'add '"),
            vec![
                "6:20: `tools.allowlist[1]` is `demo/add`, a tool with a slash in its name; a tool \
                 of a server is `mcp://demo/add`",
                "6:30: `tools.allowlist[2]` is `add` again, as `tools.allowlist[0]`",
            ],
        ),
        (
            format!(
                "{}security: {{limits: {{max_payload_kb: 0.5, max_duration_ms: 5}}}}\n",
                enforcing("{deny_on: [tool_not_in_allowlist, duration_too_long]}")
            ),
            vec![
                "8:37: `security.limits.max_payload_kb` is set, but `enforcement.deny_on` does not \
                 have `payload_too_large`, so it is only recorded",
                "8:37: `security.limits.max_payload_kb` is less than 1, so every call with \
                 arguments is too large; write at least 1",
            ],
        ),
    ] {
        assert_eq!(warnings_of(&text), warnings, "{text}");
    }
}

#[test]
fn an_override_that_only_names_arguments_stands_before_no_other() {
    let overrides = |first: &str| {
        let list = format!("{{tool: '*', {first}}}, {{tool: rm, op: delete}}");
        warnings_of(&GOOD.replace("enforcement", &format!("  overrides: [{list}]\nenforcement")))
            .iter()
            .any(|it| it.contains("of which `tools.overrides[0]` decides"))
    };
    assert!(!overrides("url_args: [address]"));
    assert!(overrides("op: read"));
}

#[test]
fn warns_of_a_key_that_is_only_recorded_and_of_overrides_that_never_decide() {
    let enforced = enforcing("{deny_on: [version_unpinned]}");
    for (text, warnings) in [
        (
            format!("{enforced}side_effects: {{require_idempotency_key: true}}\n")
                .replace("version_unpinned", "tool_not_in_allowlist"),
            vec![
                "8:41: `side_effects.require_idempotency_key` is set, but `enforcement.deny_on` \
                 does not have `missing_idempotency_for_side_effect`, so it is only recorded",
            ],
        ),
        (
            enforcing("{deny_on: [tool_not_in_allowlist, tool_code_changed]}"),
            vec![
                "7:24: `enforcement.deny_on` has `tool_code_changed`, which nothing raises without \
                 a lock file; set `registry.lock`, or name one in the options of the program",
            ],
        ),
        (
            format!(
                "{}registry: {{lock: warn}}\n",
                enforcing("{deny_on: [tool_not_in_allowlist, tool_code_changed]}")
            ),
            vec![],
        ),
        (
            GOOD.replace(
                "enforcement",
                "  overrides: [{tool: add, op: read}, {tool: 'add ', op: update}, \
                 {tool: '*', op: read}, {tool: sub, op: read}]\nenforcement",
            ),
            vec![
                "7:38: `tools.overrides[1]` is for `add`, of which `tools.overrides[0]` decides; \
                 put the narrower one first, or take one out",
                "7:89: `tools.overrides[3]` is for `sub`, of which `tools.overrides[2]` decides; \
                 put the narrower one first, or take one out",
            ],
        ),
    ] {
        assert_eq!(warnings_of(&text), warnings, "{text}");
    }
}

fn warnings_of(text: &str) -> Vec<String> {
    let policy = Policy::from_yaml(text).unwrap();
    policy.warnings().iter().map(ToString::to_string).collect()
}
