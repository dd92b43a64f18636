use super::super::about::{about, described};
use super::super::json_schema::{alternatives, default_text, description};
use super::super::schema::{ROOT, every_key};
use super::super::shape::{Key, Shape, Stands, Unless};
use super::contract::{put, smallest};
use super::*;
use crate::call::{AuditMode, AuditModes, BreakerRule, LineSigning, LockRule, RateRule, ToolRef};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ptr;
use std::time::Duration;

const KEY: &str = "ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=";

/// Every key of the schema, each with a value that asks for nothing which is not built.
const NEUTRAL: &str = "
tenant: acme
security_level: middleware
default_retention: 180d
signing: {enabled: true, key_ref: 'file://keys/ed25519.key'}
tools: {allowlist: [], deny_if_unpinned_version: false, overrides: [{tool: add, op: create, side_effect: false}]}
enforcement:
  mode: enforce
  deny_on: []
  escalate_on: []
  agent_guard: {enabled: false, block_on_severity: high, block_on_count: 2}
  circuit_breakers: {error_rate_pct: 0, p95_latency_ms: 0, min_samples: 20, minSamples: 0, window_ms: 60000, open_ms: 30000, half_open_probes: 1}
security:
  limits: {max_payload_kb: 0, max_duration_ms: 0, rate: []}
  allow_versions: {}
  deny_subprocess: false
  side_effects:
    require_idempotency_key: false
    approve_high_risk: false
    escalation_ttl_seconds: 3600
    ttl_seconds: 3600
    escalationTtlSeconds: 3600
    escalation_on_timeout: auto_reject
    timeout_action: auto_reject
    escalationOnTimeout: auto_reject
    human_escalation: &humans
      approval_strategy: single_approver
      timeout_action: auto_reject
      min_approvals: 1
      min_rejections: 1
      required_roles: []
      veto_roles: []
      wait_ms: 0
      ttl_seconds: 3600
      allow_unattended: false
      tools: []
    humanEscalation: *humans
  ap2:
    enabled: false
    requireForSideEffects: true
    require_for_side_effects: true
    tools: {allow: ['*']}
    headers: {intent: x-intent, cart: x-cart, bundle: x-bundle}
    trust: {didMethods: [web], issuersAllowlist: [], clockSkewSec: 30}
    mode: partial
audit: {mode: batch, signing: record, digest_key: 'file://keys/digest.key', retain_days: 30}
expose: all
rules: [{id: a, tool: add, pointer: /a, op: eq, value: 1, effect: allow, reason: no_a, mode: audit}]
approval_sets: {}
registry: {lock: require}
observability:
  enabled: false
  otlp_endpoint: http://localhost:4317
  sample: {success: 0.1, error: 1}
  sampling: {success_ratio: 0.1, error_always: true}
  redact_identities: true
  instrumentation: {enabled: true, allow_sdk_attach: true, default_op: read}
privacy: {redact_outputs: false, store_raw_payloads: false}
side_effects: {require_idempotency_key: false, max_retries: 0}
agent_guard: {enabled: false, block_on_severity: low, block_on_count: 1}
skills: {allowlist: [], deny_if_unpinned_version: true, scan_on_change_only: false}
compliance: {packs: [], policies: [], llm_judge: {enabled: false, provider: openai, api_key: k, model: m}}
sec0_export: {enabled: false, cadence: daily, bucket_uri: 's3://logs'}
llm_judge: {enabled: false, provider: anthropic, api_key: k, model: m}
sast:
  enabled: false
  block_on_change: true
  block_on_severity: high
  cache_ttl_ms: 60000
  scan_all_on_server_change: true
  scan_on_change_only: true
dast:
  enabled: false
  block_on_change: true
  block_on_severity: low
  block_on_count: 1
  rule_ttl_ms: 60000
  sandbox_url: http://localhost
  templates: [t]
  tags: [a]
  exclude_tags: [b]
  severity: [high]
  mode: sync
  scope: server
";

fn keys() -> Vec<(String, Option<Unless>)> {
    let mut keys = Vec::new();
    every_key(ROOT, "", &mut |path, key| {
        let unless = match key.stands {
            Stands::Refused(unless, _) => Some(unless),
            Stands::Enforced | Stands::Noted | Stands::Parts | Stands::Inner => None,
        };
        keys.push((path.to_owned(), unless));
    });
    keys
}

/// `a.b[].c` is in the first item of `a.b`, and `a.*.c` in `a.prod`.
fn at<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(document, |value, key| match key.strip_suffix("[]") {
        Some(key) => value.get(key)?.get(0),
        None if key == "*" => value.get("prod"),
        None => value.get(key),
    })
}

#[test]
fn accepts_every_key_at_a_value_that_asks_for_nothing_unbuilt() {
    let policy = Policy::from_yaml(NEUTRAL).unwrap();
    assert_eq!(policy.max_payload_bytes(), None);
    assert_eq!(policy.max_duration(), None);

    let document: Value = serde_saphyr::from_str(NEUTRAL).unwrap();
    for (path, unless) in keys() {
        // A key whose presence asks for something has no such value; inside a section that is
        // off it may stand.
        let may_be_missing = matches!(unless, Some(Unless::Absent)) || path.starts_with("audit.mode.")
                // An entry of a list asks for something.
                || path.contains(['[', '*'])
                // So does a list without which nothing is checked.
                || path.ends_with("_allowlist")
                || path == "security.fs_base"
                // So does a name.
                || path.ends_with(".approval_set_id")
                || path.ends_with(".connected_user");
        assert!(may_be_missing || at(&document, &path).is_some(), "`{path}` is not tried");
    }
}

#[test]
fn accepts_each_section_that_is_not_built_when_it_is_off_or_empty() {
    for more in [
        "observability: {}",
        "observability: {enabled: false}",
        "privacy: {}",
        "side_effects: {}",
        "sec0_export: {enabled: false}",
        "agent_guard: {}",
        "compliance: {}",
        "security: {}",
        "security: {side_effects: {human_escalation: {}}}",
        "llm_judge: {enabled: false, provider: openai}",
        "security_level: gateway",
    ] {
        assert!(Policy::from_yaml(&with(more)).is_ok(), "{more}: {}", wrong(&with(more)));
    }
}

#[test]
fn a_section_that_is_off_turns_off_nothing_behind_it() {
    for more in [
        "agent_guard: {enabled: false, block_on_count: 1}\nsecurity: {deny_subprocess: true}",
        "observability: {enabled: false, sample: {success: 1, error: 1}}\nsecurity: {deny_subprocess: true}",
        "security: {deny_subprocess: true}\nsast: {enabled: false}",
    ] {
        assert!(wrong(&with(more)).contains("`security.deny_subprocess` is refused: "), "{more}");
    }
}

#[test]
fn every_enforced_key_is_taken_by_the_types_of_the_document() {
    let mut document = smallest();
    for (path, value) in [
        ("signing.key_ref", json!("file://k")),
        ("tools.deny_if_unpinned_version", json!(false)),
        ("tools.overrides[].tool", json!("add")),
        ("tools.overrides[].op", json!("create")),
        ("tools.overrides[].side_effect", json!(true)),
        ("tools.overrides[].url_args", json!(["to"])),
        ("tools.overrides[].path_args", json!(["/items/0"])),
        ("security.egress_allowlist", json!(["api.example.com"])),
        ("security.fs_allowlist", json!(["/data/*"])),
        ("security.fs_base", json!("/data")),
        ("side_effects.require_idempotency_key", json!(false)),
        ("security.side_effects.require_idempotency_key", json!(true)),
        ("enforcement.mode", json!("observe")),
        ("enforcement.deny_on", json!(["handler_swap"])),
        ("security.limits.max_payload_kb", json!(2.5)),
        ("security.limits.max_duration_ms", json!(1500)),
        ("security.limits.rate[].tool", json!("mcp://demo/*")),
        ("security.limits.rate[].per_second", json!(0.5)),
        ("security.limits.rate[].burst", json!(3)),
        ("enforcement.circuit_breakers.error_rate_pct", json!(12.5)),
        ("enforcement.circuit_breakers.p95_latency_ms", json!(800)),
        ("enforcement.circuit_breakers.min_samples", json!(7.5)),
        ("enforcement.circuit_breakers.minSamples", json!(100)),
        ("enforcement.circuit_breakers.window_ms", json!(1000)),
        ("enforcement.circuit_breakers.open_ms", json!(500)),
        ("enforcement.circuit_breakers.half_open_probes", json!(2)),
        ("side_effects.max_retries", json!(3)),
        ("audit.mode.read", json!("blocking")),
        ("audit.mode.write", json!("blocking-strict")),
        ("audit.signing", json!("checkpoint")),
        ("audit.digest_key", json!("file://d")),
        ("audit.retain_days", json!(30.5)),
        ("privacy.store_raw_payloads", json!(true)),
        ("observability.enabled", json!(true)),
        ("observability.otlp_endpoint", json!("http://c:4318")),
        ("observability.sample.success", json!(0.1)),
        ("observability.sample.error", json!(1)),
        ("observability.sampling.success_ratio", json!(0.5)),
        ("observability.sampling.error_always", json!(true)),
        ("observability.redact_identities", json!(true)),
        ("registry.lock", json!("warn")),
        ("enforcement.escalate_on", json!(["fs_violation"])),
        ("security.side_effects.approve_high_risk", json!(true)),
        ("security.side_effects.escalation_ttl_seconds", json!(60)),
        ("security.side_effects.ttl_seconds", json!(61)),
        ("security.side_effects.escalationTtlSeconds", json!(62)),
        ("security.side_effects.escalation_on_timeout", json!("auto_reject")),
        ("security.side_effects.timeout_action", json!("auto_approve")),
        ("security.side_effects.escalationOnTimeout", json!("auto_approve")),
        ("approval_sets.*.members[].id", json!("ana")),
        ("approval_sets.*.members[].roles", json!(["security"])),
        ("approval_sets.*.members[].public_key", json!(KEY)),
        ("approval_sets.*.members[].principals", json!(["ana@example.com"])),
        ("expose", json!("filtered")),
        ("rules[].id", json!("r")),
        ("rules[].tool", json!("add")),
        ("rules[].pointer", json!("/a")),
        ("rules[].op", json!("eq")),
        ("rules[].value", json!(1)),
        ("rules[].effect", json!("deny")),
        ("rules[].reason", json!("no_ones")),
        ("rules[].mode", json!("audit")),
    ] {
        put(&mut document, path, value);
    }
    for name in ["human_escalation", "humanEscalation"] {
        let humans = format!("security.side_effects.{name}");
        for under in [humans.clone(), format!("{humans}.tools[]")] {
            for (key, value) in [
                ("approval_strategy", json!("human_quorum")),
                ("timeout_action", json!("auto_reject")),
                ("min_approvals", json!(1)),
                ("min_rejections", json!(1)),
                ("required_roles", json!(["security"])),
                ("veto_roles", json!(["security"])),
                ("approval_set_id", json!("prod")),
                ("connected_user", json!("ana")),
                ("wait_ms", json!(1500)),
                ("ttl_seconds", json!(90)),
                ("allow_unattended", json!(true)),
            ] {
                put(&mut document, &format!("{under}.{key}"), value);
            }
        }
        put(&mut document, &format!("{humans}.tools[].tool"), json!("mcp://demo/*"));
    }
    every_key(ROOT, "", &mut |path, key| {
        assert!(!key.is_enforced() || at(&document, path).is_some(), "`{path}` is not tried");
    });
    let policy = Policy::from_yaml(&document.to_string()).unwrap();
    assert_eq!(policy.expose(), Expose::Filtered);
    every_value_was_taken(&policy);
}

fn every_value_was_taken(policy: &Policy) {
    assert_eq!(policy.key_ref(), Some("file://k"));
    assert_eq!(policy.mode(), Mode::Observe);
    assert_eq!(policy.deny_on().len(), 1);
    assert!(policy.requires_idempotency_key());
    assert_eq!(policy.lock_rule(), Some(LockRule::Warn));
    assert_eq!(policy.max_payload_bytes(), Some(2048));
    assert_eq!(policy.max_duration().unwrap().as_millis(), 1500);
    let modes = AuditModes { read: AuditMode::Blocking, write: AuditMode::BlockingStrict };
    assert_eq!(policy.audit_modes(), modes);
    assert_eq!(policy.line_signing(), LineSigning::Checkpoint);
    assert_eq!(policy.digest_key_ref(), Some("file://d"));
    assert_eq!(policy.retain_days(), Some(31));
    assert!(policy.stores_raw_payloads());
    assert!(policy.checks_places() && policy.checks_paths());
    assert_limits(policy);
    assert_asks(policy);
}

fn assert_asks(policy: &Policy) {
    let terms = |tool| policy.terms(ToolRef::new("demo", tool, None)).unwrap();
    assert_eq!(terms("add").scope.as_ref(), "security.side_effects.human_escalation.tools[0]");
    let other = policy.terms(ToolRef::new("other", "add", None)).unwrap();
    assert_eq!(other.scope.as_ref(), "security.side_effects.human_escalation");
    for terms in [terms("add"), other] {
        assert_eq!(terms.strategy, ApprovalStrategy::HumanQuorum);
        assert_eq!(terms.timeout_action, TimeoutAction::AutoReject);
        assert_eq!((terms.min_approvals, terms.min_rejections), (1, 1));
        let roles = (terms.required_roles.len(), terms.veto_roles.len());
        assert_eq!((roles, terms.connected_user.as_deref()), ((1, 1), Some("ana")));
        assert_eq!(terms.wait, Duration::from_millis(1500));
        assert_eq!(terms.ttl, Duration::from_secs(90));
        assert!(terms.allow_unattended);
        let ana = &policy.approvers(terms).unwrap().members[0];
        assert_eq!((&*ana.id, ana.public_key.to_string().as_str()), ("ana", KEY));
        assert!(ana.has_role("security"));
        assert_eq!(ana.principals, ["ana@example.com".into()]);
    }
}

fn assert_limits(policy: &Policy) {
    let rule = BreakerRule {
        error_rate_pct: Some(12.5),
        p95_latency: Some(Duration::from_millis(800)),
        min_samples: 8,
        window: Duration::from_secs(1),
        open: Duration::from_millis(500),
        probes: 2,
    };
    assert_eq!((policy.breakers(), policy.max_retries()), (rule, 3));
    let rates: Vec<_> = policy.rates().rules().collect();
    assert_eq!(rates, [RateRule { per_second: 0.5, burst: 3 }]);
}

#[test]
fn the_documentation_has_every_key_and_its_example_is_a_policy() {
    let page = include_str!("../../../docs/policy.md");
    let mut rows = Vec::new();
    every_key(ROOT, "", &mut |path, key| rows.push(row(path, key)));
    let is_row = |line: &&str| line.starts_with("| `") && line.matches(" | ").count() == 3;
    let found: BTreeSet<_> = page.lines().filter(is_row).map(str::to_owned).collect();
    let lacking: Vec<_> = rows.iter().filter(|row| !found.contains(*row)).cloned().collect();
    assert!(lacking.is_empty(), "docs/policy.md lacks these rows:\n{}", lacking.join("\n"));
    let left: Vec<_> = found.into_iter().filter(|row| !rows.contains(row)).collect();
    assert!(left.is_empty(), "docs/policy.md has rows of its own:\n{}", left.join("\n"));

    let mut examples = 0;
    for block in page.split("```yaml\n").skip(1) {
        let example = block.split("```").next().unwrap();
        let policy = Policy::from_yaml(example).expect("an example of docs/policy.md");
        assert!(policy.warnings().is_empty(), "{:?}", policy.warnings());
        examples += 1;
    }
    assert!(examples > 0);
}

#[test]
fn every_key_is_described_and_no_description_is_left_over() {
    let mut keys = Vec::new();
    every_key(ROOT, "", &mut |path, _| {
        assert!(about(path).is_some(), "no description of `{path}`");
        keys.push(path.to_owned());
    });
    for entry in described() {
        let found = about(entry).unwrap();
        let used = keys.iter().any(|path| about(path).is_some_and(|used| ptr::eq(used, found)));
        assert!(used, "nothing is described by `{entry}`");
    }
}

/// The row of a key on the page.
fn row(path: &str, key: &Key) -> String {
    let (kind, default) = (kind(&key.shape), default_text(key, path));
    format!("| `{path}` | {kind} | {default} | {} |", description(key, path))
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Flag => "boolean".to_owned(),
        Shape::Number(least, most) if *most == u32::MAX => format!("number of at least {least}"),
        Shape::Number(least, most) => format!("number from {least} to {most}"),
        Shape::Positive => "number above 0".to_owned(),
        Shape::OneOf(words) => alternatives(words),
        Shape::Text(_) | Shape::Told(..) => "text".to_owned(),
        Shape::List(Shape::Section(_) | Shape::Saying(..) | Shape::Anything)
        | Shape::Filled(Shape::Section(_)) => "list of maps".to_owned(),
        Shape::List(_) | Shape::Filled(_) => "list of text".to_owned(),
        Shape::Section(_) | Shape::Saying(..) => "map".to_owned(),
        Shape::Open(Shape::List(_)) => "map of lists".to_owned(),
        Shape::Open(_) => "map of maps".to_owned(),
        Shape::Either(one, other) => format!("{}; or {}", kind(one), kind(other)),
        Shape::Anything => "any".to_owned(),
    }
}
