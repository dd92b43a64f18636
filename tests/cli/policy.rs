//! `sec0 policy check`.

use super::Desk;
use sec0::Policy;
use serde_json::json;

pub(crate) const GOOD: &str = "\
tenant: acme
default_retention: 30d
signing: {enabled: true, key_ref: file://keys/nobody-made-this.key}
tools: {allowlist: ['mcp://demo/add@1.0']}
enforcement: {deny_on: [tool_not_in_allowlist]}
";

/// Three mistakes; the texts about them are in `docs/policy.md`.
const BAD: &str = "\
tenant: acme
default_retention: 30d
signing:
  enabled: true
tools:
  allowlist: 7
enforcement:
  mode: enforce
  dney_on: [tool_not_in_allowlist]

audit:
        mode: blocking
";

#[test]
fn a_good_policy_is_fine_and_its_key_is_not_opened() {
    let desk = Desk::new();
    desk.write("policy.yaml", GOOD);
    let run = desk.run(&["policy", "check", "policy.yaml"]).ended(0);
    let digest = Policy::from_yaml(GOOD).unwrap().digest().to_string();
    assert!(run.out.contains("policy.yaml: fine, 0 warnings"), "{}", run.out);
    assert!(run.out.contains(&digest));
    let run = desk.run(&["policy", "check", "policy.yaml", "--json"]).ended(0);
    let expected = json!({"valid": true, "digest": digest, "problems": [], "warnings": []});
    assert_eq!(run.json(), expected);
    assert!(!desk.path("keys").exists());
}

#[test]
fn what_is_probably_not_meant_is_a_warning_with_its_place() {
    let desk = Desk::new();
    desk.write("policy.yaml", &GOOD.replace("mcp://demo/add@1.0", "*"));
    let run = desk.run(&["policy", "check", "policy.yaml"]).ended(0);
    let warning = "warning: policy.yaml:4:20: `tools.allowlist` allows every tool";
    assert!(run.out.contains(warning), "{}", run.out);
    assert!(run.out.contains("policy.yaml: fine, 1 warnings"), "{}", run.out);
    let report = desk.run(&["policy", "check", "policy.yaml", "--json"]).ended(0).json();
    assert_eq!(report["valid"], true);
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1);
    let warning = &report["warnings"][0];
    assert_eq!((&warning["line"], &warning["column"]), (&json!(4), &json!(20)));
    assert_eq!(warning["path"], "tools.allowlist");
    assert!(warning["message"].is_string());
}

#[test]
fn every_mistake_is_told_at_once_with_file_line_and_column() {
    let desk = Desk::new();
    desk.write("policy.yaml", BAD);
    let run = desk.run(&["policy", "check", "policy.yaml"]).ended(1);
    assert_eq!(run.out, "");
    let lines: Vec<_> = run.err.lines().collect();
    let starts = [
        "policy.yaml:6:14: `tools.allowlist` must be a list of text, found a number",
        "policy.yaml:9:3: unknown key `dney_on` in `enforcement`; did you mean `deny_on`? \
             allowed here: `mode`, `deny_on`, ",
        "policy.yaml:12:15: `audit.mode` is `blocking`, but records are written in batches; \
             the durable modes are not built yet; set it to `batch`",
    ];
    for start in starts {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start}\n{}", run.err);
    }
    assert_eq!(lines.len(), 3, "{}", run.err);

    let run = desk.run(&["policy", "check", "policy.yaml", "--json"]).ended(1);
    let report = run.json();
    assert_eq!(report["valid"], false);
    let problems = report["problems"].as_array().unwrap();
    let places: Vec<_> = problems.iter().map(|p| json!([p["line"], p["column"]])).collect();
    assert_eq!(json!(places), json!([[6, 14], [9, 3], [12, 15]]));
    assert!(problems.iter().all(|p| p["message"].is_string() && p["path"].is_string()));
}

#[test]
fn what_is_no_yaml_is_told_with_its_place() {
    let desk = Desk::new();
    for text in ["tenant: [", "tenant: a\ntenant: b\n", "a: *nowhere\n", "", "- 1\n"] {
        desk.write("policy.yaml", text);
        let run = desk.run(&["policy", "check", "policy.yaml"]).ended(1);
        let place = run.err.strip_prefix("policy.yaml:").expect(&run.err);
        let mut parts = place.splitn(3, ':');
        for _ in ["line", "column"] {
            assert!(parts.next().unwrap().parse::<u32>().unwrap() > 0, "{}", run.err);
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_was_not_checked() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("dir.yaml")).unwrap();
    for file in ["missing.yaml", "dir.yaml"] {
        let run = desk.run(&["policy", "check", file]).ended(2);
        assert!(run.err.contains(file), "{}", run.err);
        assert_eq!(run.out, "");
        let run = desk.run(&["policy", "check", file, "--json"]);
        assert_eq!(run.status, 2);
        assert!(run.err.contains(file), "{}", run.err);
        assert!(run.out.is_empty() || run.json()["valid"] == false);
    }
}
