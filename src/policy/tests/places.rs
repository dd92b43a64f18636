//! What the check warns of, and what an explanation says, of the lists of hosts and paths.

use super::*;
use crate::call::{Declared, Hints};
use serde_json::{Value, json};

fn warnings(more: &str) -> String {
    let policy = Policy::from_yaml(&with(more)).unwrap_or_else(|error| panic!("{error}"));
    let told =
        policy.warnings().iter().map(|one| format!("{}:{}: {}", one.line, one.column, one.message));
    told.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_entry_that_adds_nothing_is_warned_of_in_its_place() {
    for (more, said) in [
        (
            "security: {egress_allowlist: ['*.example.com', a.example.com]}",
            "8:48: `security.egress_allowlist[1]` is `a.example.com`, which `security.egress_allowlist[0]` allows already",
        ),
        (
            "security: {egress_allowlist: [a.example.com, '*.example.com']}",
            "8:31: `security.egress_allowlist[0]` is `a.example.com`, which `security.egress_allowlist[1]` allows already",
        ),
        (
            "security: {egress_allowlist: ['*.com']}",
            "8:31: `security.egress_allowlist[0]` is `*.com`, below which anybody can have a name; name the hosts that you mean",
        ),
        (
            "security: {fs_allowlist: ['/data/*', '/data/*']}",
            "8:38: `security.fs_allowlist[1]` is `/data/*`, which `security.fs_allowlist[0]` allows already",
        ),
        (
            "security: {fs_allowlist: ['/data/']}",
            "8:27: `security.fs_allowlist[0]` is `/data/`, which is that directory and nothing in it; write `/data/*` for what is below",
        ),
        (
            "security: {fs_base: /data}",
            "8:21: `security.fs_base` is set, but without `security.fs_allowlist` no path is checked",
        ),
        ("security: {egress_allowlist: [a.example.com, b.example.com]}", ""),
        ("security: {egress_allowlist: [], fs_allowlist: []}", ""),
        ("security: {fs_allowlist: ['/']}", ""),
    ] {
        assert_eq!(warnings(more), said, "{more}");
    }
}

#[test]
fn the_files_that_calls_are_kept_from_are_the_policy_the_lock_and_the_keys() {
    let text = GOOD.replace("enabled: true", "enabled: true\n  key_ref: file:///keys/log.key");
    let policy = Policy::from_yaml_named(&text, "conf/policy.yaml").unwrap();
    assert_eq!(policy.file(), "conf/policy.yaml");
    let conf = std::env::current_dir().unwrap().join("conf");
    assert_eq!(
        policy.own_files(),
        [
            conf.join("sec0.lock"),
            conf.join("policy.yaml"),
            "/keys/log.pub".into(),
            "/keys/log.key".into()
        ]
    );
}

#[test]
fn a_bad_entry_is_an_error_in_its_place() {
    for (more, said) in [
        (
            "security: {egress_allowlist: ['https://a.example.com*']}",
            "policy.yaml:8:31: `security.egress_allowlist[0]` is `https://a.example.com*`, whose `*` stands in the host, so that other hosts would match; write `/*` behind the host",
        ),
        (
            "security: {fs_allowlist: [/a, data]}",
            "policy.yaml:8:31: `security.fs_allowlist[1]` is `data`, which is not absolute; begin it with `/`",
        ),
        (
            "security: {fs_allowlist: [/a], fs_base: .}",
            "policy.yaml:8:41: `security.fs_base` is `.`, which is not absolute; begin it with `/`",
        ),
    ] {
        assert_eq!(wrong(&with(more)), said);
    }
}

#[test]
fn an_explanation_names_the_argument_and_the_entry_and_never_the_value() {
    let text = "tenant: acme\ndefault_retention: 30d\nsigning: {enabled: true}\n\
        tools: {allowlist: ['mcp://demo/*']}\n\
        security: {egress_allowlist: [a.example.com], fs_allowlist: [/data/*]}\n\
        enforcement: {deny_on: [egress_violation]}\n";
    let policy = Policy::from_yaml(text).unwrap();
    let named = NamedTool::parse("mcp://demo/t@1.0").unwrap();
    let explained = |arguments: Value| {
        let arguments = arguments.as_object().cloned();
        let tool = named.tool_ref();
        let places = policy.look(tool, &Declared::default(), arguments.as_ref(), &NoDisk);
        let question =
            Question::new(Evidence::new(tool, Hints::default(), true)).with_places(&places);
        let report = serde_json::to_value(policy.explain(&question)).unwrap();
        assert!(!report.to_string().contains("s3cret"), "{report}");
        let why = |id: &str| {
            let rules = report["rules"].as_array().unwrap();
            rules.iter().find(|rule| rule["id"] == id).unwrap()["why"].as_str().unwrap().to_owned()
        };
        let decision = report["decision"].as_str().unwrap().to_owned();
        (decision, why("security.egress_allowlist"), why("security.fs_allowlist"))
    };
    let told =
        |decision: &str, urls: &str, paths: &str| (decision.into(), urls.into(), paths.into());
    assert_eq!(
        explained(json!({})),
        told("allow", "no argument is a URL", "no argument is a path")
    );
    assert_eq!(
        explained(json!({"url": "https://a.example.com/s3cret", "path": "/data/s3cret"})),
        told(
            "allow",
            "`security.egress_allowlist[0]` allows `/url`",
            "`security.fs_allowlist[0]` allows `/path`"
        )
    );
    assert_eq!(
        explained(json!({"urls": ["https://a.example.com", "https://s3cret@a.example.com"]})),
        told(
            "deny",
            "the argument `/urls/1` has a user name or an `@` before its host",
            "no argument is a path"
        )
    );
    assert_eq!(
        explained(json!({"path": "s3cret"})),
        told(
            "would_deny",
            "no argument is a URL",
            "the argument `/path` is relative, and `security.fs_base` is not set"
        )
    );
}
