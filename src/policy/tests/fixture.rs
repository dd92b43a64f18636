//! Fixtures: what is read, and what is refused with its place.

use super::*;

fn read(text: &str) -> Result<Fixture, PolicyError> {
    Fixture::from_yaml_named(text, "f.yaml")
}

#[track_caller]
fn wrong(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn a_fixture_is_read_with_its_lines() {
    let fixture = read(
        "policy: ../policy.yaml\nserver_tools: tools.json\ntests:\n\
         - name: one\n  tool: mcp://demo/add@1.0\n  arguments: {a: 1, b: {c: [x, null]}}\n\
         \x20 idempotency_key: k\n  expect: {decision: deny, reason: r, reasons: [q, r]}\n\
         - {name: two, tool: 'mcp://demo/rm', expect: {decision: allow}}\n",
    )
    .unwrap();
    assert_eq!(fixture.policy.as_deref(), Some("../policy.yaml"));
    assert_eq!(fixture.server_tools.as_deref(), Some("tools.json"));
    let [one, two] = fixture.cases.as_slice() else { panic!("{fixture:?}") };
    assert_eq!((one.line, &*one.name, two.line, &*two.name), (4, "one", 9, "two"));
    let arguments = serde_json::to_value(&one.arguments).unwrap();
    assert_eq!(arguments, serde_json::json!({"a": 1, "b": {"c": ["x", null]}}));
    assert_eq!((one.idempotency_key.as_deref(), two.arguments.is_none()), (Some("k"), true));
    assert_eq!(
        serde_json::to_value(&one.expect).unwrap(),
        serde_json::json!({"decision": "deny", "reason": "r", "reasons": ["q", "r"]})
    );
    assert_eq!(
        serde_json::to_value(&two.expect).unwrap(),
        serde_json::json!({"decision": "allow"})
    );
}

#[test]
fn what_is_wrong_is_told_with_line_and_column_and_all_of_it() {
    let error = wrong(
        "tests:\n- name: a\n  tool: add\n  args: {}\n  expect: {decision: no}\n\
         - {tool: 'mcp://demo/*', name: '', expect: {}}\nmode: enforce\n",
    );
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "f.yaml:3:9: `tests[0].tool` is `add`, which names no server; write `mcp://server/tool@1.0`",
            "f.yaml:4:3: unknown key `args` in `tests[0]`; allowed here: `name`, `tool`, `arguments`, `idempotency_key`, `expect`",
            "f.yaml:5:22: `tests[0].expect.decision` must be one of `allow`, `would_deny`, `deny`, `ask`, found `no`",
            "f.yaml:6:10: `tests[1].tool` is `mcp://demo/*`, which may be several tools; name one, as `mcp://server/tool@1.0`",
            "f.yaml:6:32: `tests[1].name` must have at least one character",
            "f.yaml:6:36: missing key `decision` in `tests[1].expect`; it must be one of `allow`, `would_deny`, `deny`, `ask`",
            "f.yaml:7:1: unknown key `mode`; allowed here: `policy`, `server_tools`, `tests`",
        ]
    );
    assert!(wrong("tests: []").contains("with at least one entry"));
    assert!(wrong("").contains("a fixture must have `tests`"), "{}", wrong(""));
    assert!(wrong("tests: [{name: a, name: b}]").contains("a second time"));
    assert!(
        wrong("tests: [{name: a, tool: 'mcp://d/t', arguments: 1, expect: {decision: ask}}]")
            .contains("`tests[0].arguments` must be a map")
    );
    assert!(wrong("{").starts_with("f.yaml:"));
    assert!(wrong(&"[".repeat(100_000)).len() < 300);
}

#[test]
fn a_fixture_that_cannot_be_read_says_why() {
    let error = Fixture::from_file("no/such/file.yaml").unwrap_err();
    assert!(error.to_string().starts_with("no/such/file.yaml: cannot be read: "), "{error}");
}

#[test]
fn the_example_of_the_page_is_a_fixture() {
    let page = include_str!("../../../docs/policy.md");
    let example = page.split("```yml\n").nth(1).unwrap().split("```").next().unwrap();
    let lines: Vec<_> = read(example).unwrap().cases.iter().map(|case| case.line).collect();
    assert_eq!(lines, [5, 10, 17]);
}
