//! The table: every operator with values that match, that do not, and that it cannot read.

use super::*;
use crate::policy::{OpName, Operator, Reading, Ruling};
use Reading::{Met, Unmet, Unreadable};

/// An operator with its value, and for some arguments what it says of them.
struct Row(&'static str, Value, Vec<(Value, Reading)>);

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn table() -> Vec<Row> {
    let big = 9_007_199_254_740_993_u64;
    vec![
        Row(
            "eq",
            json!("rm"),
            vec![
                (json!("rm"), Met),
                (json!("RM"), Unmet),
                (json!("rm\u{0}"), Unmet),
                (json!(""), Unmet),
                (json!(5), Unreadable),
                (json!(null), Unreadable),
                (json!(["rm"]), Unreadable),
                (json!({"rm": "rm"}), Unreadable),
                (json!(true), Unreadable),
            ],
        ),
        Row(
            "eq",
            json!(5),
            vec![
                (json!(5), Met),
                (json!(5.0), Met),
                (json!(5.000_001), Unmet),
                (json!(-5), Unmet),
                (json!("5"), Unreadable),
                (json!(true), Unreadable),
            ],
        ),
        Row(
            "eq",
            json!(big),
            vec![
                (json!(big), Met),
                (json!(big - 1), Unmet),
                (json!(9_007_199_254_740_992.0), Unmet),
            ],
        ),
        Row(
            "eq",
            json!(true),
            vec![
                (json!(true), Met),
                (json!(false), Unmet),
                (json!("true"), Unreadable),
                (json!(1), Unreadable),
            ],
        ),
        Row("eq", json!(null), vec![(json!(null), Met), (json!("x"), Unmet), (json!([]), Unmet)]),
        Row(
            "eq",
            json!([1, {"b": 2.0, "c": null}]),
            vec![
                (json!([1.0, {"c": null, "b": 2}]), Met),
                (json!([1]), Unmet),
                (json!([1, {"b": 2, "c": null, "d": 1}]), Unmet),
                (json!("[1]"), Unreadable),
            ],
        ),
        // Composed and decomposed are two texts: nothing is normalised.
        Row("eq", json!("é"), vec![(json!("\u{e9}"), Met), (json!("e\u{301}"), Unmet)]),
        Row(
            "ne",
            json!("GET"),
            vec![(json!("POST"), Met), (json!("GET"), Unmet), (json!(["GET"]), Unreadable)],
        ),
        Row(
            "in",
            json!(["a", "b", 1]),
            vec![
                (json!("a"), Met),
                (json!("c"), Unmet),
                (json!(1.0), Met),
                (json!(2), Unmet),
                (json!(true), Unreadable),
                (json!(["a"]), Unreadable),
            ],
        ),
        // That `null` is in the list as well must not let pass what else is no text.
        Row(
            "in",
            json!(["rm", null]),
            vec![
                (json!("rm"), Met),
                (json!(null), Met),
                (json!("ls"), Unmet),
                (json!(["rm"]), Unreadable),
                (json!({"rm": 1}), Unreadable),
                (json!(1), Unreadable),
            ],
        ),
        Row("not_in", json!([null]), vec![(json!(null), Unmet), (json!(5), Met), (json!([]), Met)]),
        Row(
            "not_in",
            json!(["a", "b"]),
            vec![(json!("a"), Unmet), (json!("c"), Met), (json!(1), Unreadable)],
        ),
        Row(
            "prefix",
            json!("/etc/"),
            vec![
                (json!("/etc/passwd"), Met),
                (json!("/etc"), Unmet),
                (json!(" /etc/x"), Unmet),
                (json!("/ETC/x"), Unmet),
                (json!(["/etc/x"]), Unreadable),
                (json!(7), Unreadable),
            ],
        ),
        Row(
            "suffix",
            json!(".pem"),
            vec![(json!("a.pem"), Met), (json!("a.pem\n"), Unmet), (json!(null), Unreadable)],
        ),
        Row(
            "glob",
            json!("*.example.com/*"),
            vec![
                (json!("a.example.com/x/y"), Met),
                (json!("a.example.com"), Unmet),
                (json!({}), Unreadable),
            ],
        ),
        Row(
            "regex",
            json!("(?i)\\bdrop\\b"),
            vec![(json!("x; DROP table"), Met), (json!("dropping"), Unmet), (json!(1), Unreadable)],
        ),
        Row(
            "regex",
            json!("^a.c$"),
            vec![
                (json!("abc"), Met),
                (json!("abc\n"), Unmet),
                (json!("a\nc"), Unmet),
                (json!("xabc"), Unmet),
            ],
        ),
        Row(
            "gt",
            json!(100),
            vec![
                (json!(101), Met),
                (json!(100.000_000_1), Met),
                (json!(100), Unmet),
                (json!(-1e300), Unmet),
                (json!("101"), Unreadable),
                (json!([101]), Unreadable),
                (json!(true), Unreadable),
            ],
        ),
        Row("gt", json!(big - 1), vec![(json!(big), Met), (json!(big - 1), Unmet)]),
        Row("ge", json!(2.5), vec![(json!(2.5), Met), (json!(2), Unmet), (json!("3"), Unreadable)]),
        Row(
            "lt",
            json!(0),
            vec![(json!(-5e-324), Met), (json!(-0.0), Unmet), (json!(""), Unreadable)],
        ),
        Row(
            "le",
            json!(u64::MAX),
            vec![(json!(u64::MAX), Met), (json!(1e20), Unmet), (json!(null), Unreadable)],
        ),
        Row(
            "len_gt",
            json!(2),
            vec![
                (json!("ééé"), Met),
                (json!("éé"), Unmet),
                (json!([1, 2, 3]), Met),
                (json!([1, 2]), Unmet),
                (json!({"a": 1, "b": 2, "c": 3}), Met),
                (json!({}), Unmet),
                (json!(333), Unreadable),
                (json!(null), Unreadable),
                (json!(true), Unreadable),
            ],
        ),
        Row(
            "len_le",
            json!(0),
            vec![
                (json!(""), Met),
                (json!("a"), Unmet),
                (json!([]), Met),
                (json!({}), Met),
                (json!(0), Unreadable),
            ],
        ),
        Row("exists", json!(true), vec![(json!(null), Met), (json!(""), Met), (json!([]), Met)]),
        Row("exists", json!(false), vec![(json!(null), Unmet), (json!(0), Unmet)]),
        Row(
            "type",
            json!("string"),
            vec![(json!(""), Met), (json!(1), Unmet), (json!(null), Unmet)],
        ),
        Row("type", json!("number"), vec![(json!(1), Met), (json!(0.5), Met), (json!("1"), Unmet)]),
        Row(
            "type",
            json!("integer"),
            vec![
                (json!(1), Met),
                (json!(1.0), Met),
                (json!(1.5), Unmet),
                (json!(1e300), Met),
                (json!("1"), Unmet),
            ],
        ),
        Row(
            "type",
            json!(["boolean", "null"]),
            vec![(json!(false), Met), (json!(null), Met), (json!([]), Unmet)],
        ),
        Row("type", json!("array"), vec![(json!([]), Met), (json!({}), Unmet)]),
        Row("type", json!("object"), vec![(json!({}), Met), (json!([]), Unmet)]),
    ]
}

#[test]
fn every_operator_says_of_every_argument_what_the_table_says() {
    let table = table();
    assert!(OpName::ALL.iter().map(|op| op.as_str()).eq(OpName::WORDS.iter().copied()));
    for op in OpName::ALL {
        assert!(table.iter().any(|row| row.0 == op.as_str()), "no row of `{}`", op.as_str());
    }
    for Row(op, value, cases) in table {
        let operator = Operator::read(OpName::parse(op).unwrap(), Some(&value)).unwrap();
        for (argument, reading) in cases {
            let case = format!("{op} {value}: {argument}");
            assert_eq!(operator.holds_value(Some(&argument)), reading, "{case}");
            let found = if op == "exists" && value == json!(false) { Met } else { Unmet };
            assert_eq!(operator.holds_value(None), found, "{case}: nothing there");

            effects(op, &value, &argument, reading);
        }
    }
}

/// What a rule of each effect makes of it.
fn effects(op: &str, value: &Value, argument: &Value, reading: Reading) {
    let made = |effect: &str| {
        let policy = policy(&json!([rule("r", op, value, effect)]));
        let verdict = judge(&policy, &json!({"a": argument}));
        let found = words(&verdict).into_iter().next().map(str::to_owned);
        (verdict.ruling(), found)
    };
    let said = |ruling, word: &str| (ruling, Some(word.to_owned()));
    let nothing = (Ruling::Allow, None);
    let (deny, ask, allow) = match reading {
        Met => (said(Ruling::Deny, "rule_denied"), said(Ruling::Ask, "rule_denied"), nothing),
        Unmet => (nothing.clone(), nothing, said(Ruling::Deny, "no_rule_allows")),
        Unreadable => (
            said(Ruling::Deny, "rule_error"),
            said(Ruling::Deny, "rule_error"),
            said(Ruling::Deny, "no_rule_allows"),
        ),
    };
    let found = (made("deny"), made("ask"), made("allow"));
    assert_eq!(found, (deny, ask, allow), "{op} {value}: {argument}");
}

#[test]
fn a_rule_whose_pointer_finds_nothing_does_not_match() {
    for op in OpName::ALL {
        let value = match op {
            OpName::In | OpName::NotIn => json!([1]),
            OpName::Exists => json!(true),
            OpName::Type => json!("null"),
            OpName::Glob | OpName::Regex | OpName::Prefix | OpName::Suffix => json!("x"),
            OpName::Eq | OpName::Ne | OpName::LenGt | OpName::LenLe => json!(1),
            OpName::Gt | OpName::Ge | OpName::Lt | OpName::Le => json!(0),
        };
        let denying = policy(&json!([rule("r", op.as_str(), &value, "deny")]));
        for call in [json!({}), json!({"b": 1}), json!({"A": 1})] {
            assert_eq!(judge(&denying, &call), Verdict::allow(), "{}", op.as_str());
        }
        let allowing = policy(&json!([rule("r", op.as_str(), &value, "allow")]));
        assert_eq!(words(&judge(&allowing, &json!({}))), ["no_rule_allows"], "{}", op.as_str());
    }
    let absent = policy(&json!([rule("r", "exists", &json!(false), "deny")]));
    assert_eq!(words(&judge(&absent, &json!({}))), ["rule_denied"]);
    assert_eq!(judge(&absent, &json!({"a": null})), Verdict::allow());
}

#[test]
fn the_empty_pointer_is_all_arguments_and_none_are_an_empty_map() {
    let whole = |op: &str, value: Value| {
        let rule = json!([{"id": "r", "tool": "*", "pointer": "", "op": op, "value": value, "effect": "deny"}]);
        policy(&rule)
    };
    assert_eq!(
        words(&judge(&whole("len_gt", json!(1)), &json!({"a": 1, "b": 2}))),
        ["rule_denied"]
    );
    assert_eq!(judge(&whole("len_gt", json!(1)), &json!({"a": 1})), Verdict::allow());
    assert_eq!(words(&judge(&whole("eq", json!({"a": 1})), &json!({"a": 1.0}))), ["rule_denied"]);
    assert_eq!(words(&judge(&whole("prefix", json!("x")), &json!({}))), ["rule_error"]);
    let policy = whole("type", json!("object"));
    let tool = ToolRef::new("demo", "add", None);
    let operation = policy.operation(&Evidence::new(tool, Hints::default(), true));
    let verdict = policy.judge(&Asked::new(tool, operation));
    assert_eq!(words(&verdict), ["version_unpinned", "rule_denied"]);
}
