//! What rules say of a tool before anybody calls it.

use super::*;
use crate::policy::{Mode, Ruling};
use proptest::prelude::*;

fn tool() -> ToolRef<'static> {
    ToolRef::new("demo", "add", None)
}

fn rule(pointer: &str, test: &Value, effect: &str, mode: &str) -> Value {
    let mut rule = json!({"tool": "*", "pointer": pointer, "effect": effect, "mode": mode});
    let parts = [&mut rule, &mut test.clone()].map(|it| it.as_object().unwrap().clone());
    Value::Object(parts.into_iter().flatten().collect())
}

/// The same rules, each with an id.
fn named(rules: &[Value]) -> Value {
    let named = rules.iter().enumerate().map(|(at, rule)| {
        let mut rule = rule.clone();
        rule["id"] = json!(format!("r{at}"));
        rule
    });
    named.collect()
}

fn denies(rules: &[Value]) -> bool {
    policy(&named(rules)).rules().deny_everything(tool(), Mode::Enforce)
}

#[test]
fn rules_that_no_arguments_can_pass_are_seen() {
    let deny = |pointer, test| rule(pointer, &test, "deny", "enforce");
    for rules in [
        vec![deny("", json!({"op": "exists"}))],
        vec![deny("", json!({"op": "type", "value": "object"}))],
        vec![deny("", json!({"op": "prefix", "value": "a"}))],
        vec![deny("", json!({"op": "ne", "value": null}))],
        vec![rule("", &json!({"op": "gt", "value": 1}), "ask", "enforce")],
        vec![rule("", &json!({"op": "glob", "value": "a*"}), "allow", "enforce")],
        vec![
            deny("/a", json!({"op": "exists", "value": false})),
            deny("/a", json!({"op": "exists", "value": true})),
        ],
    ] {
        assert!(denies(&rules), "{rules:?}");
    }
}

#[test]
fn rules_that_some_arguments_pass_close_nothing() {
    let deny = |pointer, test| rule(pointer, &test, "deny", "enforce");
    for rules in [
        vec![deny("", json!({"op": "exists", "value": false}))],
        vec![deny("", json!({"op": "eq", "value": {"a": 1}}))],
        // All arguments are a map, but not all are this one.
        vec![deny("", json!({"op": "eq", "value": {}}))],
        vec![deny("", json!({"op": "ne", "value": {"a": 1}}))],
        vec![deny("", json!({"op": "len_gt", "value": 0}))],
        vec![deny("/a", json!({"op": "exists"}))],
        vec![deny("/a", json!({"op": "exists", "value": false}))],
        vec![
            deny("/a", json!({"op": "exists", "value": false})),
            deny("/b", json!({"op": "exists"})),
        ],
        vec![rule("", &json!({"op": "exists"}), "ask", "enforce")],
        vec![rule("", &json!({"op": "exists"}), "deny", "audit")],
        vec![rule("", &json!({"op": "exists"}), "allow", "enforce")],
        vec![rule("/a", &json!({"op": "eq", "value": 1}), "allow", "enforce")],
    ] {
        assert!(!denies(&rules), "{rules:?}");
    }
}

fn any_rule() -> impl Strategy<Value = Value> {
    let pointer = proptest::sample::select(&["", "/a", "/b"][..]);
    let test = proptest::sample::select(vec![
        json!({"op": "exists"}),
        json!({"op": "exists", "value": false}),
        json!({"op": "type", "value": ["object", "string"]}),
        json!({"op": "prefix", "value": "x"}),
        json!({"op": "eq", "value": {"a": "x"}}),
        json!({"op": "ne", "value": null}),
        json!({"op": "len_gt", "value": 1}),
        json!({"op": "le", "value": 2}),
    ]);
    let effect = proptest::sample::select(&["allow", "ask", "deny"][..]);
    let mode = proptest::sample::select(&["enforce", "audit"][..]);
    (pointer, test, effect, mode)
        .prop_map(|(pointer, test, effect, mode)| rule(pointer, &test, effect, mode))
}

fn any_arguments() -> impl Strategy<Value = Value> {
    let value = proptest::sample::select(vec![json!("x"), json!(1), json!(null), json!({"b": 1})]);
    proptest::collection::hash_map("[ab]", value, 0..3).prop_map(|map| json!(map))
}

proptest! {
    #[test]
    fn a_tool_that_is_closed_to_all_arguments_is_closed_to_each(
        rules in proptest::collection::vec(any_rule(), 0..5), arguments in any_arguments(),
    ) {
        if denies(&rules) {
            prop_assert_eq!(judge(&policy(&named(&rules)), &arguments).ruling(), Ruling::Deny);
        }
    }
}
