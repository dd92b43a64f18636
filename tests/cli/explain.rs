//! `sec0 policy explain`, and `sec0 policy check --server-tools`.

use super::Desk;
use serde_json::{Value, json};

const POLICY: &str = "\
tenant: acme
default_retention: 30d
signing: {enabled: true, key_ref: file://keys/nobody-made-this.key}
tools:
  allowlist: ['mcp://demo/add@1.0', 'mcp://demo/write_file', 'mcp://demo/look']
  overrides: [{tool: 'mcp://demo/compute', op: read, side_effect: false}]
security: {limits: {max_payload_kb: 1}}
side_effects: {require_idempotency_key: true}
enforcement:
  deny_on: [tool_not_in_allowlist, missing_idempotency_for_side_effect, payload_too_large]
";

/// The transcript of `docs/policy.md`.
const REFUSED: &str = "\
deny: mcp://demo/write_file@1.0, for missing_idempotency_for_side_effect
  op update, side effect, by annotations
  policy.yaml: mode enforce
   no  deny       security.limits.max_payload_kb: at most 1024 bytes of arguments; as canonical JSON there are 23
   no  deny       registry: the server's list has the tool `write_file`
   no  classify   tools.overrides[0]: `mcp://demo/compute` does not match
   yes classify   annotations: they say: op `update`, side effect
   no  classify   name: a stronger source has said it
   no  allow      tools.allowlist[0]: `mcp://demo/add@1.0` does not match
   yes allow      tools.allowlist[1]: `mcp://demo/write_file` matches the tool in any version
   no  allow      tools.allowlist[2]: `mcp://demo/look` does not match
   no  deny       tools.allowlist: `tools.allowlist[1]` allows the tool
   no  would_deny tools.deny_if_unpinned_version: the version `1.0` is pinned: it starts with a digit
=> yes deny       side_effects.require_idempotency_key: the call has a side effect and no idempotency key
   no  would_deny security.limits.max_duration_ms: the time of a call is not limited
";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    let tool = |name: &str, annotations: Value| {
        json!({
            "name": name, "inputSchema": {"type": "object"}, "annotations": annotations,
            "_meta": {"sec0/version": "1.0"},
        })
    };
    let tools = json!([
        tool("add", json!({"readOnlyHint": true})),
        tool("write_file", json!({"destructiveHint": true})),
        tool("wr\u{ef}te", json!({"readOnlyHint": true})),
    ]);
    desk.write(
        "tools.json",
        &json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string(),
    );
    desk
}

/// The report on a call of this tool.
fn explained(desk: &Desk, tool: &str, more: &[&str]) -> Value {
    let words = ["policy", "explain", "policy.yaml", "--json", "--tool", tool];
    desk.run(&[&words, more].concat()).ended(0).json()
}

const TOOLS: [&str; 2] = ["--server-tools", "tools.json"];

#[test]
fn a_refused_call_is_explained_as_the_page_shows_it_and_no_key_is_opened() {
    let desk = desk();
    let words = ["policy", "explain", "policy.yaml", "--tool", "mcp://demo/write_file"];
    let arguments = ["--args", r#"{"path": "a", "text": "b"}"#];
    let run = desk.run(&[&words[..], &TOOLS, &arguments].concat()).ended(0);
    assert_eq!(run.out, REFUSED);
    assert!(include_str!("../../docs/policy.md").contains(REFUSED), "docs/policy.md");
    assert!(!desk.path("keys").exists());
}

#[test]
fn the_report_has_the_members_that_scripts_read() {
    let desk = desk();
    let report = explained(&desk, "mcp://demo/write_file@1.0", &TOOLS);
    let members: Vec<_> = report.as_object().unwrap().keys().cloned().collect();
    let expected = [
        "asks",
        "decision",
        "digest",
        "mode",
        "notes",
        "op",
        "op_basis",
        "reason",
        "reasons",
        "rules",
        "side_effect",
        "tool",
    ];
    assert_eq!(members, expected);
    assert_eq!(report["decision"], "deny");
    assert_eq!(report["reasons"], json!(["missing_idempotency_for_side_effect"]));
    let decided: Vec<_> =
        report["rules"].as_array().unwrap().iter().filter(|rule| rule["decided"] == true).collect();
    assert_eq!(decided.len(), 1);
    assert_eq!(decided[0]["id"], "side_effects.require_idempotency_key");
    for member in ["id", "matched", "effect", "why"] {
        assert!(decided[0].get(member).is_some(), "{member}");
    }
}

#[test]
fn every_decision_ends_with_status_0() {
    let desk = desk();
    let large = json!({"text": "x".repeat(3000)}).to_string();
    for (tool, more, decision, reason) in [
        ("mcp://demo/add@1.0", &[][..], "allow", Value::Null),
        ("mcp://demo/write_file@1.0", &["--idempotency-key", "k"], "allow", Value::Null),
        ("mcp://demo/look@1.0", &[], "allow", Value::Null),
        ("mcp://demo/look", &[], "would_deny", json!("version_unpinned")),
        ("mcp://demo/rm@1", &[], "deny", json!("tool_not_in_allowlist")),
        ("mcp://demo/add@1.0", &["--args", &large], "deny", json!("payload_too_large")),
    ] {
        let report = explained(&desk, tool, more);
        assert_eq!((&report["decision"], &report["reason"]), (&json!(decision), &reason), "{tool}");
    }
    // Without the list nothing is known of annotations, and the report says so.
    let notes = explained(&desk, "mcp://demo/add@1.0", &[])["notes"].to_string();
    assert!(notes.contains("without `--server-tools`"), "{notes}");
}

#[test]
fn the_servers_own_list_says_versions_annotations_and_what_is_unknown() {
    let desk = desk();
    let of = |tool: &str| explained(&desk, tool, &TOOLS);
    let declared = of("mcp://demo/add");
    assert_eq!(
        (&declared["tool"], &declared["decision"]),
        (&json!("mcp://demo/add@1.0"), &json!("allow"))
    );
    assert_eq!((&declared["op_basis"], &declared["notes"]), (&json!("annotations"), &json!([])));
    let other = of("mcp://demo/add@2.0");
    assert_eq!(other["tool"], "mcp://demo/add@1.0");
    assert!(other["notes"].to_string().contains("another version than the server declares"));
    let unknown = of("mcp://demo/look@1.0");
    assert_eq!(
        (&unknown["decision"], &unknown["reason"]),
        (&json!("deny"), &json!("unknown_tool"))
    );
    assert_eq!(unknown["op"], Value::Null);
}

#[test]
fn annotations_may_be_taken_as_claims() {
    let desk = desk();
    desk.write(
        "tools.json",
        r#"[{"name": "write_file", "inputSchema": {}, "annotations": {"readOnlyHint": true}}]"#,
    );
    let believed = explained(&desk, "mcp://demo/write_file@1.0", &TOOLS);
    assert_eq!((&believed["side_effect"], &believed["decision"]), (&json!(false), &json!("allow")));
    let claims = [&TOOLS[..], &["--annotations-are-claims"]].concat();
    let claimed = explained(&desk, "mcp://demo/write_file@1.0", &claims);
    assert_eq!((&claimed["side_effect"], &claimed["decision"]), (&json!(true), &json!("deny")));
}

#[test]
fn a_key_that_would_not_count_does_not_count_here_either() {
    let desk = desk();
    let long = "k".repeat(300);
    let report = explained(&desk, "mcp://demo/write_file@1.0", &["--idempotency-key", &long]);
    assert_eq!(report["reason"], "missing_idempotency_for_side_effect");
    assert!(report["notes"].to_string().contains("counts as none"), "{report}");
    assert!(!report.to_string().contains(&long));
}

#[test]
fn wrong_use_is_status_2_and_quotes_no_argument() {
    let desk = desk();
    desk.write("bad.yaml", "tenant: acme\n");
    desk.write("bad.json", "{\"tools\": [c0nfidential]}");
    let long = format!("mcp://demo/{}", "x".repeat(600));
    let good = ["policy.yaml", "--tool", "mcp://demo/add@1.0"];
    for (words, text) in [
        (
            &["policy.yaml", "--tool", "add"][..],
            "the tool `add`, which names no server; write `mcp://server/tool@1.0`",
        ),
        (&["policy.yaml", "--tool", "mcp://demo/*"], "which may be several tools; name one"),
        (&["policy.yaml", "--tool", &long], "which is longer than 512 bytes"),
        (&["missing.yaml", "--tool", "mcp://demo/add"], "missing.yaml: cannot be read: "),
        (&["bad.yaml", "--tool", "mcp://demo/add"], "bad.yaml:1:1: missing key `signing`"),
        (
            &[&good[..], &["--args", "[\"c0nfidential\"]"]].concat(),
            "`--args` is a list; write an object",
        ),
        (
            &[&good[..], &["--args", "{\"a\": c0nfidential}"]].concat(),
            "`--args` is not JSON, or nested deeper than 128 levels, at line 1, column 7",
        ),
        (&[&good[..], &["--args", &"[".repeat(500)]].concat(), "at line 1, column 128"),
        (
            &[&good[..], &["--server-tools", "missing.json"]].concat(),
            "missing.json: cannot be read: ",
        ),
        (
            &[&good[..], &["--server-tools", "."]].concat(),
            ".: cannot be read: it is not a regular file",
        ),
        (
            &[&good[..], &["--server-tools", "bad.json"]].concat(),
            "bad.json: the list of tools is not JSON, or nested deeper than 128 levels, at line 1, column 12",
        ),
    ] {
        let run = desk.run(&[&["policy", "explain"], words].concat());
        assert_eq!((run.status, &*run.out), (2, ""), "{words:?}: {}", run.err);
        assert!(run.err.contains(text), "{words:?}: {}", run.err);
        assert!(!run.err.contains("c0nfidential") && run.err.len() < 1000, "{}", run.err);
    }
}

#[test]
fn check_warns_of_entries_without_a_tool_and_of_tools_without_an_entry() {
    let desk = desk();
    let run = desk.run(&[&["policy", "check", "policy.yaml"][..], &TOOLS].concat()).ended(0);
    for warning in [
        "warning: policy.yaml:5:62: `tools.allowlist[2]` is `mcp://demo/look`, which is none of these tools",
        "warning: policy.yaml:5:15: `tools.allowlist` has no entry for the tool `wr\u{ef}te@1.0`",
        "warning: policy.yaml:6:15: `tools.overrides[0]` is `mcp://demo/compute`, which is none of these tools",
        "policy.yaml: fine, 3 warnings",
    ] {
        assert!(run.out.contains(warning), "{warning}\n{}", run.out);
    }
    let of = |server: &str| {
        let words = ["policy", "check", "policy.yaml", "--json", "--server", server];
        desk.run(&[&words[..], &TOOLS].concat()).ended(0).json()["warnings"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(of("demo"), 3);
    // Every entry is for another server, so none of the three tools has one.
    assert_eq!(of("other"), 3);
    let words = ["policy", "check", "policy.yaml", "--server-tools", "policy.yaml"];
    let run = desk.run(&words).ended(2);
    assert!(run.err.contains("policy.yaml: the list of tools is not JSON"), "{}", run.err);
}

#[test]
fn a_call_that_would_be_asked_about_says_who_decides() {
    let desk = desk();
    let people = "security: {limits: {max_payload_kb: 1}, side_effects: {approve_high_risk: true, \
                  human_escalation: {approval_set_id: prod}}}\n\
                  approval_sets: {prod: {members: [{id: ana, public_key: \
                  'ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik='}]}}";
    desk.write("policy.yaml", &POLICY.replace("security: {limits: {max_payload_kb: 1}}", people));
    let report = explained(&desk, "mcp://demo/write_file@1.0", &TOOLS);
    assert_eq!((&report["decision"], &report["asks"]["members"]), (&json!("ask"), &json!(1)));
    let words = ["policy", "explain", "policy.yaml", "--tool", "mcp://demo/write_file"];
    let run = desk.run(&[&words[..], &TOOLS].concat()).ended(0);
    let asks = "\n  asks one of the 1 in `prod`; 1 rejection refuses; after 3600 s without a decision: \
                auto_reject; refused at once, with the id; by \
                `security.side_effects.human_escalation`\n";
    assert!(
        run.out.starts_with("ask: mcp://demo/write_file@1.0, for missing_idempotency"),
        "{}",
        run.out
    );
    assert!(run.out.contains(asks), "{}", run.out);
}
