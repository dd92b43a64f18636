//! URLs and paths among the arguments, through rmcp's own client: what is outside never runs.

use crate::demo::Demo;
use crate::drive::{Era, House, Session, call, denial, text};
use sec0::ToolRouterExt;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

/// A house with a directory `data`, in which files may be written.
fn house_in(mode: &str, overrides: &str) -> House {
    let house = House::new("");
    fs::create_dir(house.path("data")).unwrap();
    let data = house.path("data").canonicalize().unwrap();
    let policy = format!(
        "tenant: acme\ndefault_retention: 30d\nsigning: {{enabled: true}}\n\
         tools: {{allowlist: ['mcp://demo/*'], overrides: {overrides}}}\n\
         enforcement: {{mode: {mode}, deny_on: [egress_violation, fs_violation]}}\n\
         security:\n\
         \x20 egress_allowlist: [api.example.com, 'https://files.example.com/v1/*']\n\
         \x20 fs_allowlist: ['{0}/*', '{1}/*']\n",
        data.display(),
        house.path("audit").display(),
    );
    fs::write(house.policy(), policy).unwrap();
    house
}

/// Makes the calls, and reads the records that they leave.
async fn told(house: &House, calls: &[(&str, Value)]) -> Vec<(Value, Value)> {
    let layer = house.layer();
    let server = Demo::tool_router().serving(Demo).layer(layer.clone());
    let session = Session::open(Era::Sessions, server).await;
    let mut answers = Vec::new();
    for (tool, arguments) in calls {
        let answer = call(&session.client, tool, arguments.clone()).await.unwrap();
        let refused = answer.meta.as_ref().is_some_and(|meta| meta.0.contains_key("sec0/denial"));
        answers.push(if refused {
            let value = arguments.as_object().unwrap().values().next().unwrap();
            assert!(!text(&answer).contains(value.as_str().unwrap()), "the text has the argument");
            denial(&answer)
        } else {
            json!(text(&answer))
        });
    }
    session.close().await;
    layer.try_shutdown().await.unwrap();
    let records = house.records();
    assert_eq!(records.len(), answers.len());
    answers.into_iter().zip(records).collect()
}

#[tokio::test]
async fn a_url_inside_the_list_is_fetched_and_one_outside_never() {
    let house = house_in("enforce", "[]");
    let fetch = |url: &str| ("fetch", json!({ "url": url }));
    let calls = [
        fetch("https://api.example.com/x"),
        fetch("https://files.example.com/v1/x"),
        fetch("https://api.example.com@evil.test/"),
        fetch("https://files.example.com/v1/%2e%2e/x"),
        fetch("http://0x7f.1/"),
    ];
    let told = told(&house, &calls).await;
    assert_eq!(told[0].0, "GET api.example.com");
    assert_eq!(told[1].0, "GET files.example.com");
    for (answer, record) in &told[..2] {
        assert_eq!(record["policy"]["decision"], "allow", "{answer}");
        assert_eq!(record.get("egress_violation_at"), None);
    }
    for (denial, record) in &told[2..] {
        assert_eq!(denial["code"], "POLICY_DENIED");
        assert_eq!(denial["reason"], "egress_violation");
        assert_eq!(denial["executed"], false);
        assert_eq!(record["policy"]["reason"], "egress_violation");
        assert_eq!(record["egress_violation_at"], "/url");
        assert_eq!(record["executed"], false);
        assert!(!record.to_string().contains("evil.test"), "{record}");
    }
}

#[tokio::test]
async fn a_file_below_the_root_is_written_and_one_outside_never() {
    let house = house_in("enforce", "[]");
    let data = house.path("data").canonicalize().unwrap();
    symlink(house.path(""), data.join("out")).unwrap();
    let write = |path: String| ("write_file", json!({"path": path, "text": "never"}));
    let calls = [
        write(format!("{}/new.txt", data.display())),
        write(format!("{}/../outside.txt", data.display())),
        write(format!("{}/out/outside.txt", data.display())),
        write("outside.txt".to_owned()),
        // Allowed by the list, and still sec0's own.
        write(format!("{}/checkpoint", house.audit().display())),
        write(house.policy().display().to_string()),
    ];
    let told = told(&house, &calls).await;
    assert_eq!(told[0].0, "5");
    assert_eq!(fs::read_to_string(data.join("new.txt")).unwrap(), "never");
    for (denial, record) in &told[1..] {
        assert_eq!(denial["reason"], "fs_violation");
        assert_eq!(denial["executed"], false);
        assert_eq!(record["fs_violation_at"], "/path");
        assert_eq!(record["risk_tags"], json!(["fs_violation"]));
        assert!(!record.to_string().contains("outside.txt"), "{record}");
    }
    assert!(!house.path("outside.txt").exists());
    assert!(fs::read_to_string(house.policy()).unwrap().starts_with("tenant"));
}

#[tokio::test]
async fn in_observe_what_is_outside_runs_and_is_recorded_with_its_argument() {
    let house = house_in("observe", "[]");
    let told = told(&house, &[("fetch", json!({"url": "https://evil.test/"}))]).await;
    let (answer, record) = &told[0];
    assert_eq!(answer, "GET evil.test");
    assert_eq!(record["policy"]["decision"], "would_deny");
    assert_eq!(record["policy"]["reason"], "egress_violation");
    assert_eq!(record["egress_violation_at"], "/url");
}

#[tokio::test]
async fn an_argument_that_the_policy_names_is_held_against_the_list() {
    let house = house_in("enforce", "[{tool: echo, url_args: [text]}]");
    let echo = |text: &str| ("echo", json!({ "text": text }));
    let calls =
        [echo("https://api.example.com/"), echo("https://evil.test/"), echo("no-url-at-all")];
    let told = told(&house, &calls).await;
    assert_eq!(told[0].0, "https://api.example.com/");
    for (denial, record) in &told[1..] {
        assert_eq!(denial["reason"], "egress_violation");
        assert_eq!(record["egress_violation_at"], "/text");
    }
}
