//! The keys that a policy must know, written out: those of the original, those that its runtime
//! reads without its schema, and ours. Not one of them is accepted and then forgotten.

use super::super::schema::{ROOT, every_key};
use super::super::shape::Stands;
use super::*;
use How::{Enforced, Inner, Noted, Parts, Refused};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// What this version does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Enforced,
    Noted,
    Parts,
    Refused,
    Inner,
}

/// A key, what is done with it, a value that asks for nothing (or none), one that asks for
/// something, and others that are wrong whatever is built. Values are JSON.
pub(super) struct Row(
    pub(super) &'static str,
    How,
    Option<&'static str>,
    &'static str,
    &'static [&'static str],
);

const OFF: Option<&str> = Some("false");
const ZERO: Option<&str> = Some("0");
const NONE: Option<&str> = Some("[]");
const MAP: Option<&str> = Some("{}");
const NEGATIVE: &[&str] = &["-1"];
const NO_COUNT: &[&str] = &["0", "-1", "0.5"];
const BLANK: &[&str] = &["\"\"", "\"  \""];
const OTHER: &[&str] = &["\"other\"", "\"\""];
const BLANKS: &[&str] = &["[\"\"]", "[7]", "[null]"];
const RATIO: &[&str] = &["-0.1", "1.1"];
const BAD_REASONS: &[&str] = &["[\"no_reason\"]", "[7]", "[\"unknown_tool\"]"];
const KEY: &str = "\"ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=\"";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    Row("tenant", Enforced, None, "\"acme\"", &["\"\"", "\" \"", "\"a\\nb\""]),
    Row("security_level", Noted, Some("\"gateway\""), "\"middleware\"", OTHER),
    Row("default_retention", Enforced, None, "\"30d\"", &["\"31d\"", "\"30d \"", "\"\""]),
    Row("signing", Enforced, None, "{\"enabled\": true}", &["{}"]),
    Row("signing.enabled", Refused, Some("true"), "false", &[]),
    Row("signing.key_ref", Enforced, None, "\"file://k\"", BLANK),
    Row("observability", Parts, MAP, "{}", &[]),
    Row("observability.enabled", Refused, OFF, "true", &[]),
    Row("observability.otlp_endpoint", Refused, None, "\"http://localhost\"", BLANK),
    Row("observability.sample", Parts, None, "{\"success\": 0, \"error\": 0}", &["{}"]),
    Row("observability.sample.success", Refused, ZERO, "0.1", RATIO),
    Row("observability.sample.error", Refused, ZERO, "1", RATIO),
    Row("observability.sampling", Parts, MAP, "{}", &[]),
    Row("observability.sampling.success_ratio", Refused, ZERO, "1", RATIO),
    Row("observability.sampling.error_always", Refused, OFF, "true", &[]),
    Row("observability.redact_identities", Refused, OFF, "true", &[]),
    Row("observability.instrumentation", Parts, MAP, "{}", &[]),
    Row("observability.instrumentation.enabled", Refused, OFF, "true", &[]),
    Row("observability.instrumentation.allow_sdk_attach", Refused, OFF, "true", &[]),
    Row("observability.instrumentation.default_op", Refused, None, "\"read\"", BLANK),
    Row("tools", Enforced, None, "{\"allowlist\": []}", &["{}"]),
    Row("tools.allowlist", Enforced, NONE, "[\"mcp://demo/*\"]", BLANKS),
    Row("tools.deny_if_unpinned_version", Enforced, None, "true", &[]),
    Row("tools.overrides", Refused, NONE, "[{\"tool\": \"*\"}]", &[]),
    Row("skills", Parts, None, "{\"allowlist\": [], \"deny_if_unpinned_version\": true}",
        &["{}", "{\"allowlist\": []}"]),
    Row("skills.allowlist", Refused, NONE, "[\"any\"]", BLANKS),
    Row("skills.deny_if_unpinned_version", Noted, Some("true"), "false", &[]),
    Row("skills.scan_on_change_only", Refused, OFF, "true", &[]),
    Row("skills.block_on_severity", Refused, None, "\"low\"", OTHER),
    Row("privacy", Parts, MAP, "{}", &[]),
    Row("privacy.redact_outputs", Refused, OFF, "true", &[]),
    Row("privacy.store_raw_payloads", Refused, OFF, "true", &[]),
    Row("side_effects", Parts, MAP, "{}", &[]),
    Row("side_effects.require_idempotency_key", Refused, OFF, "true", &[]),
    Row("side_effects.max_retries", Refused, ZERO, "10", &["-1", "11"]),
    Row("enforcement", Enforced, MAP, "{}", &[]),
    Row("enforcement.mode", Enforced, None, "\"observe\"", OTHER),
    Row("enforcement.deny_on", Enforced, NONE, "[\"handler_swap\", \"handler_swap\"]", BAD_REASONS),
    Row("enforcement.escalate_on", Refused, NONE, "[\"sast_failed\"]", BAD_REASONS),
    Row("enforcement.agent_guard", Parts, MAP, "{}", &[]),
    Row("enforcement.agent_guard.enabled", Refused, OFF, "true", &[]),
    Row("enforcement.agent_guard.block_on_severity", Refused, None, "\"critical\"", OTHER),
    Row("enforcement.agent_guard.block_on_count", Refused, None, "1", NO_COUNT),
    Row("enforcement.circuit_breakers", Parts, MAP, "{}", &[]),
    Row("enforcement.circuit_breakers.error_rate_pct", Refused, ZERO, "100", &["-1", "100.5"]),
    Row("enforcement.circuit_breakers.p95_latency_ms", Refused, ZERO, "0.5", NEGATIVE),
    Row("enforcement.circuit_breakers.min_samples", Refused, Some("20"), "21", NEGATIVE),
    Row("enforcement.circuit_breakers.minSamples", Refused, ZERO, "19", NEGATIVE),
    Row("agent_guard", Parts, MAP, "{}", &[]),
    Row("agent_guard.enabled", Refused, OFF, "true", &[]),
    Row("agent_guard.block_on_severity", Refused, None, "\"medium\"", OTHER),
    Row("agent_guard.block_on_count", Refused, None, "2.5", NO_COUNT),
    Row("compliance", Parts, MAP, "{}", &[]),
    Row("compliance.packs", Refused, NONE, "[{\"id\": \"p\", \"name\": \"P\"}]", &["[{}]", "[7]"]),
    Row("compliance.packs[].id", Inner, None, "\"p\"", BLANK),
    Row("compliance.packs[].name", Inner, None, "\"P\"", BLANK),
    Row("compliance.packs[].description", Inner, None, "\"\"", &[]),
    Row("compliance.packs[].rules", Inner, None, "[]", &["[{}]", "[\"r\"]",
        "[{\"id\": \"r\"}]", "[{\"id\": \"r\", \"type\": \"regex\"}]",
        "[{\"id\": \"r\", \"type\": \"nl\", \"patterns\": [\"x\"]}]"]),
    Row("compliance.packs[].rules[].id", Inner, None, "\"r\"", BLANK),
    Row("compliance.packs[].rules[].name", Inner, None, "\"\"", &[]),
    Row("compliance.packs[].rules[].type", Inner, None, "\"regex\"", OTHER),
    Row("compliance.packs[].rules[].location", Inner, None, "\"run\"", OTHER),
    Row("compliance.packs[].rules[].severity", Inner, None, "\"high\"", OTHER),
    Row("compliance.packs[].rules[].message", Inner, None, "\"\"", &[]),
    Row("compliance.packs[].rules[].patterns", Inner, None, "[\"x\"]", &["[]", "[7]"]),
    Row("compliance.packs[].rules[].instruction", Inner, None, "\"is it\"", BLANK),
    Row("compliance.packs[].rules[].tags", Inner, None, "[\"t\"]", &["[{}]"]),
    Row("compliance.packs[].rules[].threshold", Inner, None, "{\"any\": 80}", &[]),
    Row("compliance.policies", Refused, NONE,
        "[{\"id\": \"a\", \"name\": \"A\", \"enabled\": false, \"pack_ids\": []}]", &["[{}]"]),
    Row("compliance.policies[].id", Inner, None, "\"a\"", BLANK),
    Row("compliance.policies[].name", Inner, None, "\"A\"", BLANK),
    Row("compliance.policies[].enabled", Inner, None, "true", &[]),
    Row("compliance.policies[].pack_ids", Inner, None, "[\"p\"]", BLANKS),
    Row("compliance.llm_judge", Parts, MAP, "{}", &[]),
    Row("compliance.llm_judge.enabled", Refused, OFF, "true", &[]),
    Row("compliance.llm_judge.provider", Refused, None, "\"anthropic\"", OTHER),
    Row("compliance.llm_judge.api_key", Refused, None, "\"k\"", BLANK),
    Row("compliance.llm_judge.model", Refused, None, "\"m\"", BLANK),
    Row("llm_judge", Parts, MAP, "{}", &[]),
    Row("llm_judge.enabled", Refused, OFF, "true", &[]),
    Row("llm_judge.provider", Refused, None, "\"openai\"", OTHER),
    Row("llm_judge.api_key", Refused, None, "\"k\"", BLANK),
    Row("llm_judge.model", Refused, None, "\"m\"", BLANK),
    Row("security", Enforced, MAP, "{}", &[]),
    Row("security.allow_versions", Refused, MAP, "{\"demo\": [\"1.0\"]}",
        &["{\"demo\": \"1.0\"}", "{\"demo\": [1.0]}", "{\"demo\": [\"\"]}"]),
    Row("security.egress_allowlist", Refused, None, "[]", BLANKS),
    Row("security.fs_allowlist", Refused, None, "[\"/data/*\"]", BLANKS),
    Row("security.fs_base", Refused, None, "\"/data\"", BLANK),
    Row("security.deny_subprocess", Refused, OFF, "true", &[]),
    Row("security.limits", Enforced, MAP, "{}", &[]),
    Row("security.limits.max_payload_kb", Enforced, ZERO, "1.5", NEGATIVE),
    Row("security.limits.max_duration_ms", Enforced, ZERO, "1500", NEGATIVE),
    Row("security.limits.rate", Refused, NONE, "[{\"tool\": \"*\", \"per_second\": 5}]",
        &["[{}]", "[{\"tool\": \"*\"}]"]),
    Row("security.limits.rate[].tool", Inner, None, "\"mcp://demo/*\"", BLANK),
    Row("security.limits.rate[].per_second", Inner, None, "0.5", NEGATIVE),
    Row("security.limits.rate[].burst", Inner, None, "10", NO_COUNT),
    Row("security.side_effects", Parts, MAP, "{}", &[]),
    Row("security.side_effects.require_idempotency_key", Refused, OFF, "true", &[]),
    Row("security.side_effects.approve_high_risk", Refused, OFF, "true", &[]),
    Row("security.side_effects.escalation_ttl_seconds", Refused, Some("3600"), "60", NO_COUNT),
    Row("security.side_effects.ttl_seconds", Refused, Some("3600"), "60", NO_COUNT),
    Row("security.side_effects.escalationTtlSeconds", Refused, Some("3600"), "60", NO_COUNT),
    Row("security.side_effects.escalation_on_timeout", Refused, Some("\"auto_reject\""),
        "\"auto_approve\"", OTHER),
    Row("security.side_effects.timeout_action", Refused, Some("\"auto_reject\""),
        "\"auto_approve\"", OTHER),
    Row("security.side_effects.escalationOnTimeout", Refused, Some("\"auto_reject\""),
        "\"auto_approve\"", OTHER),
    Row("security.ap2", Parts, MAP, "{}", &[]),
    Row("security.ap2.enabled", Refused, OFF, "true", &[]),
    Row("security.ap2.requireForSideEffects", Refused, OFF, "true", &[]),
    Row("security.ap2.require_for_side_effects", Refused, OFF, "true", &[]),
    Row("security.ap2.tools", Parts, MAP, "{}", &[]),
    Row("security.ap2.tools.allow", Refused, NONE, "[\"demo:*\"]", BLANKS),
    Row("security.ap2.headers", Parts, MAP, "{}", &[]),
    Row("security.ap2.headers.intent", Refused, None, "\"x-i\"", BLANK),
    Row("security.ap2.headers.cart", Refused, None, "\"x-c\"", BLANK),
    Row("security.ap2.headers.bundle", Refused, None, "\"x-b\"", BLANK),
    Row("security.ap2.trust", Parts, MAP, "{}", &[]),
    Row("security.ap2.trust.didMethods", Refused, NONE, "[\"web\"]", BLANKS),
    Row("security.ap2.trust.issuersAllowlist", Refused, None, "[\"did:web:a\"]", BLANKS),
    Row("security.ap2.trust.clockSkewSec", Refused, ZERO, "30", NEGATIVE),
    Row("security.ap2.mode", Refused, None, "\"full\"", OTHER),
    Row("sec0_export", Parts, None, "{\"enabled\": false}", &["{}"]),
    Row("sec0_export.enabled", Refused, OFF, "true", &[]),
    Row("sec0_export.cadence", Refused, None, "\"weekly\"", OTHER),
    Row("sec0_export.bucket_uri", Refused, None, "\"s3://logs\"", BLANK),
    Row("sast", Parts, MAP, "{}", &[]),
    Row("sast.enabled", Refused, OFF, "true", &[]),
    Row("sast.block_on_change", Refused, OFF, "true", &[]),
    Row("sast.block_on_severity", Refused, None, "\"high\"", OTHER),
    Row("sast.cache_ttl_ms", Refused, Some("60000"), "1", NEGATIVE),
    Row("sast.scan_all_on_server_change", Refused, OFF, "true", &[]),
    Row("sast.scan_on_change_only", Refused, OFF, "true", &[]),
    Row("dast", Parts, MAP, "{}", &[]),
    Row("dast.enabled", Refused, OFF, "true", &[]),
    Row("dast.block_on_change", Refused, OFF, "true", &[]),
    Row("dast.block_on_severity", Refused, None, "\"high\"", OTHER),
    Row("dast.block_on_count", Refused, None, "3", NO_COUNT),
    Row("dast.rule_ttl_ms", Refused, ZERO, "1", NEGATIVE),
    Row("dast.sandbox_url", Refused, None, "\"http://localhost\"", BLANK),
    Row("dast.templates", Refused, NONE, "[\"t\"]", BLANKS),
    Row("dast.tags", Refused, NONE, "[\"t\"]", BLANKS),
    Row("dast.exclude_tags", Refused, NONE, "[\"t\"]", BLANKS),
    Row("dast.severity", Refused, NONE, "[\"high\"]", BLANKS),
    Row("dast.mode", Refused, None, "\"sync\"", OTHER),
    Row("dast.scope", Refused, None, "\"tool\"", OTHER),
    // Ours.
    Row("audit", Parts, MAP, "{}", &[]),
    Row("audit.mode", Noted, Some("\"batch\""), "\"batch\"", OTHER),
    Row("audit.mode.read", Noted, None, "\"batch\"", OTHER),
    Row("audit.mode.write", Noted, None, "\"batch\"", OTHER),
    Row("audit.signing", Refused, Some("\"record\""), "\"checkpoint\"", BLANK),
    Row("audit.digest_key", Refused, None, "\"file://k\"", BLANK),
    Row("expose", Refused, Some("\"all\""), "\"allowed\"", &[]),
    Row("registry", Parts, MAP, "{}", &[]),
    Row("registry.lock", Refused, None, "\"tools.lock\"", BLANK),
    Row("rules", Refused, NONE, "[{\"id\": \"a\", \"tool\": \"*\", \"pointer\": \"/a\", \
        \"op\": \"exists\", \"effect\": \"deny\"}]", &["[{}]", "[7]", "[{\"id\": \"a\"}]"]),
    Row("rules[].id", Inner, None, "\"a\"", BLANK),
    Row("rules[].tool", Inner, None, "\"*\"", BLANK),
    Row("rules[].pointer", Inner, None, "\"/a~1b/0\"", &["\"a\"", "\"/~\"", "\"/~2\""]),
    Row("rules[].op", Inner, None, "\"len_le\"", OTHER),
    Row("rules[].value", Inner, None, "[1, {\"a\": null}]", &[]),
    Row("rules[].effect", Inner, None, "\"ask\"", OTHER),
    Row("rules[].reason", Inner, None, "\"too_big\"", &["\"Too\"", "\"t\"", "\"0t\"", "\"a-b\""]),
    Row("rules[].mode", Inner, None, "\"audit\"", OTHER),
    Row("approval_sets", Refused, MAP, "{\"prod\": {\"members\": [{\"id\": \"ana\", \
        \"public_key\": \"ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=\"}]}}",
        &["{\"prod\": {}}", "{\"prod\": []}"]),
    Row("approval_sets.*.members", Inner, None, "[{\"id\": \"ana\", \
        \"public_key\": \"ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=\"}]",
        &["[]", "[{}]", "[{\"id\": \"ana\"}]"]),
    Row("approval_sets.*.members[].id", Inner, None, "\"ana\"", BLANK),
    Row("approval_sets.*.members[].roles", Inner, None, "[\"security\"]", BLANKS),
    Row("approval_sets.*.members[].public_key", Inner, None, KEY, BLANK),
    Row("approval_sets.*.members[].principals", Inner, None, "[\"local:1000\"]", BLANKS),
];

/// The keys of `human_escalation`, which stand in two places and, but for `tools`, in the entries
/// of `tools` as well.
#[rustfmt::skip]
const HUMANS: &[Row] = &[
    Row("approval_strategy", Refused, Some("\"single_approver\""), "\"auto_allow\"", OTHER),
    Row("timeout_action", Refused, Some("\"auto_reject\""), "\"auto_approve\"", OTHER),
    Row("min_approvals", Refused, Some("1"), "2", NO_COUNT),
    Row("min_rejections", Refused, Some("1"), "2", NO_COUNT),
    Row("required_roles", Refused, NONE, "[\"security\"]", BLANKS),
    Row("veto_roles", Refused, NONE, "[\"security\"]", BLANKS),
    Row("approval_set_id", Refused, None, "\"prod\"", BLANK),
    Row("wait_ms", Refused, ZERO, "1000", NEGATIVE),
    Row("ttl_seconds", Refused, Some("3600"), "60", NO_COUNT),
    Row("allow_unattended", Refused, OFF, "true", &[]),
];

/// One key with its values.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) path: String,
    pub(super) how: How,
    pub(super) nothing: Option<Value>,
    pub(super) asks: Value,
    pub(super) bad: Vec<Value>,
}

impl Key {
    fn new(path: String, how: How, row: &Row) -> Self {
        let read = |text: &str| serde_json::from_str(text).expect(text);
        Self {
            path,
            how,
            nothing: row.2.map(read),
            asks: read(row.3),
            bad: row.4.iter().map(|text| read(text)).collect(),
        }
    }

    /// The key that decides on the value that this one is part of.
    fn whole(&self) -> &str {
        self.path.split(['[', '*']).next().unwrap().trim_end_matches('.')
    }

    /// Values of another type.
    pub(super) fn of_another_type(&self) -> Vec<Value> {
        let anything = ["rules[].value", "compliance.packs[].rules[].threshold", "expose"];
        if anything.contains(&self.path.as_str()) {
            return Vec::new();
        }
        let all = [json!(null), json!(true), json!(7), json!("word"), json!([]), json!({})];
        let same =
            |value: &Value| std::mem::discriminant(value) == std::mem::discriminant(&self.asks);
        let mode = |value: &Value| self.path == "audit.mode" && value.is_object();
        all.into_iter().filter(|value| !same(value) && !mode(value)).collect()
    }
}

/// Every key.
pub(super) fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(read);
    &KEYS
}

fn read() -> Vec<Key> {
    let mut keys: Vec<_> = ROWS.iter().map(|row| Key::new(row.0.to_owned(), row.1, row)).collect();
    for name in ["human_escalation", "humanEscalation"] {
        let under = format!("security.side_effects.{name}");
        keys.push(Key::new(under.clone(), Parts, &Row("", Parts, MAP, "{}", &[])));
        let tools = Row("", Refused, NONE, "[{\"tool\": \"*\"}]", &["[{}]"]);
        keys.push(Key::new(format!("{under}.tools"), Refused, &tools));
        let tool = Row("", Inner, None, "\"*\"", BLANK);
        keys.push(Key::new(format!("{under}.tools[].tool"), Inner, &tool));
        for row in HUMANS {
            keys.push(Key::new(format!("{under}.{}", row.0), row.1, row));
            let inner = Row("", Inner, None, row.3, row.4);
            keys.push(Key::new(format!("{under}.tools[].{}", row.0), Inner, &inner));
        }
    }
    keys
}

/// Where a path leads in a document with one entry in each list.
pub(super) fn place(path: &str) -> String {
    path.replace("[]", "[0]").replace(".*", ".prod")
}

/// Puts a value where a path leads, and makes the way there.
pub(super) fn put(document: &mut Value, path: &str, value: Value) {
    let mut at = document;
    for part in place(path).split('.') {
        let (name, entry) = part.split_once('[').map_or((part, false), |(name, _)| (name, true));
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[name];
        if entry {
            if at.get(0).is_none() {
                *at = json!([{}]);
            }
            at = &mut at[0];
        }
    }
    *at = value;
}

/// The smallest policy.
pub(super) fn smallest() -> Value {
    json!({
        "tenant": "acme", "default_retention": "30d", "signing": {"enabled": true},
        "tools": {"allowlist": []}, "enforcement": {},
    })
}

/// Every key at a value that asks for nothing, where it has one, and no section turned off.
fn nothing() -> Value {
    let mut document = smallest();
    for key in keys() {
        let off = key.path.ends_with(".enabled") && key.nothing == Some(json!(false));
        if let Some(value) = key.nothing.clone().filter(|_| !off) {
            put(&mut document, &key.path, value);
        }
    }
    put(&mut document, "sec0_export.enabled", json!(false));
    document
}

/// The smallest policy with everything that is next to this key, or around it, at values that
/// ask for something.
pub(super) fn around(key: &Key) -> Value {
    let mut document = smallest();
    let first = key.path.split(['.', '[']).next();
    for other in keys() {
        if other.path.split(['.', '[']).next() == first && !other.path.starts_with("audit.mode.") {
            put(&mut document, &other.path, other.asks.clone());
        }
    }
    document
}

pub(super) fn problems(document: &Value) -> Vec<Problem> {
    let text = serde_json::to_string_pretty(document).unwrap();
    Policy::from_yaml(&text).map_or_else(|error| error.problems().to_vec(), |_| Vec::new())
}

#[test]
fn has_every_key_of_the_original_and_of_ours_and_no_other() {
    let mut schema = Vec::new();
    every_key(ROOT, "", &mut |path, key| {
        let how = match key.stands {
            Stands::Enforced => Enforced,
            Stands::Noted => Noted,
            Stands::Parts => Parts,
            Stands::Refused(..) => Refused,
            Stands::Inner => Inner,
        };
        schema.push((path.to_owned(), how));
    });
    let table: Vec<_> = keys().iter().map(|key| (key.path.clone(), key.how)).collect();
    for row in &table {
        assert!(schema.contains(row), "the schema lacks {row:?}");
    }
    for row in &schema {
        assert!(table.contains(row), "this table lacks {row:?}");
    }
    assert_eq!(table.len(), schema.len());
}

#[test]
fn a_document_with_every_key_that_asks_for_nothing_is_a_policy() {
    assert_eq!(problems(&nothing()), []);
}

#[test]
fn each_key_that_asks_for_something_unbuilt_is_refused_by_name_and_no_other_is() {
    for key in keys() {
        let mut document = nothing();
        put(&mut document, &key.path, key.asks.clone());
        let mut refused = BTreeSet::new();
        if matches!(key.how, Refused | Inner) {
            refused.insert(key.whole().to_owned());
        }
        if key.how == Inner {
            // An entry must have its other keys, too.
            document = nothing();
            for other in keys().iter().filter(|other| other.whole() == key.whole()) {
                put(&mut document, &other.path, other.asks.clone());
            }
        }
        if key.path.starts_with("sec0_export.") {
            // Without `enabled: true` nothing in this section asks for anything.
            put(&mut document, "sec0_export.enabled", json!(true));
            refused.insert("sec0_export.enabled".to_owned());
        }
        let problems = problems(&document);
        let found: BTreeSet<_> = problems.iter().map(|problem| problem.path.clone()).collect();
        assert_eq!(found, refused, "{}: {problems:#?}", key.path);
        assert_eq!(problems.len(), refused.len(), "{problems:#?}");
        for problem in problems {
            assert!(problem.message.contains(" is refused: "), "{problem}");
        }
    }
}

#[test]
fn each_key_is_accepted_in_a_section_that_is_off() {
    let sections: Vec<_> = keys()
        .iter()
        .filter(|key| key.nothing == Some(json!(false)))
        .filter_map(|key| key.path.strip_suffix(".enabled").map(str::to_owned))
        .collect();
    assert!(sections.len() >= 9, "{sections:?}");
    for section in sections {
        let mut document = smallest();
        for key in keys().iter().filter(|key| key.path.starts_with(&format!("{section}."))) {
            put(&mut document, &key.path, key.asks.clone());
        }
        put(&mut document, &format!("{section}.enabled"), json!(false));
        assert_eq!(problems(&document), [], "{section}");
    }
}

#[test]
fn a_value_of_another_type_or_out_of_range_is_refused_even_where_the_key_is_not_built() {
    let mut tried = 0;
    for key in keys() {
        for value in key.of_another_type().into_iter().chain(key.bad.clone()) {
            let mut document = around(key);
            put(&mut document, &key.path, value.clone());
            let at = place(&key.path);
            let problems = problems(&document);
            let faults = problems.iter().filter(|problem| {
                problem.path.starts_with(&at) && !problem.message.contains(" is refused: ")
            });
            assert!(faults.count() > 0, "`{at}: {value}` in {problems:#?}");
            tried += 1;
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn an_unknown_key_in_any_section_is_refused_in_its_place() {
    let mut sections = BTreeSet::new();
    for key in keys() {
        let parent = key.path.rsplit_once('.').map_or("", |(parent, _)| parent).to_owned();
        sections.insert((parent, key.path.clone()));
    }
    for (section, path) in sections {
        let key = keys().iter().find(|key| key.path == path).unwrap();
        let mut document = around(key);
        let unknown = format!("{section}.zzz");
        put(&mut document, unknown.trim_start_matches('.'), json!(1));
        let text = serde_json::to_string_pretty(&document).unwrap();
        let (line, row) =
            text.lines().enumerate().find(|(_, row)| row.contains("\"zzz\"")).unwrap();
        let problems = problems(&document);
        let said = problems.iter().any(|problem| {
            usize::try_from(problem.line).unwrap() == line + 1
                && usize::try_from(problem.column).unwrap() == row.find('"').unwrap() + 1
                && problem.path == place(&section)
                && problem.message.starts_with("unknown key `zzz`")
        });
        assert!(said, "`{unknown}` in {problems:#?}");
    }
}
