//! A newer policy while calls are judged.

use crate::support::{
    Latch, Rules, Runs, Site, ask, demo, denial, done, eventually, is_fine, key, tool,
};
use sec0::clock::System;
use sec0::policy::{Policy, PolicyFile, PolicySource, PolicyVersion};
use sec0::stack::{Reload, ReloadError};
use sec0::{Sec0Options, Sec0SecurityLayer};
use serde_json::json;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A policy in a file, watched by a layer that looks only when it is told to.
struct Watched {
    _dir: TempDir,
    path: PathBuf,
    site: Site,
    layer: Sec0SecurityLayer,
}

fn rules(allowed: &[&str]) -> Rules {
    Rules::enforce().allow(allowed)
}

impl Watched {
    fn new(first: &Rules) -> Self {
        Self::looking_every(first, Duration::from_hours(1))
    }

    fn looking_every(first: &Rules, every: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.yaml");
        std::fs::write(&path, first.yaml()).unwrap();
        let site = Site::default();
        let (source, policy) = PolicyFile::open(&path).unwrap();
        let options = Sec0Options::new(policy).audit_sink(site.sink.clone()).signer(key());
        let options = options.policy_source(source).reload_every(every);
        let layer = Sec0SecurityLayer::try_new(options).unwrap();
        Self { _dir: dir, path, site, layer }
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.path, text).unwrap();
    }
}

fn digest(text: &str) -> String {
    Policy::from_yaml(text).unwrap().digest().to_string()
}

#[tokio::test]
async fn calls_that_enter_after_a_change_are_judged_by_it_and_those_under_way_are_not() {
    let (add, echo) = (rules(&["mcp://demo/add"]), rules(&["mcp://demo/echo"]));
    let (watched, latch, runs) = (Watched::new(&add), Latch::new(), Runs::default());
    let server = demo()
        .tool(tool("add", Some("1.0")), latch.handler(&runs))
        .tool(tool("echo", Some("1.0")), |_| std::future::ready(done()))
        .layer(watched.layer.clone());

    let mut under_way = JoinSet::new();
    under_way.spawn({
        let server = server.clone();
        async move { ask(&server, "add", json!({})).await }
    });
    latch.entered(1).await;
    assert_eq!(denial(&ask(&server, "echo", json!({})).await)["reason"], "tool_not_in_allowlist");

    watched.write(&echo.yaml());
    let reload = watched.layer.reload();
    assert!(matches!(reload, Reload::Taken { .. }), "{reload:?}");
    assert!(is_fine(&ask(&server, "echo", json!({})).await));
    assert_eq!(denial(&ask(&server, "add", json!({})).await)["reason"], "tool_not_in_allowlist");
    latch.release(1);
    assert!(is_fine(&under_way.join_next().await.unwrap().unwrap()));
    assert!(matches!(watched.layer.reload(), Reload::Unchanged));

    let lines = watched.site.close(&watched.layer).await;
    let (was, now) = (digest(&add.yaml()), digest(&echo.yaml()));
    let [taken] = lines.events_of("policy_reload")[..] else { panic!("{:#?}", lines.events) };
    assert_eq!(
        (&taken["policy_digest"], &taken["policy_digest_before"]),
        (&json!(now), &json!(was))
    );
    assert_eq!(taken["status"], "ok");
    let by = |call: &serde_json::Value| call["policy_digest"].as_str().unwrap().to_owned();
    let mut judged: Vec<_> = lines
        .calls
        .iter()
        .map(|call| {
            (
                call["target_tool"].as_str().unwrap().to_owned(),
                call["status"].as_str().unwrap().to_owned(),
                by(call),
            )
        })
        .collect();
    judged.sort();
    let said =
        |tool: &str, status: &str, by: &str| (tool.to_owned(), status.to_owned(), by.to_owned());
    assert_eq!(judged, {
        let mut expected = vec![
            said("add@1.0", "denied", &now),
            said("add@1.0", "ok", &was),
            said("echo@1.0", "denied", &was),
            said("echo@1.0", "ok", &now),
        ];
        expected.sort();
        expected
    });
}

#[tokio::test]
async fn a_version_that_is_no_policy_changes_nothing_and_is_recorded() {
    let add = rules(&["mcp://demo/add"]);
    let watched = Watched::new(&add);
    let server = demo()
        .tool(tool("add", Some("1.0")), |_| std::future::ready(done()))
        .layer(watched.layer.clone());
    for broken in ["tenant: [", "", "tenant: acme\nunknown: 1\n"] {
        watched.write(broken);
        let Reload::Refused(error) = watched.layer.reload() else { panic!("{broken}") };
        let place = format!("{}:", watched.path.display());
        assert!(error.to_string().starts_with(&place), "{error}");
        assert!(is_fine(&ask(&server, "add", json!({})).await));
        // It is said once.
        assert!(matches!(watched.layer.reload(), Reload::Unchanged));
    }
    std::fs::remove_file(&watched.path).unwrap();
    assert!(matches!(watched.layer.reload(), Reload::Refused(_)));
    assert!(is_fine(&ask(&server, "add", json!({})).await));
    // The one that holds comes back: nothing to take, nothing to say.
    watched.write(&format!("# the same\n{}", add.yaml()));
    assert!(matches!(watched.layer.reload(), Reload::Unchanged));

    let lines = watched.site.close(&watched.layer).await;
    let refused = lines.events_of("policy_reload");
    assert_eq!(refused.len(), 4, "{refused:#?}");
    for line in &refused {
        assert_eq!(
            (&line["status"], &line["policy_digest"]),
            (&json!("error"), &json!(digest(&add.yaml())))
        );
        assert!(
            line["problems"].as_u64().unwrap() > 0 && line.get("policy_digest_before").is_none()
        );
    }
    let found = sec0::digest::Digest::of(b"tenant: [").to_string();
    assert_eq!(refused[0]["policy_found_sha256"], json!(found));
    assert_eq!(refused[3]["policy_found_sha256"], json!(null));
}

#[tokio::test]
async fn what_holds_from_start_to_end_cannot_be_changed_and_is_named() {
    let add = rules(&["mcp://demo/add"]);
    let watched = Watched::new(&add);
    let text = add.yaml().replace("tenant: acme", "tenant: other");
    assert_ne!(text, add.yaml());
    watched.write(&format!("{text}\naudit: {{mode: batch}}\n"));
    let Reload::Refused(ReloadError::Fixed { keys, .. }) = watched.layer.reload() else { panic!() };
    assert_eq!(keys, ["tenant", "audit.mode"]);
    let lines = watched.site.close(&watched.layer).await;
    assert_eq!(lines.events_of("policy_reload")[0]["problems"], 2);
}

#[tokio::test]
async fn what_a_caller_has_spent_stays_spent_until_the_rate_itself_is_another() {
    let rated = |per_second: &str, more: &[&str]| {
        let text = rules(&[&["mcp://demo/add"], more].concat()).yaml();
        let rate = format!(
            "rate: [{{tool: mcp://demo/add, per_second: {per_second}, burst: 1}}], max_payload_kb"
        );
        text.replace("max_payload_kb", &rate)
    };
    let watched = Watched::new(&rules(&["mcp://demo/add"]));
    let server = demo()
        .tool(tool("add", Some("1.0")), |_| std::future::ready(done()))
        .layer(watched.layer.clone());
    let add = async || ask(&server, "add", json!({})).await;
    let taken = |text: &str| {
        watched.write(text);
        assert!(matches!(watched.layer.reload(), Reload::Taken { .. }), "{text}");
    };
    taken(&rated("0.00001", &[]));
    assert!(is_fine(&add().await));
    assert_eq!(denial(&add().await)["code"], "RATE_LIMITED");
    taken(&rated("0.00001", &["mcp://demo/echo"]));
    assert_eq!(denial(&add().await)["code"], "RATE_LIMITED");
    taken(&rated("0.00002", &[]));
    assert!(is_fine(&add().await));
    assert_eq!(denial(&add().await)["code"], "RATE_LIMITED");
    taken(&rules(&["mcp://demo/add"]).yaml());
    assert!(is_fine(&add().await) && is_fine(&add().await));
}

#[tokio::test]
async fn a_layer_sees_a_newer_version_by_itself() {
    let watched = Watched::looking_every(&rules(&[]), Duration::from_millis(1));
    let server = demo()
        .tool(tool("add", Some("1.0")), |_| std::future::ready(done()))
        .layer(watched.layer.clone());
    assert!(!is_fine(&ask(&server, "add", json!({})).await));
    watched.write(&rules(&["mcp://demo/add"]).yaml());
    eventually(async || is_fine(&ask(&server, "add", json!({})).await)).await;
}

/// Gives what it is given, and panics where there is nothing to give.
#[derive(Debug, Clone, Default)]
struct Scripted(Arc<Mutex<VecDeque<Option<Policy>>>>);

impl PolicySource for Scripted {
    fn look(&mut self) -> Option<PolicyVersion> {
        let next = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop_front()?;
        let policy = Ok(next.expect("a source that panics"));
        Some(PolicyVersion { found: None, policy })
    }
}

#[tokio::test]
async fn a_source_that_panics_is_asked_again() {
    let (site, source) = (Site::default(), Scripted::default());
    let options = site.options(&rules(&[])).policy_source(source.clone());
    let options = options.reload_every(Duration::from_millis(1));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server =
        demo().tool(tool("add", Some("1.0")), |_| std::future::ready(done())).layer(layer.clone());
    let add = rules(&["mcp://demo/add"]).policy();
    source.0.lock().unwrap().extend([None, None, Some(add)]);
    eventually(async || is_fine(&ask(&server, "add", json!({})).await)).await;
}

/// Notes when it is looked at.
#[derive(Debug, Clone, Default)]
struct Noting(Arc<Mutex<Vec<Instant>>>);

impl PolicySource for Noting {
    fn look(&mut self) -> Option<PolicyVersion> {
        self.0.lock().unwrap().push(System::shared().monotonic());
        None
    }
}

#[tokio::test]
async fn a_look_on_demand_leaves_a_writer_time_to_get_on() {
    let (site, source) = (Site::default(), Noting::default());
    let options = site.options(&rules(&[])).policy_source(source.clone());
    let layer = Sec0SecurityLayer::try_new(options.reload_every(Duration::from_hours(1))).unwrap();
    assert!(matches!(layer.reload(), Reload::Unchanged));
    let looks = source.0.lock().unwrap();
    let [first, second] = looks[..] else { panic!("{looks:?}") };
    assert!(second - first >= Duration::from_millis(20));
}

#[tokio::test]
async fn a_version_that_differs_in_one_digit_of_a_large_number_is_taken() {
    let rules = |id: &'static str| rules(&["mcp://demo/add"]).on_arguments(id);
    let one =
        rules("{id: r, tool: '*', pointer: /a, op: eq, value: 9007199254740992, effect: deny}");
    let other =
        rules("{id: r, tool: '*', pointer: /a, op: eq, value: 9007199254740993, effect: deny}");
    let watched = Watched::new(&one);
    let server = demo()
        .tool(tool("add", Some("1.0")), |_| std::future::ready(done()))
        .layer(watched.layer.clone());
    watched.write(&other.yaml());
    let reload = watched.layer.reload();
    assert!(matches!(reload, Reload::Taken { .. }), "{reload:?}");
    let answer = ask(&server, "add", json!({"a": 9_007_199_254_740_993_u64})).await;
    assert_eq!(denial(&answer)["reason"], "rule_denied");
}
