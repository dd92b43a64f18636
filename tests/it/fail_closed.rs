//! What cannot be recorded does not run: signer, sink, key and directory fail.

use crate::faults::{Fault, FaultySigner, FaultySink, Trouble};
use crate::support::{
    Answer, Latch, Lines, Rules, Runs, Site, ask, demo, denial, eventually, is_fine, key,
    sha256_of, soon, text, tool,
};
use futures::poll;
use rmcp::ServerHandler;
use sec0::audit::OpenError;
use sec0::otel::Otel;
use sec0::sign::KeyError;
use sec0::stack::StartError;
use sec0::{Policy, Sec0Options, Sec0SecurityLayer};
use serde_json::{Value, json};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// The server with a tool that the latch holds and one that is not held.
fn server(layer: &Sec0SecurityLayer, runs: &Runs, latch: &Latch) -> impl ServerHandler + use<> {
    demo()
        .tool(tool("add", Some("1.0")), runs.handler())
        .tool(tool("hold", Some("1.0")), latch.handler(runs))
        .layer(layer.clone())
}

fn is_refused(answer: &Answer, code: &str, executed: bool) {
    let denial = denial(answer);
    assert_eq!(denial["code"], code);
    assert_eq!(denial["reason"], "missing_audit_signature");
    assert_eq!(denial["executed"], executed);
    assert_eq!(text(answer).contains("refused"), !executed, "{}", text(answer));
    assert!(!text(answer).contains("away"), "the operator's words are not the caller's");
}

/// Two outages of one log, and the log after them.
async fn goes_through_it<K: Copy>(
    site: &Site,
    layer: &Sec0SecurityLayer,
    code: &str,
    fault: &Fault<K>,
    kind: K,
) {
    let (runs, latch) = (Runs::default(), Latch::new());
    let server = server(layer, &runs, &latch);
    let (mut recorded, mut refused) = (Vec::new(), Vec::new());
    for round in 0..2 {
        let outage = Outage { server: &server, runs: &runs, latch: &latch, site, code, round };
        let count = outage.passes(fault, kind, &mut recorded).await;
        refused.push(json!(count));
    }
    let lines = site.close(layer).await;
    every_record_is_there_once(&lines, &recorded);
    let recoveries = lines.events_of("recovery");
    let counted: Vec<_> = recoveries.iter().map(|event| event["refused_calls"].clone()).collect();
    assert_eq!(counted, refused);
    for event in recoveries {
        assert_eq!((&event["status"], &event["tenant"]), (&json!("ok"), &json!("acme")));
        for absent in ["tool", "target_tool", "policy", "input_sha256"] {
            assert_eq!(event.get(absent), None, "{absent}");
        }
    }
}

/// A call under way, a fault, calls during it, its end.
struct Outage<'a, S> {
    server: &'a S,
    runs: &'a Runs,
    latch: &'a Latch,
    site: &'a Site,
    code: &'a str,
    round: usize,
}

impl<S: ServerHandler> Outage<'_, S> {
    /// Notes the arguments of every call that entered; counts those that were refused.
    async fn passes<K: Copy>(&self, fault: &Fault<K>, kind: K, recorded: &mut Vec<String>) -> u64 {
        let mut held = Box::pin(ask(self.server, "hold", self.arguments("held", 0)));
        assert!(poll!(&mut held).is_pending());
        self.latch.entered(1).await;
        for n in 0..3 {
            assert!(is_fine(&self.add("before", n).await));
            recorded.push(sha256_of(&self.arguments("before", n)));
        }

        // All is written but the call under way: one line a call, one for each outage before.
        let lines = recorded.len() + self.round;
        eventually(async || self.site.sink.lines().len() == lines).await;
        fault.begin(kind);
        // In this mode the reply may leave before its line is written.
        assert!(is_fine(&self.add("first", 0).await));
        recorded.push(sha256_of(&self.arguments("first", 0)));
        fault.known().await;
        for n in 0..5 {
            self.is_refused("during", n).await;
        }
        self.latch.release(1);
        is_refused(&soon(held).await, self.code, true);
        recorded.push(sha256_of(&self.arguments("held", 0)));

        fault.end();
        let mut late = 0;
        eventually(async || {
            let answer = self.add("after", late).await;
            if !is_fine(&answer) {
                is_refused(&answer, self.code, false);
                late += 1;
            }
            is_fine(&answer)
        })
        .await;
        recorded.push(sha256_of(&self.arguments("after", late)));
        5 + late
    }

    async fn is_refused(&self, what: &str, n: u64) {
        let before = self.runs.get();
        is_refused(&self.add(what, n).await, self.code, false);
        assert_eq!(self.runs.get(), before, "nothing runs");
    }

    async fn add(&self, what: &str, n: u64) -> Answer {
        ask(self.server, "add", self.arguments(what, n)).await
    }

    fn arguments(&self, what: &str, n: u64) -> Value {
        json!({ "round": self.round, "what": what, "n": n })
    }
}

fn every_record_is_there_once(lines: &Lines, recorded: &[String]) {
    let by_input = lines.by_input();
    assert!(by_input.values().all(|&count| count == 1), "{by_input:?}");
    assert_eq!(by_input.len(), recorded.len());
    for digest in recorded {
        assert!(by_input.contains_key(digest));
    }
    for call in &lines.calls {
        assert_eq!(call["executed"], true, "{call:#}");
        // What was kept from its caller says so: reply and record give the same reason.
        if call["target_tool"] == "hold@1.0" {
            assert_eq!(call["policy"]["reason"], "missing_audit_signature", "{call:#}");
            assert_eq!(call["risk_tags"], json!(["missing_audit_signature"]), "{call:#}");
        } else {
            assert_eq!((&call["status"], call.get("risk_tags")), (&json!("ok"), None));
        }
    }
}

async fn a_signer_in(trouble: Trouble) {
    let (site, fault) = (Site::default(), Fault::none());
    let signer = FaultySigner { fault: fault.clone() };
    let options = site.options(&Rules::observe()).signer(signer);
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    goes_through_it(&site, &layer, "SIGNING_FAILED", &fault, trouble).await;
}

#[tokio::test]
async fn a_signer_that_fails_stops_all_calls_until_it_works_again() {
    a_signer_in(Trouble::Fails).await;
}

#[tokio::test]
async fn a_signer_that_panics_is_one_that_fails() {
    a_signer_in(Trouble::PanicsAtOnce).await;
    a_signer_in(Trouble::PanicsWhenPolled).await;
}

/// Takes as long as a signature may take: five seconds, once, since the second signature that
/// hangs is let go.
#[tokio::test]
async fn a_signer_that_hangs_is_one_that_fails() {
    let (site, fault) = (Site::default(), Fault::none());
    let signer = FaultySigner { fault: fault.clone() };
    let layer = Sec0SecurityLayer::try_new(site.options(&Rules::enforce()).signer(signer)).unwrap();
    let (runs, latch) = (Runs::default(), Latch::new());
    let server = server(&layer, &runs, &latch);
    fault.begin(Trouble::Hangs);
    assert!(is_fine(&ask(&server, "add", json!({ "n": 0 })).await));
    fault.known().await;
    is_refused(&ask(&server, "add", json!({ "n": 1 })).await, "SIGNING_FAILED", false);
    assert_eq!(runs.get(), 1);
    fault.end();
    let mut refused = 1;
    eventually(async || {
        let fine = is_fine(&ask(&server, "add", json!({ "n": 2 })).await);
        refused += u64::from(!fine);
        fine
    })
    .await;
    let lines = site.close(&layer).await;
    assert_eq!((lines.calls.len(), runs.get()), (2, 2));
    assert_eq!(lines.events_of("recovery").len(), 1);
    assert_eq!(lines.events[0]["refused_calls"], refused);
}

#[tokio::test]
async fn a_sink_that_fails_stops_all_calls_until_it_works_again() {
    for kind in [ErrorKind::StorageFull, ErrorKind::PermissionDenied] {
        let (site, fault) = (Site::default(), Fault::none());
        let sink = FaultySink { inner: site.sink.clone(), fault: fault.clone() };
        let options = site.options(&Rules::enforce()).audit_sink(sink);
        let layer = Sec0SecurityLayer::try_new(options).unwrap();
        goes_through_it(&site, &layer, "AUDIT_UNAVAILABLE", &fault, kind).await;
    }
}

/// The policy has no word in it: not its mode, and not `deny_on`.
#[tokio::test]
async fn a_call_that_cannot_be_recorded_is_refused_for_that_reason_whatever_deny_on_holds() {
    for (mode, deny_on) in [
        (None, &[][..]),
        (Some("observe"), &[]),
        (Some("observe"), &["missing_audit_signature"]),
        (Some("enforce"), &[]),
        (Some("enforce"), &["tool_not_in_allowlist", "version_unpinned"]),
        (Some("enforce"), &["missing_audit_signature"]),
    ] {
        let (site, fault) = (Site::default(), Fault::none());
        let sink = FaultySink { inner: site.sink.clone(), fault: fault.clone() };
        let options = site.options(&Rules::with(mode, deny_on)).audit_sink(sink);
        let layer = Sec0SecurityLayer::try_new(options).unwrap();
        goes_through_it(&site, &layer, "AUDIT_UNAVAILABLE", &fault, ErrorKind::StorageFull).await;
    }
}

#[tokio::test]
async fn what_was_found_before_does_not_become_the_reason_of_a_call_that_cannot_be_recorded() {
    let (site, fault, runs, latch) =
        (Site::default(), Fault::none(), Runs::default(), Latch::new());
    let sink = FaultySink { inner: site.sink.clone(), fault: fault.clone() };
    let rules = Rules::with(Some("enforce"), &["payload_too_large"]).pinned();
    let layer = Sec0SecurityLayer::try_new(site.options(&rules).audit_sink(sink)).unwrap();
    let server = demo().tool(tool("hold", None), latch.handler(&runs)).layer(layer.clone());
    let held = [json!({ "n": 1 }), json!({ "n": 2 })];
    let mut calls: Vec<_> =
        held.into_iter().map(|with| Box::pin(ask(&server, "hold", with))).collect();
    for call in &mut calls {
        assert!(poll!(call).is_pending());
    }
    latch.entered(2).await;
    fault.begin(ErrorKind::StorageFull);
    latch.release(1);
    // The first reply leaves in this mode, and its line shows what is wrong.
    assert!(is_fine(&soon(calls.remove(0)).await));
    fault.known().await;
    latch.release(1);
    let answer = soon(calls.remove(0)).await;
    is_refused(&answer, "AUDIT_UNAVAILABLE", true);
    let reasons = json!(["version_unpinned", "missing_audit_signature"]);
    assert_eq!(denial(&answer)["reasons"], reasons);
    is_refused(&ask(&server, "hold", json!({})).await, "AUDIT_UNAVAILABLE", false);
    fault.end();
    let records = site.close(&layer).await.calls;
    let withheld = records.iter().find(|record| record["risk_tags"] == reasons).unwrap();
    assert_eq!(withheld["policy"]["reason"], "missing_audit_signature");
    assert_eq!(withheld["decision_reason"], "missing_audit_signature");
}

#[tokio::test]
async fn the_memory_sink_can_be_told_to_fail_and_to_heal() {
    let (site, runs, latch) = (Site::default(), Runs::default(), Latch::new());
    let layer = site.layer(&Rules::enforce());
    let server = server(&layer, &runs, &latch);
    site.sink.fail_with(ErrorKind::StorageFull);
    eventually(async || !is_fine(&ask(&server, "add", json!({})).await)).await;
    assert_eq!(site.sink.lines().len(), 0);
    site.sink.heal();
    eventually(async || is_fine(&ask(&server, "add", json!({})).await)).await;
    let lines = site.close(&layer).await;
    assert_eq!((lines.calls.len(), lines.events_of("recovery").len()), (runs.get(), 1));
}

/// `try_new` says why not; with `new` every call is refused, and nothing runs.
async fn does_not_start(options: impl Fn() -> Sec0Options) -> StartError {
    let error = Sec0SecurityLayer::try_new(options()).expect_err("it started");
    let (runs, latch) = (Runs::default(), Latch::new());
    let layer = Sec0SecurityLayer::new(options());
    let server = server(&layer, &runs, &latch);
    for n in 0..3 {
        let answer = ask(&server, "add", json!({ "n": n })).await;
        is_refused(&answer, "AUDIT_UNAVAILABLE", false);
    }
    assert_eq!(runs.get(), 0);
    error
}

/// The policy without a signer of the test's own, so that the key is looked for.
fn in_dir(rules: &Rules, dir: &Path) -> Sec0Options {
    Sec0Options::new(rules.policy()).audit_dir(dir)
}

fn write_key(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

const SEED: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

#[tokio::test]
async fn a_key_that_others_can_read_does_not_start() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("audit/keys/ed25519.key");
    let options = || in_dir(&Rules::enforce(), &temp.path().join("audit"));
    write_key(&file, SEED, 0o644);
    let error = does_not_start(options).await;
    assert!(matches!(error, StartError::Key(KeyError::OpenToOthers { .. })), "{error}");
    assert!(error.to_string().contains("chmod 600"), "{error}");
    assert!(!error.to_string().contains(SEED));

    write_key(&file, "no key at all", 0o600);
    let error = does_not_start(options).await;
    assert!(matches!(error, StartError::Key(KeyError::NotAKey { .. })), "{error}");
    assert!(!error.to_string().contains("no key at all"));

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let error = does_not_start(options).await;
    assert!(matches!(error, StartError::Key(_)), "{error}");

    // The same place with a key in it is fine.
    fs::remove_dir(&file).unwrap();
    write_key(&file, SEED, 0o600);
    let layer = Sec0SecurityLayer::try_new(options()).unwrap();
    layer.try_shutdown().await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_not_there_does_not_start_where_there_is_a_log() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("audit");
    let options = || in_dir(&Rules::enforce(), &dir);
    // The first start makes the key.
    let layer = Sec0SecurityLayer::try_new(options()).unwrap();
    let server = demo().tool(tool("add", Some("1.0")), Runs::default().handler());
    let server = server.layer(layer.clone());
    assert!(is_fine(&ask(&server, "add", json!({})).await));
    layer.try_shutdown().await.unwrap();
    drop((server, layer));
    fs::remove_file(dir.join("keys/ed25519.key")).unwrap();
    let error = does_not_start(options).await;
    assert!(matches!(error, StartError::Key(_)), "{error}");
    assert!(!dir.join("keys/ed25519.key").exists(), "no other key is made for it");
}

#[tokio::test]
async fn a_key_reference_stays_within_its_directories() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("outside.key");
    write_key(&file, SEED, 0o600);
    let outside = Rules::enforce().key_ref(format!("file://{}", file.display()));
    let error = does_not_start(|| in_dir(&outside, &temp.path().join("audit"))).await;
    assert_eq!(
        error.to_string(),
        format!(
            "[sec0-signer] keyRef path \"{}\" is outside allowed directories. \
             Set SEC0_SIGNER_KEY_DIRS to permit it.",
            file.display()
        )
    );

    let absent = Rules::enforce().key_ref("file://keys/no-such-key-is-here.key".to_owned());
    let error = does_not_start(|| in_dir(&absent, &temp.path().join("audit"))).await;
    assert!(matches!(error, StartError::Key(KeyError::Unreadable { .. })), "{error}");

    let other = Rules::enforce().key_ref("vault://somewhere".to_owned());
    let error = does_not_start(|| in_dir(&other, &temp.path().join("audit"))).await;
    let words = "Unsupported keyRef \"vault://somewhere\". Only file:// key refs are supported.";
    assert_eq!(error.to_string(), format!("[sec0-signer] {words}"));
}

#[tokio::test]
async fn a_digest_key_that_cannot_be_used_does_not_start_and_leaves_no_log() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("audit");
    let file = temp.path().join("outside.key");
    write_key(&file, SEED, 0o600);
    for (key_ref, words) in [
        (format!("file://{}", file.display()), "is outside allowed directories"),
        ("file://keys/no-such-key-is-here.key".to_owned(), "cannot be read: No such file"),
    ] {
        let text = format!("{}audit: {{digest_key: '{key_ref}'}}\n", Rules::enforce().yaml());
        let policy = || Policy::from_yaml(&text).unwrap();
        let options = || Sec0Options::new(policy()).audit_dir(&dir);
        let error = does_not_start(options).await;
        assert!(matches!(error, StartError::DigestKey(_)), "{error}");
        assert!(error.to_string().starts_with("the key that `audit.digest_key` names "), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!dir.exists());

        let path = temp.path().join("policy.yaml");
        fs::write(&path, &text).unwrap();
        let error = Sec0Options::from_policy_file(&path).unwrap_err();
        assert!(matches!(error, StartError::DigestKey(_)), "{error}");
        // One that the program gives is used in its place.
        let layer = Sec0SecurityLayer::try_new(options().digest_key([7; 32])).unwrap();
        layer.try_shutdown().await.unwrap();
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[tokio::test]
async fn a_directory_that_is_none_or_a_link_does_not_start() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    fs::write(&file, "mine").unwrap();
    let with_key = |dir: &Path| in_dir(&Rules::enforce(), dir).signer(key());
    let error = does_not_start(|| with_key(&file)).await;
    assert!(matches!(error, StartError::Audit(_)), "{error}");
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    let link = temp.path().join("link");
    let real = temp.path().join("real");
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    let error = does_not_start(|| with_key(&link)).await;
    assert!(matches!(error, StartError::Audit(OpenError::Unfit { .. } | OpenError::Io { .. })));
    assert!(error.to_string().contains(link.to_str().unwrap()), "{error}");
    assert_eq!(fs::read_dir(&real).unwrap().count(), 0);

    let error = does_not_start(|| with_key(&file.join("below"))).await;
    assert!(matches!(error, StartError::Audit(_)), "{error}");
}

#[tokio::test]
async fn a_directory_that_another_log_writes_to_does_not_start() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("audit");
    let options = || in_dir(&Rules::enforce(), &dir);
    let first = Sec0SecurityLayer::try_new(options()).unwrap();
    let error = does_not_start(options).await;
    assert!(matches!(error, StartError::Audit(OpenError::Locked { .. })), "{error}");
    first.try_shutdown().await.unwrap();
    drop(first);
    let second = Sec0SecurityLayer::try_new(options()).unwrap();
    second.try_shutdown().await.unwrap();
}

#[tokio::test]
async fn telemetry_without_its_parts_does_not_start_and_leaves_no_log() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("audit");
    let options =
        || in_dir(&Rules::enforce(), &dir).otel(Otel::new().endpoint("http://127.0.0.1:9"));
    let error = does_not_start(options).await;
    assert!(matches!(error, StartError::Otel(_)), "{error}");
    for part in ["otel.endpoint", "otel.serviceName", "otel.environment", "in the options"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(!dir.exists());
}

#[tokio::test]
async fn the_environment_of_complete_telemetry_stands_in_each_record() {
    let site = Site::default();
    let otel =
        Otel::new().endpoint("http://127.0.0.1:9").service_name("orders").environment("prod");
    let layer = Sec0SecurityLayer::try_new(site.options(&Rules::enforce()).otel(otel)).unwrap();
    let (runs, latch) = (Runs::default(), Latch::new());
    assert!(is_fine(&ask(&server(&layer, &runs, &latch), "add", json!({})).await));
    assert_eq!(site.close(&layer).await.only()["env"], "prod");
}
