//! `sec0 policy check`.

use super::{Desk, Run};
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

privacy:
  redact_outputs: true
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
        "policy.yaml:12:19: `privacy.redact_outputs` is refused: redaction is not built yet; leave it \
         out or set it to `false`",
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
    assert_eq!(json!(places), json!([[6, 14], [9, 3], [12, 19]]));
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

/// The variables that the original's parts read, and some that programs often look at.
const VARIABLES: [&str; 24] = [
    "SEC0_SIGNER_KEY_DIRS",
    "SEC0_CONTROL_PLANE_URL",
    "CONTROL_PLANE_URL",
    "API_BASE_URL",
    "SEC0_AUDIT_UPLOAD_MAX_ATTEMPTS",
    "SEC0_AUDIT_UPLOAD_RETRY_DELAY_MS",
    "SEC0_SEMGREP_ALLOWED_BINS",
    "SEC0_NUCLEI_ALLOWED_BINS",
    "SEC0_RUNTIME_MODE",
    "SEC0_RUNTIME_FAILURE_MODE",
    "SEC0_RUNTIME_REMOTE_URL",
    "SEC0_RUNTIME_TIMEOUT_MS",
    "SEC0_RUNTIME_API_KEY",
    "SEC0_REPLAY_JOB_ID",
    "SEC0_POLICY",
    "SEC0_MODE",
    "SEC0_TENANT",
    "NODE_ENV",
    "HOME",
    "TZ",
    "LANG",
    "LC_ALL",
    "RUST_LOG",
    "COLUMNS",
];

#[test]
fn what_a_policy_says_does_not_depend_on_the_environment() {
    let desk = Desk::new();
    for text in [GOOD.to_owned(), GOOD.replace("mcp://demo/add@1.0", "*"), BAD.to_owned()] {
        desk.write("policy.yaml", &text);
        let arguments = ["policy", "check", "policy.yaml", "--json"];
        let mut empty = desk.command(&arguments);
        let empty = Run::of(empty.env_clear().output().unwrap());
        for value in ["", "enforce", "observe", "/nowhere", "1", "de_DE.UTF-8"] {
            let mut command = desk.command(&arguments);
            command.env_clear().envs(VARIABLES.map(|name| (name, value)));
            let run = Run::of(command.output().unwrap());
            assert_eq!((run.status, &run.out, &run.err), (empty.status, &empty.out, &empty.err));
        }
        // Nor on where it is read from, but for its name.
        std::fs::create_dir_all(desk.path("elsewhere")).unwrap();
        let mut command = desk.command(&["policy", "check", "../policy.yaml", "--json"]);
        let run = Run::of(command.current_dir(desk.path("elsewhere")).output().unwrap());
        assert_eq!((run.status, &run.out), (empty.status, &empty.out));
    }
}

#[test]
fn the_schema_is_the_one_for_editors() {
    let desk = Desk::new();
    let run = desk.run(&["policy", "schema"]).ended(0);
    let file = include_str!("../../docs/policy.schema.json");
    assert!(run.out == file, "docs/policy.schema.json is not what `sec0 policy schema` prints");
}
