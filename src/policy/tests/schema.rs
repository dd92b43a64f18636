use super::super::schema::{ROOT, every_key};
use super::super::shape::{Shape, Stands, Unless};
use super::*;
use serde_json::{Value, json};

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
  circuit_breakers: {error_rate_pct: 0, p95_latency_ms: 0, min_samples: 20, minSamples: 0}
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
    headers: {intent: x-intent}
    trust: {didMethods: [web]}
    mode: strict
audit: {mode: batch, signing: record}
expose: all
rules: []
approval_sets: {}
registry: {}
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
compliance: {packs: [], policies: [], llm_judge: {}}
sec0_export: {enabled: false, cadence: daily, bucket_uri: 's3://logs'}
llm_judge: {}
sast: {enabled: false, block_on_severity: high}
dast: {}
";

fn keys() -> Vec<(String, Option<Unless>)> {
    let mut keys = Vec::new();
    every_key(ROOT, "", &mut |path, key| {
        let unless = match key.stands {
            Stands::Refused(unless, _) => Some(unless),
            Stands::Enforced | Stands::Noted | Stands::Parts => None,
        };
        keys.push((path.to_owned(), unless));
    });
    keys
}

/// `a.b[].c` is in the first item of `a.b`.
fn at<'v>(document: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(document, |value, key| match key.strip_suffix("[]") {
        Some(key) => value.get(key)?.get(0),
        None => value.get(key),
    })
}

fn put(document: &mut Value, path: &str, value: Value) {
    let mut place = document;
    for key in path.split('.') {
        let Some(list) = key.strip_suffix("[]") else {
            place = &mut place[key];
            continue;
        };
        place = &mut place[list];
        if !place.is_array() {
            *place = json!([{"tool": "*", "op": "read"}]);
        }
        place = &mut place[0];
    }
    *place = value;
}

fn good() -> Value {
    json!({
        "tenant": "acme", "default_retention": "30d", "signing": {"enabled": true},
        "tools": {"allowlist": []}, "enforcement": {},
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
        let may_be_missing =
            matches!(unless, Some(Unless::Absent)) || path.starts_with("audit.mode.");
        assert!(may_be_missing || at(&document, &path).is_some(), "`{path}` is not tried");
    }
}

#[test]
fn accepts_each_section_that_is_not_built_when_it_is_off_or_empty() {
    for more in [
        "audit: {mode: {read: batch, write: batch}}",
        "audit: {}",
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
        "agent_guard: {enabled: false, block_on_count: 1}\nrules: [{id: a}]",
        "observability: {enabled: false, sample: {success: 1, error: 1}}\nrules: [{id: a}]",
        "rules: [{enabled: false}]\nsast: {enabled: false}",
    ] {
        assert!(wrong(&with(more)).contains("`rules` is refused: "), "{more}");
    }
}

#[test]
fn refuses_by_name_every_key_that_asks_for_something_not_built() {
    let mut refused = 0;
    every_key(ROOT, "", &mut |path, key| {
        let Stands::Refused(_, why) = key.stands else { return };
        let value = match &key.shape {
            Shape::Flag => json!(path != "signing.enabled"),
            Shape::Number(_, 1) => json!(1),
            Shape::Number(..) => json!(7),
            Shape::OneOf(words) => json!(words[0]),
            Shape::Text(_) | Shape::Anything => json!("something"),
            Shape::List(Shape::Text(_)) => json!(["version_unpinned"]),
            Shape::List(_) => json!([{"tool": "*"}]),
            Shape::Open(_) => json!({"demo": ["1.0"]}),
            Shape::Choice(..) | Shape::Section(_) | Shape::Saying(..) | Shape::Either(..) => {
                panic!("`{path}` has a shape that no refused key has had")
            }
        };
        let mut document = good();
        put(&mut document, path, value);
        let error = Policy::from_yaml(&document.to_string()).expect_err(path);
        let path = &path.replace("[]", "[0]");
        let start = format!("`{path}` is refused: {why}; ");
        let said = error
            .problems()
            .iter()
            .any(|problem| problem.path == *path && problem.message.starts_with(&start));
        assert!(said, "`{path}`: {error}");
        refused += 1;
    });
    assert!(refused > 70, "{refused}");
}

#[test]
fn every_enforced_key_is_taken_by_the_types_of_the_document() {
    let mut document = good();
    for (path, value) in [
        ("signing.key_ref", json!("file://k")),
        ("tools.deny_if_unpinned_version", json!(false)),
        ("tools.overrides[].tool", json!("add")),
        ("tools.overrides[].op", json!("create")),
        ("tools.overrides[].side_effect", json!(true)),
        ("side_effects.require_idempotency_key", json!(false)),
        ("security.side_effects.require_idempotency_key", json!(true)),
        ("enforcement.mode", json!("observe")),
        ("enforcement.deny_on", json!(["handler_swap"])),
        ("security.limits.max_payload_kb", json!(2.5)),
        ("security.limits.max_duration_ms", json!(1500)),
    ] {
        put(&mut document, path, value);
    }
    every_key(ROOT, "", &mut |path, key| {
        assert!(!key.is_enforced() || at(&document, path).is_some(), "`{path}` is not tried");
    });
    let policy = Policy::from_yaml(&document.to_string()).unwrap();
    assert_eq!(policy.key_ref(), Some("file://k"));
    assert_eq!(policy.mode(), Mode::Observe);
    assert_eq!(policy.deny_on().len(), 1);
    assert!(policy.requires_idempotency_key());
    assert_eq!(policy.max_payload_bytes(), Some(2048));
    assert_eq!(policy.max_duration().unwrap().as_millis(), 1500);
}

#[test]
fn the_documentation_has_every_key_and_its_example_is_a_policy() {
    let page = include_str!("../../../docs/policy.md");
    for (path, unless) in keys() {
        let cell = format!("| `{path}` |");
        let mut rows = page.lines().filter(|line| line.starts_with(&cell));
        let row = rows.next().unwrap_or_else(|| panic!("docs/policy.md lacks `{path}`"));
        assert_eq!(rows.next(), None, "`{path}` has two rows");
        assert_eq!(row.contains("| Refused: "), unless.is_some(), "{row}");
    }
    let rows =
        page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 5);
    assert_eq!(rows.count(), keys().len(), "docs/policy.md has a key that the schema lacks");

    let mut examples = 0;
    for block in page.split("```yaml\n").skip(1) {
        let example = block.split("```").next().unwrap();
        let policy = Policy::from_yaml(example).expect("an example of docs/policy.md");
        assert!(policy.warnings().is_empty(), "{:?}", policy.warnings());
        examples += 1;
    }
    assert!(examples > 0);
}
