//! The lock file from outside: a server starts as it was locked, and what follows when it is not.

use crate::demo::Demo;
use crate::drive::{DEMO_POLICY, Era, House, Session, call, ended, example};
use crate::support::*;
use crate::whole::hand::{Hand, list, slow};
use rmcp::ServerHandler;
use rmcp::model::{ErrorCode, Tool};
use sec0::audit::MemorySink;
use sec0::mcp::{REGISTRY_FROZEN, detached_context, read_tools};
use sec0::registry::{Lock, LockError};
use sec0::{MapRegistry, Sec0Options, Sec0SecurityLayer, ServerHandlerExt, ToolRouterExt};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;

/// A lock file of the tools `a` and `b`, in a directory of its own.
struct Locked {
    dir: TempDir,
    site: Site,
    runs: Runs,
}

fn described(name: &'static str, description: &'static str) -> Tool {
    let mut tool = tool(name, Some("1.0"));
    tool.description = Some(description.into());
    tool
}

impl Locked {
    fn new() -> Self {
        let locked = Self {
            dir: tempfile::tempdir().unwrap(),
            site: Site::default(),
            runs: Runs::default(),
        };
        let before = Site::default().layer(&Rules::observe());
        let _server = locked.server(&[("a", "A"), ("b", "B")]).layer(before.clone());
        before.write_lock(locked.file()).unwrap();
        locked
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("sec0.lock")
    }

    fn server(&self, tools: &[(&'static str, &'static str)]) -> MapRegistry {
        let add = |server: MapRegistry, (name, description): &(&'static str, &'static str)| {
            server.tool(described(name, description), self.runs.handler())
        };
        tools.iter().fold(demo(), add)
    }

    fn options(&self, rule: &str, rules: &Rules) -> Sec0Options {
        let yaml = format!("{}registry: {{lock: {rule}}}\n", rules.yaml());
        let policy = sec0::Policy::from_yaml(&yaml).unwrap();
        Sec0Options::new(policy)
            .audit_sink(self.site.sink.clone())
            .signer(key())
            .lock_file(self.file())
    }

    fn layer(&self, rule: &str, rules: &Rules) -> Sec0SecurityLayer {
        Sec0SecurityLayer::try_new(self.options(rule, rules)).unwrap()
    }
}

/// Ways to differ: the tools, the words about them, and the counts of added, changed, removed and
/// renamed ones.
type Way = (&'static [(&'static str, &'static str)], &'static str, [u64; 4]);

const WAYS: [Way; 4] = [
    (&[("a", "A"), ("b", "other")], "tool `b` was changed", [0, 1, 0, 0]),
    (&[("a", "A")], "tool `b` was removed", [0, 0, 1, 0]),
    (&[("a", "A"), ("b", "B"), ("c", "C")], "tool `c` was added", [1, 0, 0, 0]),
    (&[("a", "A"), ("z", "B")], "tool `b` was renamed to `z`", [0, 0, 0, 1]),
];

fn counts(event: &Value) -> [u64; 4] {
    ["tools_added", "tools_changed", "tools_removed", "tools_renamed"]
        .map(|name| event[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_server_as_it_was_locked_runs_and_nothing_is_said() {
    for rule in ["require", "warn"] {
        let locked = Locked::new();
        let sec0 = locked.layer(rule, &Rules::enforce());
        let server = locked.server(&[("b", "B"), ("a", "A")]).layer(sec0.clone());
        sec0.check_lock().unwrap();
        assert!(is_fine(&ask(&server, "a", json!({})).await));
        let lines = locked.site.close(&sec0).await;
        assert_eq!(lines.only()["policy"]["decision"], "allow");
        assert!(lines.events.is_empty(), "{:?}", lines.events);
    }
}

#[tokio::test]
async fn with_require_a_server_that_differs_is_refused_and_never_runs() {
    for (tools, told, counted) in WAYS {
        // In observe too: it is no matter of `deny_on`.
        for rules in [Rules::observe(), Rules::with(Some("enforce"), &[])] {
            let locked = Locked::new();
            let sec0 = locked.layer("require", &rules);
            let server = locked.server(tools).layer(sec0.clone());
            let error = sec0.check_lock().unwrap_err().to_string();
            assert!(error.starts_with("`registry.lock: require` refuses this server: "), "{error}");
            assert!(error.contains(told), "{error}");

            let listed = server.list_tools(None, detached_context()).await.unwrap_err();
            assert_eq!(listed.code, REGISTRY_FROZEN);
            assert_eq!(listed.data, Some(json!({"code": "REGISTRY_FROZEN"})));
            assert!(!listed.message.contains('`'), "tools are named: {}", listed.message);
            for (name, _) in tools {
                let denied = denial(&ask(&server, name, json!({})).await);
                let is_same = ["a", "b"].contains(name)
                    && !(told.contains("`b` was changed") && *name == "b");
                let reason = if is_same { "server_code_changed" } else { "tool_code_changed" };
                assert_eq!(
                    (&denied["reason"], &denied["code"]),
                    (&json!(reason), &json!("POLICY_DENIED"))
                );
            }
            assert_eq!(
                ask(&server, "nothing", json!({})).await.unwrap_err().code,
                ErrorCode::INVALID_PARAMS
            );
            assert_eq!(locked.runs.get(), 0);

            let lines = locked.site.close(&sec0).await;
            assert_eq!(lines.calls.len(), tools.len() + 1);
            assert!(lines.calls.iter().all(|call| call["status"] == "denied"));
            let [event] = lines.events.as_slice() else { panic!("{:?}", lines.events) };
            assert_eq!(
                (&event["event"], &event["status"]),
                (&json!("registry_drift"), &json!("denied"))
            );
            assert_eq!((&event["lock"], counts(event)), (&json!("require"), counted));
        }
    }
}

#[tokio::test]
async fn with_warn_a_difference_is_recorded_once_and_in_the_calls_that_it_concerns() {
    for (tools, told, counted) in WAYS {
        let locked = Locked::new();
        let digest = Lock::from_file(locked.file()).unwrap().registry_digest().to_string();
        let sec0 = locked.layer("warn", &Rules::observe());
        let server = locked.server(tools).layer(sec0.clone());
        let _second = locked.server(tools).layer(sec0.clone());
        sec0.check_lock().unwrap();
        server.list_tools(None, detached_context()).await.unwrap();
        for (name, _) in tools {
            assert!(is_fine(&ask(&server, name, json!({})).await), "{told}");
        }
        let lines = locked.site.close(&sec0).await;
        for (call, (name, description)) in lines.calls.iter().zip(tools) {
            let is_same = [("a", "A"), ("b", "B")].contains(&(name, description));
            let (decision, tags) = if is_same {
                ("allow", Value::Null)
            } else {
                ("would_deny", json!(["tool_code_changed"]))
            };
            assert_eq!(call["policy"]["decision"], decision, "{told}: {name}");
            assert_eq!(call.get("risk_tags").unwrap_or(&Value::Null), &tags, "{told}: {name}");
        }
        let [event] = lines.events.as_slice() else { panic!("{:?}", lines.events) };
        assert_eq!((&event["event"], &event["status"]), (&json!("registry_drift"), &json!("ok")));
        assert_eq!((&event["lock"], counts(event)), (&json!("warn"), counted));
        assert_eq!(
            (&event["server_changed"], &event["binary_changed"]),
            (&json!(false), &json!(false))
        );
        assert_eq!(event["lock_sha256"], digest);
        assert_eq!(event["server_snapshot"], lines.calls[0]["server_snapshot"]);
        assert_eq!(event["target_server"], "demo@1.0.0");
        assert!(told.contains(&format!("`{}`", event["target_name"].as_str().unwrap())), "{event}");
    }
}

#[tokio::test]
async fn another_version_of_the_server_concerns_every_call() {
    let locked = Locked::new();
    let rules = Rules::with(Some("enforce"), &["tool_code_changed"]);
    let sec0 = locked.layer("warn", &rules);
    let server = MapRegistry::new("demo", "2.0.0")
        .tool(described("a", "A"), locked.runs.handler())
        .tool(described("b", "other"), locked.runs.handler())
        .layer(sec0.clone());
    assert!(is_fine(&ask(&server, "a", json!({})).await));
    let denied = denial(&ask(&server, "b", json!({})).await);
    assert_eq!(denied["reason"], "tool_code_changed");
    assert_eq!(denied["reasons"], json!(["server_code_changed", "tool_code_changed"]));
    let lines = locked.site.close(&sec0).await;
    assert_eq!(lines.calls[0]["risk_tags"], json!(["server_code_changed"]));
    assert_eq!(lines.events[0]["server_changed"], true);
    assert_agree(&denied, &lines.calls[1]);
}

#[tokio::test]
async fn the_executable_is_compared_where_the_lock_has_it() {
    let locked = Locked::new();
    let before = Site::default().layer(&Rules::observe());
    let _server = locked.server(&[("a", "A")]).layer(before.clone());
    before.write_lock_with_binary(locked.file()).unwrap();
    let same = locked.layer("require", &Rules::enforce());
    let _server = locked.server(&[("a", "A")]).layer(same.clone());
    same.check_lock().unwrap();

    let other = before.lock().unwrap().with_binary(sec0::digest::Digest::of(b"another build"));
    other.write(locked.file()).unwrap();
    let sec0 = locked.layer("require", &Rules::enforce());
    let _server = locked.server(&[("a", "A")]).layer(sec0.clone());
    let error = sec0.check_lock().unwrap_err().to_string();
    assert!(error.contains("the executable is another one"), "{error}");
    assert_eq!(locked.site.close(&sec0).await.events[0]["binary_changed"], true);
}

#[tokio::test]
async fn a_lock_file_that_cannot_be_read_refuses_the_start_or_is_recorded() {
    for text in [None, Some("{}"), Some("not JSON")] {
        let locked = Locked::new();
        match text {
            None => std::fs::remove_file(locked.file()).unwrap(),
            Some(text) => std::fs::write(locked.file(), text).unwrap(),
        }
        let options = locked.options("require", &Rules::observe());
        let error = Sec0SecurityLayer::try_new(options).unwrap_err().to_string();
        assert!(error.contains("sec0.lock"), "{error}");

        // Without `try_` it refuses what it is asked, and says why.
        let sec0 = Sec0SecurityLayer::new(locked.options("require", &Rules::observe()));
        let server = locked.server(&[("a", "A")]).layer(sec0.clone());
        assert!(sec0.check_lock().is_err());
        assert_eq!(denial(&ask(&server, "a", json!({})).await)["reason"], "server_code_changed");
        sec0.shutdown().await;

        let site = Site { sink: MemorySink::default() };
        let options = locked.options("warn", &Rules::observe()).audit_sink(site.sink.clone());
        let sec0 = Sec0SecurityLayer::try_new(options).unwrap();
        let server = locked.server(&[("a", "A")]).layer(sec0.clone());
        assert!(is_fine(&ask(&server, "a", json!({})).await));
        let lines = site.close(&sec0).await;
        assert_eq!(lines.only()["risk_tags"], json!(["server_code_changed"]));
        assert_eq!(lines.events[0]["event"], "registry_drift");
        assert_eq!(lines.events[0]["lock_sha256"], Value::Null);
        assert_eq!(locked.runs.get(), 1);
    }
}

#[tokio::test]
async fn a_server_whose_tools_are_seen_late_is_refused_at_its_first_list_and_call() {
    for is_list in [true, false] {
        let locked = Locked::new();
        let sec0 = locked.layer("require", &Rules::observe());
        let (hand, latch): (Hand, Latch) = slow();
        let server = hand.clone().layer(sec0.clone());
        assert!(matches!(sec0.lock(), Err(LockError::NothingFrozen)));
        sec0.check_lock().unwrap();
        latch.release(10);
        if is_list {
            assert_eq!(list(&server).await.unwrap_err().code, REGISTRY_FROZEN);
        } else {
            let denied = denial(&soon(ask(&server, "one", json!({}))).await);
            assert!(denied["reasons"].as_array().unwrap().contains(&json!("tool_code_changed")));
        }
        sec0.check_lock().unwrap_err();
        assert_eq!(hand.runs(), 0);
        assert_eq!(locked.site.close(&sec0).await.events_of("registry_drift").len(), 1);
    }
}

/// What a client is told, as a file that `sec0 tools lock` reads.
async fn dump(era: Era, server: impl ServerHandler) -> String {
    let session = Session::open(era, server).await;
    let tools = session.client.list_all_tools().await.unwrap();
    session.close().await;
    json!({ "tools": tools }).to_string()
}

#[tokio::test]
async fn what_a_client_lists_has_the_digests_that_the_layer_froze() {
    for era in Era::ALL {
        let house = House::new(DEMO_POLICY);
        let sec0 = house.layer();
        let text = dump(era, Demo::tool_router().serving(Demo).layer(sec0.clone())).await;
        let listed = Lock::new(&read_tools(text.as_bytes()).unwrap());
        let frozen = sec0.lock().unwrap();
        assert_eq!(listed.tools(), frozen.tools());
        assert_eq!(listed.registry_digest(), frozen.registry_digest());
        assert_eq!(frozen.server().unwrap().at_version().as_ref(), "demo@1.0.0");
        sec0.shutdown().await;
        assert_eq!(house.records().len(), 0);
        // And a server that is held against a lock from the list starts.
        listed.write(house.path("sec0.lock")).unwrap();
        std::fs::write(house.policy(), format!("{DEMO_POLICY}registry: {{lock: require}}\n"))
            .unwrap();
        let sec0 = house.layer();
        let server = Demo::tool_router().serving(Demo).layer(sec0.clone());
        sec0.check_lock().unwrap();
        let session = Session::open(era, server).await;
        assert_eq!(
            call(&session.client, "echo", json!({"text": "x"})).await.unwrap().is_error,
            Some(false)
        );
        session.close().await;
        sec0.shutdown().await;
    }
}

async fn started(house: &House, more: &[&Path]) -> (bool, String) {
    let mut command = example("server_stdio");
    command.arg("--policy").arg(house.policy()).arg("--dir").arg(house.audit()).args(more);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut err = child.stderr.take().unwrap();
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut err, &mut text).await.unwrap();
    (ended(&mut child).await.success(), text)
}

#[tokio::test]
async fn a_program_that_requires_its_lock_file_does_not_start_without_it_or_with_another() {
    let house = House::new(&format!("{DEMO_POLICY}registry: {{lock: require}}\n"));
    // Beside the policy, wherever the program runs.
    let (_, text) = started(&house, &[]).await;
    assert!(text.contains("sec0.lock` is missing"), "{text}");
    assert!(!house.audit().exists(), "a refused start left something");
    Lock::new([]).write(house.path("other.lock")).unwrap();
    let other = house.path("other.lock");
    let (success, text) = started(&house, &[Path::new("--lock"), &other]).await;
    assert!(!success && text.contains("tool `add` was added"), "{text}");
    let events = house.events();
    assert_eq!(events[0]["event"], "registry_drift");
}

#[tokio::test]
async fn no_session_begins_with_a_server_that_is_refused() {
    let locked = Locked::new();
    let sec0 = locked.layer("require", &Rules::observe());
    let evil = locked.server(&[("evil", "E")]).layer(sec0.clone());
    let (asked, client) = tokio::io::duplex(1 << 16);
    let served = rmcp::ServiceExt::serve(evil, asked);
    let opened = rmcp::ServiceExt::serve((), client);
    let (served, opened) = Box::pin(soon(futures::future::join(served, opened))).await;
    let error = opened.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("the server is not the one in its lock file"), "{error}");
    assert!(served.is_err());
    sec0.shutdown().await;
}
