//! Warnings about what can never matter.

use super::*;
use crate::call::Arguments;
use serde_json::{Value, json};

fn warned(text: &str) -> Vec<String> {
    Policy::from_yaml(text).unwrap().warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn a_reason_that_nothing_raises_under_this_policy_is_named() {
    let rest =
        |key: &str| format!("which nothing raises without `{key}`; set it, or take the reason out");
    let unpinned = |text: String| {
        text.replace("enforcement", "  deny_if_unpinned_version: false\nenforcement")
    };
    for (reason, key, set) in [
        (
            "egress_violation",
            "security.egress_allowlist",
            "security: {egress_allowlist: [a.example]}",
        ),
        ("fs_violation", "security.fs_allowlist", "security: {fs_allowlist: [/data/*]}"),
        (
            "missing_idempotency_for_side_effect",
            "side_effects.require_idempotency_key: true",
            "side_effects: {require_idempotency_key: true}",
        ),
        (
            "duration_too_long",
            "security.limits.max_duration_ms",
            "security: {limits: {max_duration_ms: 9}}",
        ),
    ] {
        let policy = enforcing(&format!("{{deny_on: [tool_not_in_allowlist, {reason}]}}"));
        let said = format!("7:24: `enforcement.deny_on` has `{reason}`, {}", rest(key));
        assert_eq!(warned(&policy), [said]);
        assert_eq!(warned(&format!("{policy}{set}\n")), [""; 0], "{reason}");
    }
    let policy = enforcing("{deny_on: [tool_not_in_allowlist, version_unpinned]}");
    assert_eq!(warned(&policy), [""; 0]);
    assert!(warned(&unpinned(policy))[0].contains(&rest("tools.deny_if_unpinned_version: true")));
}

#[test]
fn a_filter_that_hides_nothing_is_named() {
    let observing = with("expose: filtered");
    assert_eq!(
        warned(&observing),
        [
            "8:9: `expose` is `filtered`, but in observe mode every tool may be called, so all are listed"
        ]
    );
    let enforces = enforcing("{deny_on: [tool_not_in_allowlist]}") + "expose: filtered\n";
    assert_eq!(warned(&enforces), [""; 0]);
}

fn rules(rules: &[Value]) -> Policy {
    let rules: Vec<_> = rules.iter().map(Value::to_string).collect();
    let text = enforcing("{mode: enforce}").replace("mcp://demo/add@1.0", "'mcp://demo/*'");
    Policy::from_yaml(&format!("{text}rules: [{}]\n", rules.join(", "))).unwrap()
}

fn rule(id: &str, tool: &str, effect: &str) -> Value {
    json!({"id": id, "tool": tool, "pointer": "/a", "op": "eq", "value": 1, "effect": effect})
}

fn shadowed(given: &[Value]) -> Vec<String> {
    let policy = rules(given);
    let said = policy.warnings().iter().filter(|it| it.message.contains("decides nothing"));
    said.map(|it| it.path.clone()).collect()
}

#[test]
fn a_rule_behind_a_wider_and_stronger_one_is_named() {
    for (wide, narrow) in [
        ("*", "mcp://demo/add@1.0"),
        ("mcp://demo/*", "mcp://demo/add"),
        ("add", "mcp://demo/add@2"),
        ("mcp://demo/add", "mcp://demo/add@1"),
        ("add", "add"),
    ] {
        for effect in ["ask", "allow"] {
            let [first, second] = [rule("w", wide, "deny"), rule("n", narrow, effect)];
            assert_eq!(shadowed(&[first.clone(), second.clone()]), ["rules[1]"], "{wide} {narrow}");
            assert_eq!(shadowed(&[second, first]), ["rules[0]"], "{wide} {narrow}");
        }
        let twice = shadowed(&[rule("w", wide, "deny"), rule("n", narrow, "deny")]);
        assert_eq!(twice.is_empty(), wide == narrow, "{wide} {narrow}");
    }
    let warnings = rules(&[rule("w", "*", "deny"), rule("n", "add", "ask")]);
    let said = warnings.warnings().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let wanted = "`rules[1]` (`n`) decides nothing: `rules[0]` (`w`) is for the same values of the \
                  same tools, and its effect is `deny`; take one of the two out";
    assert!(said.contains(wanted), "{said}");
}

#[test]
fn a_rule_that_still_says_something_is_left_alone() {
    let with = |mut rule: Value, key: &str, value: &str| {
        rule[key] = json!(value);
        rule
    };
    for pair in [
        [rule("w", "*", "ask"), rule("n", "add", "deny")],
        [rule("w", "*", "allow"), rule("n", "add", "ask")],
        [rule("w", "*", "ask"), rule("n", "add", "allow")],
        [rule("w", "add@1", "deny"), rule("n", "add", "ask")],
        [rule("w", "mcp://demo/*", "deny"), rule("n", "mcp://other/add", "ask")],
        [rule("w", "*", "deny"), with(rule("n", "add", "ask"), "op", "ne")],
        [rule("w", "*", "deny"), with(rule("n", "add", "ask"), "pointer", "/b")],
        [with(rule("w", "*", "deny"), "mode", "audit"), rule("n", "add", "ask")],
        [rule("w", "*", "deny"), with(rule("n", "add", "deny"), "reason", "a_word")],
        [rule("w", "mcp://demo/*", "deny"), rule("n", "mcp://other", "ask")],
        [rule("w", "sub", "deny"), rule("n", "mcp://demo/add", "ask")],
        [rule("w", "add@1", "deny"), rule("n", "mcp://demo/add@2", "ask")],
        // The same tools in two spellings.
        [rule("w", "mcp://demo/*", "deny"), rule("n", "mcp://demo", "deny")],
    ] {
        assert_eq!(shadowed(&pair), [""; 0], "{pair:?}");
    }
}

#[test]
fn a_word_for_the_caller_counts_only_where_it_is_the_narrower_rules_own() {
    let with_word = |id: &str, tool: &str| {
        let mut rule = rule(id, tool, "deny");
        rule["reason"] = json!("a_word");
        rule
    };
    for narrow in [rule("n", "add", "deny"), with_word("n", "add")] {
        assert_eq!(shadowed(&[with_word("w", "*"), narrow]), ["rules[1]"]);
    }
}

fn misfits(rule: &Value, schemas: &[(&str, Value)]) -> Vec<String> {
    let mut whole = json!({"id": "r", "tool": "*", "effect": "deny"});
    for (key, value) in rule.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let schemas: Vec<(&str, Arguments)> =
        schemas.iter().map(|(name, schema)| (*name, schema.as_object().unwrap().clone())).collect();
    let tools = schemas.iter().map(|(name, schema)| (*name, None, Some(schema)));
    let found = rules(&[whole]).warnings_for_schemas(None, tools);
    found.iter().map(|it| it.message.clone()).collect()
}

fn schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false,
        "properties": {
            "path": {"type": "string"},
            "size": {"type": "integer"},
            "env": {"type": "string", "enum": ["prod", "dev"]},
            "list": {"type": "array", "items": {"type": "number"}},
            "deep": {"type": "object", "properties": {"a": {"type": "string"}}},
            "ref": {"$ref": "#/$defs/x", "type": "string"},
            "any": {},
            "open": {"type": ["string", "null"]},
            "flag": {"type": "boolean"},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "number"}},
        },
    })
}

#[test]
fn a_rule_that_no_call_of_its_tools_can_match_is_named() {
    let text = "the argument is of `string`";
    for (rule, said) in [
        (json!({"pointer": "/pth", "op": "eq", "value": "x"}), "takes no argument by its schema"),
        (json!({"pointer": "/path/a", "op": "eq", "value": "x"}), "takes no argument"),
        (json!({"pointer": "/list/a", "op": "eq", "value": 1}), "takes no argument"),
        (json!({"pointer": "/path", "op": "gt", "value": 1}), text),
        (json!({"pointer": "/size", "op": "prefix", "value": "x"}), "of `number`"),
        (json!({"pointer": "/size", "op": "len_gt", "value": 1}), "of `number`"),
        (json!({"pointer": "/list/0", "op": "eq", "value": "x"}), "of `number`"),
        (json!({"pointer": "/path", "op": "in", "value": [1, 2]}), text),
        (json!({"pointer": "/path", "op": "type", "value": ["number"]}), "never matches"),
        (json!({"pointer": "/open", "op": "lt", "value": 1}), "of `string` or `null`"),
        (json!({"pointer": "/env", "op": "eq", "value": "prd"}), "matches none of the values"),
        (json!({"pointer": "/flag", "op": "prefix", "value": "x"}), "of `boolean`"),
        (json!({"pointer": "/deep", "op": "gt", "value": 1}), "of `object`"),
    ] {
        let found = misfits(&rule, &[("t", schema()), ("u", schema())]);
        assert_eq!(found.len(), 1, "{rule} {found:?}");
        assert!(found[0].contains(said), "{found:?}");
        // A tool of which nothing is known may be the one that it is for.
        assert_eq!(misfits(&rule, &[("t", schema()), ("u", json!({}))]), [""; 0], "{rule}");
    }
    let allow = json!({"pointer": "/path", "op": "gt", "value": 1, "effect": "allow"});
    assert!(misfits(&allow, &[("t", schema())])[0].ends_with("so it never matches"));
    let deny = json!({"pointer": "/path", "op": "gt", "value": 1});
    assert!(misfits(&deny, &[("t", schema())])[0].contains("is a `rule_error`"));
}

#[test]
fn what_is_not_certain_is_not_warned_of() {
    for rule in [
        json!({"pointer": "/path", "op": "prefix", "value": "x"}),
        json!({"pointer": "/debug", "op": "exists"}),
        json!({"pointer": "/any", "op": "gt", "value": 1}),
        json!({"pointer": "/any/b", "op": "gt", "value": 1}),
        json!({"pointer": "/ref", "op": "gt", "value": 1}),
        json!({"pointer": "/ref/x", "op": "gt", "value": 1}),
        json!({"pointer": "/deep/b", "op": "gt", "value": 1}),
        json!({"pointer": "/open", "op": "prefix", "value": "x"}),
        json!({"pointer": "/env", "op": "not_in", "value": ["prod", "dev"]}),
        json!({"pointer": "/size", "op": "type", "value": "integer"}),
        json!({"pointer": "/list/3", "op": "gt", "value": 1}),
        json!({"pointer": "", "op": "len_gt", "value": 1}),
        json!({"pointer": "/pair/0", "op": "eq", "value": "x"}),
        json!({"pointer": "/deep", "op": "len_gt", "value": 1}),
    ] {
        assert_eq!(misfits(&rule, &[("t", schema())]), [""; 0], "{rule}");
    }
    // All arguments are a map, whatever the schema says.
    let whole = json!({"pointer": "", "op": "type", "value": "object"});
    assert_eq!(misfits(&whole, &[("t", json!({"type": "string"}))]), [""; 0]);
    let open = json!({"properties": {"a": {}}});
    let pattern = json!({"additionalProperties": false, "patternProperties": {"^x": {}}});
    let referring = json!({"$ref": "#/$defs/a", "additionalProperties": false});
    for schema in [open, pattern, referring] {
        let rule = json!({"pointer": "/xyz", "op": "eq", "value": 1});
        assert_eq!(misfits(&rule, &[("t", schema)]), [""; 0]);
    }
}
