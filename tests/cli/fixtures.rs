//! `sec0 policy test`, and what `sec0 policy check` says of tools and rules.

use super::Desk;
use serde_json::{Value, json};

const POLICY: &str = "\
tenant: acme
default_retention: 30d
signing: {enabled: true, key_ref: file://keys/nobody-made-this.key}
tools: {allowlist: ['mcp://demo/add@1.0', 'mcp://demo/put']}
enforcement: {deny_on: [tool_not_in_allowlist, missing_idempotency_for_side_effect, fs_violation]}
side_effects: {require_idempotency_key: true}
security: {fs_allowlist: ['/data/*']}
rules:
  - {id: big, tool: add, pointer: /a, op: gt, value: 100, effect: ask}
";

/// What a server answers to `tools/list`.
const TOOLS: &str = r#"{"tools": [
    {"name": "add", "inputSchema": {"type": "object", "additionalProperties": false,
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
     "annotations": {"readOnlyHint": true}, "_meta": {"sec0/version": "1.0"}},
    {"name": "put", "inputSchema": {"type": "object"}, "_meta": {"sec0/version": "1.0"}}
]}"#;

const HOLDS: &str = "\
policy: ../policy.yaml
server_tools: ../tools.json
tests:
  - name: adding is allowed
    tool: mcp://demo/add@1.0
    arguments: {a: 1, b: 2}
    expect: {decision: allow, reasons: []}
  - name: large numbers are asked for
    tool: mcp://demo/add
    arguments: {a: 101, b: 2}
    expect: {decision: ask, reason: rule_denied}
  - name: putting wants a key
    tool: mcp://demo/put@1.0
    arguments: {path: /data/a}
    expect: {decision: deny, reason: missing_idempotency_for_side_effect}
  - name: putting elsewhere is refused
    tool: mcp://demo/put@1.0
    arguments: {path: /data/../etc/a}
    expect:
      decision: deny
      reasons: [missing_idempotency_for_side_effect, fs_violation]
  - name: with a key it is allowed
    tool: mcp://demo/put@1.0
    arguments: {path: /data/a}
    idempotency_key: k-1
    expect: {decision: allow}
  - name: no such tool
    tool: mcp://demo/sub
    expect: {decision: deny, reason: unknown_tool}
";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    desk.write("tools.json", TOOLS);
    std::fs::create_dir(desk.path("t")).unwrap();
    desk
}

#[test]
fn tests_that_hold_end_well_and_no_key_is_opened() {
    let desk = desk();
    desk.write("t/a.yaml", HOLDS);
    let run = desk.run(&["policy", "test", "t"]).ended(0);
    assert_eq!(run.out, "6 tests in 1 files: all hold\n");
    let report = desk.run(&["policy", "test", "t", "--json"]).ended(0).json();
    let rows = report.as_array().unwrap();
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row["ok"] == true));
    assert_eq!(
        rows[1],
        json!({
            "file": "t/a.yaml", "name": "large numbers are asked for", "line": 8, "ok": true,
            "expected": {"decision": "ask", "reason": "rule_denied"},
            "got": {
                "decision": "ask", "reason": "rule_denied", "reasons": ["rule_denied"], "rule": "big",
            },
        })
    );
    assert!(!desk.path("keys").exists());
}

#[test]
fn a_test_that_does_not_hold_is_told_on_one_line_with_what_decided() {
    let desk = desk();
    let broken = HOLDS.replace("reasons: []", "reasons: [version_unpinned]");
    desk.write(
        "t/b.yaml",
        &broken.replace("{decision: ask, reason: rule_denied}", "{decision: deny}"),
    );
    desk.write("t/a.yml", HOLDS);
    let run = desk.run(&["policy", "test", "t"]).ended(1);
    let lines: Vec<_> = run.out.lines().collect();
    assert_eq!(
        lines,
        [
            "t/b.yaml:4: adding is allowed: expected allow with [version_unpinned], got allow with \
             []; by `tools.allowlist[0]`: `mcp://demo/add@1.0` matches the tool in this version",
            "t/b.yaml:8: large numbers are asked for: expected deny, got ask for rule_denied; by \
             `big`: `rules[0]`: the argument `/a` is more than `100`",
        ]
    );
    assert_eq!(run.err, "12 tests in 2 files: 2 do not hold\n");
    let report = desk.run(&["policy", "test", "t", "--json"]).ended(1).json();
    let rows = report.as_array().unwrap();
    let files: Vec<_> = rows.iter().map(|row| row["file"].as_str().unwrap()).collect();
    assert!(files.is_sorted() && files.len() == 12, "{files:?}");
    assert_eq!(rows.iter().filter(|row| row["ok"] == false).count(), 2);
}

#[test]
fn a_verdict_is_the_one_that_explain_gives() {
    let desk = desk();
    for (tool, arguments, key) in [
        ("mcp://demo/add@1.0", json!({"a": 500}), None),
        ("mcp://demo/put@1.0", json!({"path": "/etc/a"}), Some("k")),
        ("mcp://demo/put@1.0", json!({"path": "/data/a"}), Some("")),
        ("mcp://demo/rm@1.0", json!({}), None),
    ] {
        let mut test = json!({
            "name": "t", "tool": tool, "arguments": arguments, "expect": {"decision": "allow"},
        });
        let given = arguments.to_string();
        let mut explain = vec![
            "policy",
            "explain",
            "policy.yaml",
            "--tool",
            tool,
            "--args",
            &given,
            "--server-tools",
            "tools.json",
            "--json",
        ];
        if let Some(key) = key {
            test["idempotency_key"] = json!(key);
            explain.extend(["--idempotency-key", key]);
        }
        let fixture = json!({
            "policy": "../policy.yaml", "server_tools": "../tools.json", "tests": [test],
        });
        desk.write("t/a.yaml", &fixture.to_string());
        let explained = desk.run(&explain).ended(0).json();
        let run = desk.run(&["policy", "test", "t", "--json"]);
        let got = run.json()[0]["got"].clone();
        for key in ["decision", "reason", "reasons"] {
            assert_eq!(got[key], explained[key], "{tool} {arguments}");
        }
        let rules = explained["rules"].as_array().unwrap();
        let decided = rules.iter().find(|rule| rule["decided"] == true);
        assert_eq!(got["rule"], decided.map_or(Value::Null, |rule| rule["id"].clone()));
    }
}

#[test]
fn one_policy_for_all_wins_and_may_lie_among_the_tests() {
    let desk = desk();
    desk.write("t/a.yaml", &HOLDS.replace("policy: ../policy.yaml\n", ""));
    let run = desk.run(&["policy", "test", "t"]).ended(2);
    assert!(run.err.contains("t/a.yaml: names no policy; write `policy: FILE`"), "{}", run.err);
    desk.run(&["policy", "test", "t", "--policy", "policy.yaml"]).ended(0);
    desk.write("t/policy.yaml", POLICY);
    desk.run(&["policy", "test", "t", "--policy", "t/policy.yaml"]).ended(0);
    desk.write("t/a.yaml", &HOLDS.replace("../policy.yaml", "policy.yaml"));
    desk.run(&["policy", "test", "t"]).ended(0);
    desk.run(&["policy", "test", "t", "--policy", "policy.yaml"]).ended(0);
    desk.write("closed.yaml", &POLICY.replace("'mcp://demo/put'", "echo"));
    let run = desk.run(&["policy", "test", "t", "--policy", "closed.yaml"]).ended(1);
    assert!(run.err.ends_with("3 do not hold\n"), "{} {}", run.out, run.err);
}

#[test]
fn a_directory_in_which_nothing_is_tested_is_no_success() {
    let desk = desk();
    for dir in ["t", "nowhere", "policy.yaml"] {
        let run = desk.run(&["policy", "test", dir]).ended(2);
        assert!(run.err.starts_with("sec0: "), "{}", run.err);
    }
    desk.write("t/.hidden.yaml", HOLDS);
    desk.write("t/notes.txt", HOLDS);
    assert!(desk.run(&["policy", "test", "t"]).ended(2).err.contains("nothing was tested"));
    desk.write("t/a.yaml", "policy: ../policy.yaml\ntests: []\n");
    let run = desk.run(&["policy", "test", "t"]).ended(2);
    assert!(run.err.contains("t/a.yaml:2:8: `tests` must be a list of maps with"), "{}", run.err);
}

#[test]
fn what_cannot_be_read_is_told_with_its_place_before_anything_runs() {
    let desk = desk();
    desk.write("t/a.yaml", HOLDS);
    desk.write("t/b.yaml", &HOLDS.replace("arguments: {a: 1, b: 2}", "argument: {a: 1}"));
    desk.write("t/c.yaml", "{");
    let run = desk.run(&["policy", "test", "t", "--json"]).ended(2);
    assert!(run.out.is_empty(), "{}", run.out);
    assert!(run.err.contains("t/b.yaml:6:5: unknown key `argument`"), "{}", run.err);
    assert!(run.err.contains("t/c.yaml:"), "{}", run.err);
    for name in ["b", "c"] {
        std::fs::remove_file(desk.path(&format!("t/{name}.yaml"))).unwrap();
    }
    for (key, file) in [("policy", "gone.yaml"), ("server_tools", "gone.json")] {
        let other = if key == "policy" { "../policy.yaml" } else { "../tools.json" };
        desk.write("t/a.yaml", &HOLDS.replace(other, file));
        let run = desk.run(&["policy", "test", "t"]).ended(2);
        assert!(run.err.contains(&format!("t/{file}: cannot be read")), "{}", run.err);
    }
    desk.write("t/bad.txt", "tenant: 7\n");
    desk.write("t/a.yaml", &HOLDS.replace("../policy.yaml", "bad.txt"));
    let run = desk.run(&["policy", "test", "t"]).ended(2);
    assert!(run.err.contains("the policy is not valid\nt/bad.txt:"), "{}", run.err);
}

#[test]
fn a_link_out_of_the_directory_is_refused_and_one_within_is_read() {
    let desk = desk();
    desk.write("t/a.yaml", HOLDS);
    std::os::unix::fs::symlink("a.yaml", desk.path("t/b.yaml")).unwrap();
    let run = desk.run(&["policy", "test", "t"]).ended(0);
    assert_eq!(run.out, "12 tests in 2 files: all hold\n");
    desk.write("outside.yaml", HOLDS);
    for target in ["../outside.yaml", "gone"] {
        std::fs::remove_file(desk.path("t/b.yaml")).unwrap();
        std::os::unix::fs::symlink(target, desk.path("t/b.yaml")).unwrap();
        let run = desk.run(&["policy", "test", "t"]).ended(2);
        assert!(run.err.contains("t/b.yaml: is a link that leads out"), "{}", run.err);
    }
}

#[test]
fn too_many_fixtures_are_refused_and_a_pipe_holds_nothing_up() {
    let desk = desk();
    for at in 0..=1000 {
        desk.write(&format!("t/{at}.yaml"), "");
    }
    assert!(desk.run(&["policy", "test", "t"]).ended(2).err.contains("more than 1000 fixtures"));
    let desk = self::desk();
    let pipe = desk.path("t/a.yaml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(desk.run(&["policy", "test", "t"]).ended(2).err.contains("not a regular file"));
}

#[test]
fn paths_are_compared_by_their_letters_so_that_every_machine_agrees() {
    let desk = desk();
    let home = desk.path("").canonicalize().unwrap();
    std::fs::create_dir(desk.path("in")).unwrap();
    std::os::unix::fs::symlink("/etc", desk.path("in/out")).unwrap();
    let inside = home.join("in");
    desk.write("policy.yaml", &POLICY.replace("/data/*", &format!("{}/*", inside.display())));
    let path = inside.join("out/passwd");
    let test = json!({
        "name": "t", "tool": "mcp://demo/put@1.0", "arguments": {"path": path},
        "idempotency_key": "k", "expect": {"decision": "allow"},
    });
    desk.write("t/a.yaml", &json!({"policy": "../policy.yaml", "tests": [test]}).to_string());
    desk.run(&["policy", "test", "t"]).ended(0);
}

#[test]
fn warnings_are_a_failure_where_that_is_asked_for() {
    let desk = desk();
    desk.run(&["policy", "check", "policy.yaml"]).ended(0);
    desk.write("warned.yaml", &POLICY.replace("fs_allowlist: ['/data/*']", ""));
    let run = desk.run(&["policy", "check", "warned.yaml"]).ended(0);
    assert!(run.out.contains("`fs_violation`, which nothing raises without"), "{}", run.out);
    let count = run.out.lines().filter(|line| line.starts_with("warning: ")).count();
    let run = desk.run(&["policy", "check", "warned.yaml", "--deny-warnings"]).ended(1);
    assert!(run.err.starts_with(&format!("warned.yaml: {count} warnings")), "{}", run.err);
    let run = desk.run(&["policy", "check", "warned.yaml", "--deny-warnings", "--json"]).ended(1);
    assert_eq!(run.json()["valid"], true);
}

#[test]
fn rules_that_the_tools_schemas_make_pointless_are_warned_of() {
    let desk = desk();
    let arguments = ["policy", "check", "policy.yaml", "--server-tools", "tools.json"];
    let run = desk.run(&arguments).ended(0);
    assert!(!run.out.contains("schema"), "{}", run.out);
    desk.write("policy.yaml", &POLICY.replace("pointer: /a,", "pointer: /aa,"));
    let run = desk.run(&arguments).ended(0);
    let said = "policy.yaml:9:5: `rules[0].pointer` (of `big`) is `/aa`, where the tool `add` takes \
                no argument by its schema";
    assert!(run.out.contains(said), "{}", run.out);
    // Another server's tools are nothing to it.
    desk.write(
        "policy.yaml",
        &POLICY.replace("tool: add, pointer: /a,", "tool: mcp://x/add, pointer: /b/c,"),
    );
    let run = desk.run(&[&arguments[..], &["--server", "demo"]].concat()).ended(0);
    assert!(!run.out.contains("schema"), "{}", run.out);
}
