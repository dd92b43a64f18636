//! What follows from rules together: every combination, and what holds in any order.

use super::*;
use crate::policy::Ruling;
use proptest::prelude::*;
use proptest::sample::select;

/// How a rule is written and what the call does to it.
#[derive(Debug, Clone, Copy)]
struct Case {
    effect: &'static str,
    audit: bool,
    met: bool,
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for effect in ["allow", "ask", "deny"] {
        for audit in [false, true] {
            for met in [false, true] {
                all.push(Case { effect, audit, met });
            }
        }
    }
    all
}

/// The rules of these cases, on one pointer.
fn rules(cases: &[Case]) -> Value {
    let rules = cases.iter().enumerate().map(|(at, case)| {
        let value = if case.met { json!("x") } else { json!("y") };
        let mode = if case.audit { "audit" } else { "enforce" };
        json!({
            "id": format!("r{at}"), "tool": "*", "pointer": "/a", "op": "eq", "value": value,
            "effect": case.effect, "mode": mode, "reason": format!("token_{at}")
        })
    });
    Value::Array(rules.collect())
}

/// The definition, written for reading.
fn expected(cases: &[Case], enforces: bool, other: Option<Ruling>) -> Ruling {
    let some = |effect: &str, audit: bool, met: bool| {
        cases.iter().any(|case| case.effect == effect && case.audit == audit && case.met == met)
    };
    let is_closed =
        (some("allow", false, false) || some("allow", false, true)) && !some("allow", false, true);
    let would_close = !(some("allow", false, false) || some("allow", false, true))
        && some("allow", true, false)
        && !some("allow", true, true);
    let strongest = if some("deny", false, true) || is_closed {
        Ruling::Deny
    } else if some("ask", false, true) {
        Ruling::Ask
    } else if some("deny", true, true) || some("ask", true, true) || would_close {
        Ruling::WouldDeny
    } else {
        Ruling::Allow
    };
    let held = if enforces { strongest } else { strongest.min(Ruling::WouldDeny) };
    held.max(other.unwrap_or(Ruling::Allow))
}

#[test]
fn every_combination_of_two_rules_mode_and_other_reasons_rules_as_defined() {
    let all = cases();
    let mut seen = 0;
    let call = json!({"a": "x"});
    for one in &all {
        for two in all.iter().map(Some).chain([None]) {
            let held: Vec<_> = [Some(one), two].into_iter().flatten().copied().collect();
            // With an unlisted tool the allowlist finds something, in `deny_on` or not.
            for (enforcement, enforces, listed, other) in [
                ("{mode: enforce}", true, true, None),
                ("{mode: observe}", false, true, None),
                ("{}", false, true, None),
                ("{deny_on: [version_unpinned]}", true, true, None),
                ("{mode: enforce}", true, false, Some(Ruling::WouldDeny)),
                ("{deny_on: [tool_not_in_allowlist]}", true, false, Some(Ruling::Deny)),
                (
                    "{mode: observe, deny_on: [tool_not_in_allowlist]}",
                    false,
                    false,
                    Some(Ruling::WouldDeny),
                ),
            ] {
                let text = text(enforcement, &rules(&held));
                let text =
                    if listed { text } else { text.replace("mcp://demo/*", "mcp://other/*") };
                let policy = Policy::from_yaml(&text).unwrap();
                let verdict = judge(&policy, &call);
                let case = format!("{enforcement} {held:?}");
                assert_eq!(verdict.ruling(), expected(&held, enforces, other), "{case}");
                assert_eq!(
                    verdict.reasons().is_empty(),
                    verdict.ruling() == Ruling::Allow,
                    "{case}"
                );

                // The explanation says the same, and marks one rule that decided.
                let explained = explain(&policy, &call);
                assert_eq!(explained.decision(), verdict.ruling(), "{case}");
                assert_eq!(explained.found(), verdict.decided_by(), "{case}");
                let decided: Vec<_> = explained.rules().iter().filter(|row| row.decided).collect();
                assert_eq!(decided.len(), 1, "{case}: {decided:?}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 12 * 13 * 7);
}

#[test]
fn a_rule_that_denies_names_itself_with_its_own_word() {
    let rules = json!([
        {"id": "one", "tool": "*", "pointer": "/a", "op": "eq", "value": "x", "effect": "deny", "mode": "audit"},
        {"id": "two", "tool": "*", "pointer": "/a", "op": "eq", "value": "x", "effect": "ask", "reason": "careful"},
        {"id": "three", "tool": "*", "pointer": "/a", "op": "prefix", "value": "x", "effect": "deny", "reason": "no_x"},
        {"id": "four", "tool": "*", "pointer": "/a", "op": "suffix", "value": "x", "effect": "deny", "reason": "no_x"},
        {"id": "five", "tool": "*", "pointer": "/a", "op": "gt", "value": 1, "effect": "deny", "reason": "unread"},
    ]);
    let verdict = judge(&policy(&rules), &json!({"a": "x"}));
    assert_eq!(verdict.ruling(), Ruling::Deny);
    assert_eq!(words(&verdict), ["rule_denied", "careful", "no_x", "rule_error"]);
    assert_eq!(&*verdict.decided_by().unwrap().rule().unwrap().id, "three");
    let ids: Vec<_> = verdict.rules().iter().map(|rule| &*rule.id).collect();
    assert_eq!(ids, ["one", "two", "three", "four", "five"]);
}

#[test]
fn each_pointer_is_closed_on_its_own() {
    let allow = |id: &str, pointer: &str, value: &str| json!({"id": id, "tool": "add", "pointer": pointer, "op": "eq", "value": value, "effect": "allow"});
    let rules = json!([allow("1", "/a", "x"), allow("2", "/b", "y"), allow("3", "/a", "z")]);
    let policy = policy(&rules);
    for (call, ruling, by) in [
        (json!({"a": "x", "b": "y"}), Ruling::Allow, None),
        (json!({"a": "z", "b": "y", "c": 1}), Ruling::Allow, None),
        (json!({"a": "x", "b": "x"}), Ruling::Deny, Some("2")),
        (json!({"a": "x"}), Ruling::Deny, Some("2")),
        (json!({"a": "y", "b": "y"}), Ruling::Deny, Some("1")),
        (json!({}), Ruling::Deny, Some("1")),
        (json!({"a": ["x"], "b": "y"}), Ruling::Deny, Some("1")),
    ] {
        let verdict = judge(&policy, &call);
        let id = verdict.decided_by().and_then(|found| found.rule()).map(|rule| &*rule.id);
        assert_eq!((verdict.ruling(), id), (ruling, by), "{call}");
    }
}

#[test]
fn rules_for_other_tools_say_nothing() {
    for (tool, matches) in [
        ("*", true),
        ("mcp://demo", true),
        ("mcp://demo/add", true),
        ("mcp://demo/add@1.0", true),
        ("add", true),
        ("add@*", true),
        ("mcp://*/add@1.0", true),
        ("mcp://demo/add@2.0", false),
        ("mcp://other/*", false),
        ("mcp://demo/Add", false),
        ("sub", false),
    ] {
        let rules =
            json!([{"id": "r", "tool": tool, "pointer": "/a", "op": "exists", "effect": "deny"}]);
        let verdict = judge(&policy(&rules), &json!({"a": 1}));
        assert_eq!(verdict.ruling() == Ruling::Deny, matches, "{tool}");
    }
}

#[test]
fn of_a_thousand_rules_that_match_sixty_four_are_named_and_the_last_still_denies() {
    let mut all: Vec<_> =
        (0..1000).map(|at| rule(&format!("w{at}"), "eq", &json!("x"), "ask")).collect();
    all.push(rule("last", "eq", &json!("x"), "deny"));
    let verdict = judge(&policy(&Value::Array(all)), &json!({"a": "x"}));
    assert_eq!(verdict.ruling(), Ruling::Deny);
    assert_eq!(&*verdict.decided_by().unwrap().rule().unwrap().id, "last");
    assert_eq!(verdict.rules().len(), 65);
}

fn any_rule() -> impl Strategy<Value = Value> {
    let op = select(vec![
        ("eq", json!("x")),
        ("ne", json!("x")),
        ("prefix", json!("x")),
        ("gt", json!(1)),
        ("exists", json!(true)),
        ("exists", json!(false)),
        ("type", json!("string")),
        ("len_gt", json!(0)),
    ]);
    (
        select(vec!["*", "add", "mcp://demo/*", "sub"]),
        select(vec!["/a", "/b", ""]),
        op,
        select(vec!["allow", "ask", "deny"]),
        select(vec!["enforce", "audit"]),
    )
        .prop_map(|(tool, pointer, (op, value), effect, mode)| {
            json!({"tool": tool, "pointer": pointer, "op": op, "value": value, "effect": effect, "mode": mode})
        })
}

fn named(rules: &[Value]) -> Value {
    let named = rules.iter().enumerate().map(|(at, rule)| {
        let mut rule = rule.clone();
        rule["id"] = json!(format!("r{at}"));
        rule
    });
    Value::Array(named.collect())
}

fn any_call() -> impl Strategy<Value = Value> {
    select(vec![
        json!({}),
        json!({"a": "x"}),
        json!({"a": "y", "b": "x"}),
        json!({"a": 2}),
        json!({"b": [1]}),
        json!({"a": null, "b": 0}),
    ])
}

proptest! {
    #[test]
    fn deny_dominates_whatever_the_order_of_the_rules(
        rules in proptest::collection::vec(any_rule(), 1..6), call in any_call(), turn in 0_usize..6
    ) {
        let mut turned = rules.clone();
        let by = turn % rules.len();
        turned.rotate_left(by);
        turned.reverse();
        let (one, other) = (judge(&policy(&named(&rules)), &call), judge(&policy(&named(&turned)), &call));
        prop_assert_eq!(one.ruling(), other.ruling());
        let sorted = |verdict: &Verdict| {
            let mut words: Vec<_> = words(verdict).into_iter().map(str::to_owned).collect();
            words.sort();
            words
        };
        prop_assert_eq!(sorted(&one), sorted(&other));
        // A rule that denies by itself denies in any company.
        for rule in rules.iter().filter(|rule| rule["effect"] == "deny") {
            if judge(&policy(&named(std::slice::from_ref(rule))), &call).ruling() == Ruling::Deny {
                prop_assert_eq!(one.ruling(), Ruling::Deny);
            }
        }
    }

    #[test]
    fn an_allow_rule_lifts_no_denial_but_that_of_its_own_pointer(
        rules in proptest::collection::vec(any_rule(), 0..6), mut more in any_rule(), call in any_call()
    ) {
        more["effect"] = json!("allow");
        let mut all = rules.clone();
        all.push(more);
        let (before, after) = (judge(&policy(&named(&rules)), &call), judge(&policy(&named(&all)), &call));
        for found in words(&before).iter().filter(|word| **word != "no_rule_allows") {
            prop_assert!(words(&after).contains(found));
        }
        let others = |verdict: &Verdict| words(verdict) != ["no_rule_allows"];
        if before.ruling() == Ruling::Deny && others(&before) && before.deciding() != Some(crate::call::Reason::NoRuleAllows) {
            prop_assert_eq!(after.ruling(), Ruling::Deny);
        }
    }

    #[test]
    fn a_rule_in_audit_never_changes_what_becomes_of_a_call(
        rules in proptest::collection::vec(any_rule(), 0..5), mut more in any_rule(), call in any_call()
    ) {
        more["mode"] = json!("audit");
        let mut all = rules.clone();
        all.push(more);
        let ruling = |rules: &[Value]| judge(&policy(&named(rules)), &call).ruling();
        let runs = |ruling: Ruling| ruling <= Ruling::WouldDeny;
        let (before, after) = (ruling(&rules), ruling(&all));
        prop_assert_eq!(runs(before), runs(after));
        prop_assert!(before == after || before.max(after) == Ruling::WouldDeny);
    }
}
