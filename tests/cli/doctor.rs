//! `sec0 doctor --config`.

use super::{Desk, Run};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;

const CONFIG: &str = "\
app:
  tenant: acme
  environment: dev
  policy: policy.yaml
  hops:
    Stock.look: {type: tool, nodeId: stock, server: warehouse, tool: look, operation: read}
controlPlane:
  sec0Dir: .sec0
  localSignerPath: .sec0/keys/ed25519.key
  appenderDir: .sec0/hops
";

const POLICY: &str = "\
tenant: acme
default_retention: 30d
signing: {enabled: true}
tools: {allowlist: ['mcp://warehouse/*']}
enforcement: {}
";

/// A set-up with which nothing is wrong.
fn fine() -> Desk {
    let desk = Desk::new();
    desk.run(&["keygen"]).ended(0);
    desk.write("policy.yaml", POLICY);
    desk.write("sec0.config.yaml", CONFIG);
    desk
}

fn doctor(desk: &Desk) -> Run {
    desk.run(&["doctor", "--config", "sec0.config.yaml", "--json"])
}

/// The checks of this id.
fn of(run: &Run, id: &str) -> Vec<Value> {
    let checks: Vec<Value> = serde_json::from_value(run.json()).unwrap();
    checks.into_iter().filter(|check| check["id"] == id).collect()
}

#[test]
fn a_set_up_with_which_nothing_is_wrong_passes_each_check() {
    let desk = fine();
    let run = doctor(&desk).ended(0);
    let checks = run.json();
    let all: Vec<_> = checks.as_array().unwrap().iter().map(|check| &check["id"]).collect();
    let wanted = ["read", "key", "policy", "sec0_dir", "appender_dir", "hops"];
    assert_eq!(all, wanted.map(|id| format!("config.{id}")).iter().collect::<Vec<_>>());
    for check in checks.as_array().unwrap() {
        assert_eq!((&check["status"], &check["area"]), (&json!("pass"), &json!("config")));
        assert_eq!(check.as_object().unwrap().len(), 4, "{check}");
    }
    let run = desk.run(&["doctor", "--config", "sec0.config.yaml"]).ended(0);
    assert!(run.out.ends_with("6 checks, none failed\n"), "{}", run.out);
    assert!(!desk.path(".sec0/hops").exists(), "nothing is changed");
}

#[test]
fn each_check_fails_for_its_own_cause_with_the_fix() {
    let changed = |from: &str, to: &str| CONFIG.replace(from, to);
    for (id, config, cause) in [
        ("read", changed("tenant", "tennant"), "unknown key `tennant` in `app`"),
        (
            "read",
            changed("environment: dev", "environment: qa"),
            "[sec0] app.environment \"qa\" is invalid.",
        ),
        ("key", changed("ed25519.key", "gone.key"), "[sec0] Signing key file not found at: "),
        ("policy", changed("policy.yaml", "gone.yaml"), "cannot be read"),
        ("sec0_dir", changed("sec0Dir: .sec0", "sec0Dir: policy.yaml"), "it is not a directory"),
        ("appender_dir", changed(".sec0/hops", "policy.yaml/hops"), "cannot be"),
        ("hops", changed("nodeId: stock", "nodeId: '!'"), "requires a non-empty nodeId."),
        ("hops", changed("  appenderDir: .sec0/hops\n", ""), "[sec0-node] Missing appender.dir"),
    ] {
        let desk = fine();
        desk.write("sec0.config.yaml", &config);
        let run = doctor(&desk).ended(1);
        let found = of(&run, &format!("config.{id}"));
        let says =
            |check: &&Value| check["cause"].as_str().is_some_and(|said| said.contains(cause));
        let failed = found.iter().find(says).unwrap_or_else(|| panic!("{}", run.out));
        assert_eq!(failed["status"], "fail");
        assert!(failed["fix"].as_str().is_some_and(|fix| fix.len() > 3), "{failed}");
        let run = desk.run(&["doctor", "--config", "sec0.config.yaml"]).ended(1);
        assert!(run.out.contains(&format!("FAIL  config.{id}")), "{}", run.out);
        assert!(run.out.contains("cause: ") && run.out.contains("fix:   "), "{}", run.out);
        assert!(run.err.ends_with(" checks failed\n"), "{}", run.err);
    }
}

#[test]
fn a_check_without_its_input_is_not_one_that_failed() {
    let desk = fine();
    desk.write("sec0.config.yaml", "{localDir: log, localSignerPath: .sec0/keys/ed25519.key}");
    let run = doctor(&desk).ended(0);
    for id in ["policy", "appender_dir", "hops"] {
        assert_eq!(of(&run, &format!("config.{id}"))[0]["status"], "n/a", "{id}");
    }
    let run = desk.run(&["doctor", "--json"]).ended(0);
    assert!(run.json().as_array().unwrap().iter().all(|check| check["status"] == "n/a"));
    let run = desk.run(&["doctor", "--config", "gone.yaml", "--json"]).ended(1);
    let read = &of(&run, "config.read")[0];
    assert!(
        read["cause"].as_str().unwrap().starts_with("[sec0] Config file not found: /"),
        "{read}"
    );
    assert_eq!(of(&run, "config.key")[0]["status"], "n/a");
}

#[test]
fn a_gateway_hop_is_refused_by_name_and_what_has_no_effect_is_a_warning() {
    let desk = fine();
    let gateway =
        "    G.far: {type: gateway, nodeId: g, gateway: g, gatewayBaseUrl: 'https://g'}\n";
    let text = CONFIG.replace("controlPlane:", &format!("{gateway}controlPlane:"));
    desk.write("sec0.config.yaml", &format!("{text}auth: {{sec0ApiKey: sec0_hush}}\n"));
    let run = doctor(&desk).ended(1);
    let hops = of(&run, "config.hops");
    assert!(hops.iter().any(|check| check["cause"].as_str().is_some_and(|cause| {
        cause.contains("the hop `G.far` calls through the gateway, which is not built yet")
    })));
    let read = of(&run, "config.read");
    assert_eq!((&read[0]["status"], &read[1]["status"]), (&json!("pass"), &json!("warn")));
    assert!(!run.out.contains("hush"), "{}", run.out);
}

#[test]
fn one_line_a_text_where_nobody_looks_at_a_terminal_and_no_value_of_the_environment() {
    let desk = fine();
    desk.write("sec0.config.yaml", &CONFIG.replace("ed25519.key", "${KEY_NAME}"));
    std::fs::set_permissions(
        desk.path(".sec0/keys/ed25519.key"),
        std::fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let mut command = desk.command(&["doctor", "--config", "sec0.config.yaml"]);
    let output = command.env("KEY_NAME", "ed25519.key").env("COLUMNS", "40").output().unwrap();
    let run = Run::of(output).ended(1);
    assert!(!run.out.contains("ed25519.key"), "{}", run.out);
    let cause = run.out.lines().find(|line| line.contains("cause: ")).unwrap();
    assert!(cause.ends_with("can be read or changed by others (mode 0644)"), "{}", run.out);
    let run = desk.run(&["doctor", "--config", "sec0.config.yaml"]).ended(1);
    assert!(run.out.contains("`KEY_NAME`, which is not set"), "{}", run.out);
}
