//! What a policy may say of arguments, and what is told whoever says something else.

use super::*;

/// The rule with one key set otherwise, or taken out.
fn other(key: &str, value: Option<Value>) -> Value {
    let mut rule = rule("r", "prefix", &json!("x"), "deny");
    match value {
        Some(value) => rule[key] = value,
        None => drop(rule.as_object_mut().unwrap().remove(key)),
    }
    json!([rule])
}

#[test]
fn a_value_that_does_not_suit_its_operator_is_refused_with_its_place() {
    let long = "x".repeat(2000);
    for (op, value, said) in [
        ("prefix", json!(5), "must be text for `prefix`, found a number"),
        ("prefix", json!(""), "is empty and would match every text"),
        ("suffix", json!(["a"]), "must be text for `suffix`, found a list"),
        ("glob", json!("[a]"), "has a `[`, which `glob` does not know"),
        ("glob", json!(long), "must be at most 1024 bytes for `glob`, found 2000"),
        ("regex", json!("("), "which is no regular expression: "),
        ("regex", json!("(?=a)"), "which is no regular expression: "),
        ("regex", json!(long), "must be at most 1024 bytes for `regex`, found 2000"),
        ("regex", json!("(a{500}){500}"), "takes too much memory"),
        ("gt", json!("5"), "must be a number for `gt`, found text"),
        ("gt", json!(1e300), "has a number with more digits"),
        ("eq", json!([1e300]), "has a number with more digits"),
        ("len_gt", json!(-1), "must be a whole number of at least 0 for `len_gt`, found `-1`"),
        ("len_le", json!(1.5), "must be a whole number of at least 0 for `len_le`, found `1.5`"),
        ("in", json!("a"), "must be a list of values for `in`, found text"),
        ("in", json!([]), "must be a list of 1 to 10000 values for `in`, found 0"),
        ("not_in", json!([]), "must be a list of 1 to 10000 values for `not_in`, found 0"),
        ("exists", json!("yes"), "must be `true` or `false` for `exists`, found text"),
        ("type", json!("text"), "must be a type, or a list of types, for `type`: `string`, "),
        ("type", json!([]), "must be a type, or a list of types"),
    ] {
        let found = wrong(&json!([rule("r", op, &value, "deny")]));
        assert!(
            found.contains(&format!("`rules[0].value` {said}")) || found.contains(said),
            "{op} {value}: {found}"
        );
        assert!(found.starts_with("policy.yaml:6:") && found.lines().count() == 1, "{found}");
        assert!(found.len() < 500, "{found}");
    }
}

#[test]
fn what_is_as_long_as_it_may_be_is_read_and_one_more_is_refused() {
    let is_read = |op: &str, value: Value| {
        wrong(&json!([rule("r", op, &value, "deny")])).starts_with("nothing is wrong")
    };
    let text = |length: usize| json!("x".repeat(length));
    let list = |length: usize| -> Value { (0..length).map(|at| json!(at)).collect() };
    for op in ["glob", "regex"] {
        assert!(is_read(op, text(1024)) && !is_read(op, text(1025)), "{op}");
    }
    assert!(is_read("in", list(10_000)));
    let found = wrong(&json!([rule("r", "in", &list(10_001), "deny")]));
    assert!(found.contains("must be a list of 1 to 10000 values for `in`, found 10001"), "{found}");
    let pointer = |length: usize| {
        wrong(&other("pointer", Some(json!(format!("/{}", "a".repeat(length - 1))))))
    };
    assert!(pointer(1024).starts_with("nothing is wrong"), "{}", pointer(1024));
    assert!(pointer(1025).contains("must be at most 1024 bytes, found 1025"), "{}", pointer(1025));
}

#[test]
fn a_key_of_a_rule_that_is_wrong_is_told_with_the_fix() {
    for (rules, said) in [
        (other("op", Some(json!("equals"))), "`rules[0].op` must be one of `eq`, `ne`, "),
        (other("op", None), "missing key `op` in `rules[0]`"),
        (other("value", None), "missing key `value` in `rules[0]`"),
        (
            other("pointer", Some(json!("a/b"))),
            "which is no JSON pointer; write one such as `/path`",
        ),
        (
            other("pointer", Some(json!("/a".repeat(600)))),
            "`rules[0].pointer` must be at most 1024 bytes, found 1200",
        ),
        (other("tool", Some(json!("add*"))), "where `*` does not stand for a whole server"),
        (
            other("effect", Some(json!("block"))),
            "`rules[0].effect` must be one of `allow`, `deny`, `ask`",
        ),
        (
            other("mode", Some(json!("observe"))),
            "`rules[0].mode` must be one of `enforce`, `audit`",
        ),
        (other("reason", Some(json!("No-Shell"))), "it must be a small letter and then 1 to 63"),
        (
            other("reason", Some(json!("handler_swap"))),
            "is `handler_swap`, which is a reason of sec0's own",
        ),
        (other("reason", Some(json!("idempotency_missing"))), "which is a reason of sec0's own"),
        (other("id", Some(json!(" "))), "`rules[0].id` must have at least one character"),
        (other("id", Some(json!("a\u{7}"))), "`rules[0].id` must not have control characters"),
        (other("when", Some(json!(1))), "unknown key `when` in `rules[0]`"),
    ] {
        assert!(wrong(&rules).contains(said), "{said}: {}", wrong(&rules));
    }
    let two =
        json!([rule("same", "eq", &json!(1), "deny"), rule("same", "gt", &json!("x"), "deny")]);
    let found = wrong(&two);
    assert!(found.contains("`rules[1].id` is `same` a second time, the first is at 6:"), "{found}");
    assert!(found.contains("`rules[1].value` must be a number for `gt`"), "{found}");
}

#[test]
fn no_reason_of_the_vocabulary_can_be_forged() {
    for reason in crate::call::Reason::ALL {
        let said = wrong(&other("reason", Some(json!(reason.as_str()))));
        let is_fine = said.starts_with("nothing is wrong");
        assert_eq!(is_fine, *reason == crate::call::Reason::RuleDenied, "{said}");
    }
}

#[test]
fn ten_thousand_rules_are_read_and_one_more_is_refused() {
    let rules = |count: usize| {
        let rules = (0..count).map(|at| {
            format!("- {{id: r{at}, tool: t{at}, pointer: /a, op: exists, effect: deny}}\n")
        });
        text("{mode: enforce}", &json!("RULES"))
            .replace("\"RULES\"", &format!("\n{}", rules.collect::<String>()))
    };
    let policy = Policy::from_yaml(&rules(10_000)).unwrap();
    assert_eq!(judge(&policy, &json!({"a": 1})), Verdict::allow());
    let error = Policy::from_yaml(&rules(10_001)).unwrap_err().to_string();
    assert!(error.contains("`rules` has 10001 entries, and a policy has at most 10000"), "{error}");
}

#[test]
fn a_thousand_regexes_are_read_and_one_more_is_refused() {
    let rules = |count: usize| -> Value {
        (0..count).map(|at| rule(&format!("r{at}"), "regex", &json!("a"), "deny")).collect()
    };
    assert!(wrong(&rules(1000)).starts_with("nothing is wrong"));
    let error = wrong(&rules(1002));
    assert!(
        error.contains("`rules[1000].op` is the 1001th `regex`, and a policy has at most 1000"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn an_explanation_has_a_row_for_each_rule_and_shows_no_argument() {
    let rules = json!([
        {"id": "no-etc", "tool": "add", "pointer": "/path", "op": "prefix", "value": "/etc/", "effect": "deny"},
        {"id": "small", "tool": "*", "pointer": "/size", "op": "le", "value": 10, "effect": "allow"},
        {"id": "other", "tool": "sub", "pointer": "/size", "op": "le", "value": 10, "effect": "deny"},
        {"id": "shy", "tool": "*", "pointer": "/path", "op": "exists", "effect": "ask", "mode": "audit"},
        {"id": "num", "tool": "*", "pointer": "/path", "op": "gt", "value": 1, "effect": "ask"},
    ]);
    let explained = explain(&policy(&rules), &json!({"path": "/etc/s3cret", "size": 77}));
    let report = serde_json::to_value(&explained).unwrap();
    assert!(
        !report.to_string().contains("s3cret") && !report.to_string().contains("77"),
        "{report:#}"
    );
    let rows = report["rules"].as_array().unwrap().iter();
    let rows: Vec<_> = rows
        .skip_while(|row| row["id"] != "no-etc")
        .map(|row| {
            (
                row["id"].as_str().unwrap(),
                row["matched"] == true,
                row["effect"].as_str().unwrap(),
                row["why"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("no-etc", true, "deny", "`rules[0]`: the argument `/path` begins with `\"/etc/\"`"),
            ("small", false, "allow", "`rules[1]`: the argument `/size` is more than `10`"),
            ("other", false, "deny", "`rules[2]` is for `sub`, not this tool"),
            (
                "shy",
                true,
                "would_deny",
                "`rules[3]`: the argument `/path` is there (`mode: audit`, so it never decides)"
            ),
            (
                "num",
                true,
                "deny",
                "`rules[4]`: the argument `/path` is of the type `string`, and `gt` reads numbers; that is refused"
            ),
            (
                "rules:/size",
                true,
                "deny",
                "no `allow` rule on `/size` matches; send a value that one of them takes, or add a rule"
            ),
        ]
    );
    assert_eq!((&report["decision"], &report["reason"]), (&json!("deny"), &json!("rule_denied")));
    let decided = report["rules"].as_array().unwrap().iter().filter(|row| row["decided"] == true);
    assert_eq!(decided.map(|row| &row["id"]).collect::<Vec<_>>(), ["no-etc"]);
}
