//! `sec0 audit`: logs that hold, logs that somebody changed, and proofs for single lines.

use super::Desk;
use rmcp::model::{CallToolResult, ContentBlock, Tool};
use sec0::audit::{Event, FileSink, Log, LogOptions, Site};
use sec0::call::SpanIds;
use sec0::clock::{Manual, Timestamp};
use sec0::digest::Digest;
use sec0::tlog::{Checkpoint, Edge, Note, VerifierKey, leaf_hash, origin_of};
use sec0::{LocalDevSigner, MapRegistry, Policy, Sec0Options, Sec0SecurityLayer, Signer as _};
use serde_json::json;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::Arc;

/// Midday, so that all lines are of one day.
const NOON: i64 = 1_790_000_000_000 / 86_400_000 * 86_400_000 + 43_200_000;

const CALLS: usize = 6;

/// A log of six calls in `log`: four that ran, one refused, one of a tool that is none.
async fn logged() -> Desk {
    let desk = Desk::new();
    write_log(&desk).await;
    desk
}

async fn write_log(desk: &Desk) {
    let policy = "tenant: acme\ndefault_retention: 30d\nsigning: {enabled: true}\n\
                  tools: {allowlist: ['mcp://demo/add'], deny_if_unpinned_version: false}\n\
                  enforcement: {deny_on: [tool_not_in_allowlist]}\n";
    let options = Sec0Options::new(Policy::from_yaml(policy).unwrap())
        .audit_dir(desk.path("log"))
        .clock(Arc::new(Manual::at(Timestamp::from_millis(NOON))));
    let sec0 = Sec0SecurityLayer::try_new(options).unwrap();
    let tool = |name: &'static str| Tool::new(name, "", serde_json::Map::new());
    let answer = |text: &'static str| CallToolResult::success(vec![ContentBlock::text(text)]);
    let registry = MapRegistry::new("demo", "1.0.0")
        .tool(tool("add"), move |_| async move { answer("5") })
        .tool(tool("rm"), move |_| async move { answer("gone") })
        .layer(sec0.clone());
    for n in 0..CALLS - 2 {
        registry.call("add", json!({"n": n})).await.unwrap();
    }
    assert_eq!(registry.call("rm", json!({})).await.unwrap().is_error, Some(true));
    registry.call("nope", json!({})).await.unwrap_err();
    sec0.try_shutdown().await.unwrap();
    // What the writer has not sealed is sealed here.
    if !desk.path("log/checkpoint").exists() {
        desk.write("log/checkpoint", &desk.note());
    }
    std::fs::copy(desk.path("log/checkpoint"), desk.path("kept")).unwrap();
}

impl Desk {
    /// A checkpoint of the log as it lies there.
    fn note(&self) -> String {
        let (mut edge, mut last) = (Edge::new(), None);
        for line in self.lines() {
            edge.push(leaf_hash(line.as_bytes()));
            last = Some(Digest::of(line.as_bytes()));
        }
        let origin = origin_of("acme", None);
        let signer = LocalDevSigner::from_file(&self.path("log/keys/ed25519.key")).unwrap();
        let key = VerifierKey::new(&origin, signer.public_key()).unwrap();
        let text = Checkpoint::new(&origin, &edge, last).unwrap().to_string();
        let signature = signer.sign_now(Note::to_sign(&text).unwrap());
        Note::assemble(&text, &key, &signature).unwrap().to_string()
    }

    fn key_id(&self) -> String {
        LocalDevSigner::from_file(&self.path("log/keys/ed25519.key")).unwrap().public_key().key_id()
    }

    fn day(&self) -> String {
        let names = std::fs::read_dir(self.path("log")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let days: Vec<_> = names.filter(|name| name.ends_with(".ndjson")).collect();
        assert_eq!(days.len(), 1, "{days:?}");
        days[0].clone()
    }

    fn lines(&self) -> Vec<String> {
        let text = self.read(&format!("log/{}", self.day()));
        text.lines().map(str::to_owned).collect()
    }

    fn put(&self, lines: &[String]) {
        let text = lines.join("\n") + if lines.is_empty() { "" } else { "\n" };
        self.write(&format!("log/{}", self.day()), &text);
    }

    /// It does not hold, and the first bad line is this one.
    #[track_caller]
    fn is_bad_at(&self, line: usize, word: &str) {
        let start = format!("{}:{line}: ", self.day());
        let run = self.verify(&[]).ended(1);
        assert!(run.err.starts_with(&start), "expected {start}, found {}", run.err);
        assert!(run.err.contains(word), "{}", run.err);
        assert_eq!(run.out, "");
        let report = self.verify(&["--json"]).ended(1).json();
        assert_eq!(report["holds"], false);
        assert_eq!(format!("{}\n", report["why"].as_str().unwrap()), run.err);
    }
}

#[tokio::test]
async fn a_good_log_holds_and_its_totals_are_told() {
    let desk = logged().await;
    let run = desk.verify(&[]).ended(0);
    for text in ["records  6", "ok         4", "denied     2", "seq      0 to 5"] {
        assert!(run.out.contains(text), "{text} is not in {}", run.out);
    }
    assert!(run.out.ends_with("and signed or under a checkpoint\n"), "{}", run.out);
    let report = desk.verify(&["--json"]).ended(0).json();
    let bytes = std::fs::metadata(desk.path(&format!("log/{}", desk.day()))).unwrap().len();
    let day = desk.day().replace("audit-", "").replace(".ndjson", "");
    let ts = report["first_ts"].clone();
    assert!(ts.as_str().unwrap().starts_with(&day), "{ts}");
    let expected = json!({
        "holds": true, "files": 1, "records": 6, "events": 0, "bytes": bytes,
        "by_status": {"ok": 4, "denied": 2},
        "first_ts": ts, "last_ts": ts, "first_seq": 0, "last_seq": 5,
        "streams": 1, "recovered": 0, "checkpoints": 1, "checkpoint_size": 6, "uncovered": 0,
        "keys": [desk.key_id()],
    });
    assert_eq!(report, expected);
}

#[tokio::test]
async fn a_decision_on_what_nobody_saw_created_is_counted_and_said() {
    let desk = logged().await;
    let key = desk.path("log/keys/ed25519.key");
    let signer = Arc::new(LocalDevSigner::from_file(&key).unwrap());
    let sink = FileSink::open(desk.path("log")).unwrap();
    let at = Timestamp::from_millis(NOON);
    let site = Site::middleware("acme", "30d");
    let options = LogOptions::new(site, signer, sink).clock(Arc::new(Manual::at(at)));
    let log = Log::open(options).unwrap();
    let decision = json!({
        "approvals": [], "finalization_reason": "timed_out_rejected", "rejections": [],
        "status": "expired",
    });
    let event = Event::approval_decided(at, SpanIds::default(), [7; 16], false, &decision);
    log.event(event.unwrap());
    log.shutdown(std::time::Duration::from_secs(5)).await.unwrap();
    let run = desk.verify(&[]).ended(0);
    assert!(
        run.out.contains("note     1 lines about approvals could not be checked"),
        "{}",
        run.out
    );
    assert_eq!(desk.verify(&["--json"]).ended(0).json()["unchecked"], 1);
}

#[tokio::test]
async fn an_edited_line_is_found_wherever_it_is() {
    let desk = logged().await;
    let good = desk.lines();
    for at in 0..CALLS {
        for (from, to) in [
            ("\"tenant\":\"acme\"", "\"tenant\":\"acne\""),
            ("\"server\":\"", "\"server\":\"x"),
            ("\"executed\":", "\"executed\": "),
        ] {
            let mut lines = good.clone();
            assert!(lines[at].contains(from), "{}", lines[at]);
            lines[at] = lines[at].replacen(from, to, 1);
            desk.put(&lines);
            desk.is_bad_at(at + 1, "the line was changed");
        }
    }
    let mut lines = good.clone();
    lines[2] = lines[2].replacen("\"status\":\"ok\"", "\"status\":\"ok\",\"status\":\"ok\"", 1);
    desk.put(&lines);
    desk.is_bad_at(3, "");
    desk.put(&good);
    desk.verify(&[]).ended(0);
}

#[tokio::test]
async fn a_deleted_line_is_found_at_the_line_behind_it() {
    let desk = logged().await;
    let good = desk.lines();
    for at in 1..CALLS - 1 {
        let mut lines = good.clone();
        lines.remove(at);
        desk.put(&lines);
        desk.is_bad_at(at + 1, "missing before it");
    }
}

#[tokio::test]
async fn a_log_that_begins_late_needs_the_checkpoint_of_the_day_before() {
    let desk = logged().await;
    desk.put(&desk.lines()[1..]);
    desk.is_bad_at(1, "older lines are gone");
}

#[tokio::test]
async fn a_duplicated_an_inserted_and_a_moved_line_are_found() {
    let desk = logged().await;
    let good = desk.lines();
    for at in 0..CALLS {
        let mut lines = good.clone();
        lines.insert(at, good[at].clone());
        desk.put(&lines);
        desk.is_bad_at(at + 2, "duplicated");
    }
    for at in 1..CALLS - 1 {
        let mut lines = good.clone();
        lines.swap(at, at + 1);
        desk.put(&lines);
        desk.is_bad_at(at + 1, "missing before it");
    }
    // A line of another log, signed by another key.
    let other = logged().await;
    let mut lines = good.clone();
    lines[3] = other.lines()[3].clone();
    desk.put(&lines);
    desk.is_bad_at(4, "");
    let mut lines = good.clone();
    lines.push(other.lines()[0].clone());
    desk.put(&lines);
    desk.is_bad_at(CALLS + 1, "");
}

/// A line that the same key signed, with the same number, in another log: its trace ids differ.
#[tokio::test]
async fn a_line_replayed_from_another_log_of_the_same_key_is_found() {
    let (desk, other) = (logged().await, Desk::new());
    std::fs::create_dir_all(other.path("log/keys")).unwrap();
    for half in ["log/keys/ed25519.key", "log/keys/ed25519.pub"] {
        std::fs::copy(desk.path(half), other.path(half)).unwrap();
    }
    write_log(&other).await;
    other.verify(&[]).ended(0);
    let good = desk.lines();
    for at in 0..CALLS - 1 {
        let mut lines = good.clone();
        lines[at] = other.lines()[at].clone();
        assert_ne!(lines[at], good[at]);
        desk.put(&lines);
        // The first line has no line before it that could tell.
        desk.is_bad_at(if at == 0 { 2 } else { at + 1 }, "`prev_sha256`");
    }
    // The end of another log behind the beginning of this one.
    desk.put(&[&good[..3], &other.lines()[3..]].concat());
    desk.is_bad_at(4, "`prev_sha256`");
}

#[tokio::test]
async fn a_torn_last_line_and_garbage_are_found() {
    let desk = logged().await;
    let good = desk.lines();
    let file = format!("log/{}", desk.day());
    let text = desk.read(&file);
    for cut in [1, 40] {
        desk.write(&file, text.get(..text.len() - cut).unwrap());
        desk.is_bad_at(CALLS, "incomplete");
    }
    for garbage in ["", "{}", "null", "not json", "{\"seq\":6}"] {
        let mut lines = good.clone();
        lines.push(garbage.to_owned());
        desk.put(&lines);
        desk.is_bad_at(CALLS + 1, "");
    }
}

#[tokio::test]
async fn another_key_does_not_fit_and_a_second_one_may() {
    let desk = logged().await;
    desk.run(&["keygen", "--out", "other.key"]).ended(0);
    let verify = ["audit", "verify", "log", "--public-key", "other.pub"];
    let run = desk.run(&verify).ended(1);
    assert!(run.err.contains(":1: signed by the key `ed25519:"), "{}", run.err);
    let both = [&verify[..], &["--public-key", "log/keys/ed25519.pub"]].concat();
    desk.run(&both).ended(0);
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_a_wrong_use() {
    let desk = logged().await;
    desk.write("text.pub", "this is no key");
    for (key, text) in [("missing.pub", "cannot be read"), ("text.pub", "no public key")] {
        let run = desk.run(&["audit", "verify", "log", "--public-key", key]).ended(2);
        assert!(run.err.contains(key) && run.err.contains(text), "{}", run.err);
        assert!(!run.err.contains("this is no key"), "what the file holds was told");
    }
}

#[tokio::test]
async fn a_file_that_is_a_link_is_not_followed() {
    let desk = logged().await;
    let file = desk.path("log").join(desk.day());
    std::fs::rename(&file, desk.path("elsewhere")).unwrap();
    symlink(desk.path("elsewhere"), &file).unwrap();
    let run = desk.verify(&[]).ended(2);
    assert!(run.err.contains(&desk.day()), "{}", run.err);
}

#[tokio::test]
async fn a_log_that_was_emptied_or_cut_off_is_shorter_than_its_checkpoint() {
    let desk = logged().await;
    let good = desk.lines();
    desk.put(&good[..CALLS - 1]);
    let run = desk.verify(&[]).ended(1);
    assert!(run.err.starts_with("checkpoint: the log is shorter than its"), "{}", run.err);
    for empty in ["an emptied file", "no file"] {
        let file = desk.path("log").join(desk.day());
        if empty == "no file" {
            std::fs::remove_file(file).unwrap();
        } else {
            std::fs::write(file, "").unwrap();
        }
        let run = desk.verify(&[]).ended(1);
        assert!(run.err.contains("it has 0 lines of 6"), "{empty}: {}", run.err);
    }
}

#[tokio::test]
async fn an_empty_log_is_said_to_be_empty_unless_a_checkpoint_was_kept() {
    let desk = logged().await;
    std::fs::remove_file(desk.path("log").join(desk.day())).unwrap();
    std::fs::remove_file(desk.path("log/checkpoint")).unwrap();
    if desk.path("log/checkpoints").exists() {
        std::fs::remove_dir_all(desk.path("log/checkpoints")).unwrap();
    }
    let run = desk.verify(&[]).ended(0);
    assert!(run.out.contains("records  0") && run.out.contains("the log is empty"));
    let report = desk.verify(&["--json"]).ended(0).json();
    assert_eq!((&report["records"], &report["last_seq"]), (&json!(0), &json!(null)));
    let run = desk.verify(&["--checkpoint", "kept"]).ended(1);
    assert!(run.err.starts_with("kept: the log is shorter than its checkpoint"), "{}", run.err);
    std::fs::copy(desk.path("log/keys/ed25519.pub"), desk.path("key.pub")).unwrap();
    std::fs::remove_dir_all(desk.path("log")).unwrap();
    let verify = ["audit", "verify", "log", "--public-key", "key.pub"];
    desk.run(&verify).ended(2);
    let run = desk.run(&[&verify[..], &["--checkpoint", "kept"]].concat()).ended(1);
    assert!(run.err.contains("it has 0 lines of 6"), "{}", run.err);
}

#[tokio::test]
async fn a_log_without_its_checkpoint_does_not_hold() {
    let desk = logged().await;
    std::fs::remove_file(desk.path("log/checkpoint")).unwrap();
    let run = desk.verify(&[]).ended(1);
    assert!(run.err.starts_with("checkpoint: missing"), "{}", run.err);
    assert_eq!(desk.verify(&["--json"]).ended(1).json()["holds"], false);
}

#[tokio::test]
async fn a_kept_checkpoint_shows_that_the_log_was_rewritten_with_its_own_key() {
    let desk = logged().await;
    let report = desk.verify(&["--checkpoint", "kept", "--json"]).ended(0).json();
    assert_eq!(report["checkpoints"], 2);
    let key = desk.read("log/keys/ed25519.key");
    let public = desk.read("log/keys/ed25519.pub");
    let kept = desk.read("kept");
    std::fs::remove_dir_all(desk.path("log")).unwrap();
    std::fs::create_dir_all(desk.path("log/keys")).unwrap();
    desk.write("log/keys/ed25519.key", &key);
    desk.write("log/keys/ed25519.pub", &public);
    let secret = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(desk.path("log/keys/ed25519.key"), secret).unwrap();
    write_log(&desk).await;
    desk.write("kept", &kept);
    desk.verify(&["--every-signature"]).ended(0);
    let run = desk.verify(&["--checkpoint", "kept"]).ended(1);
    let named = format!("{}:1: the line, or one of the 3 behind it", desk.day());
    assert!(run.err.starts_with(&named) && run.err.contains("`kept`"), "{}", run.err);
    desk.write("kept", "not a checkpoint");
    let run = desk.verify(&["--checkpoint", "kept"]).ended(2);
    assert!(run.err.contains("kept: "), "{}", run.err);
    desk.verify(&["--checkpoint", "nowhere"]).ended(2);
}

#[tokio::test]
async fn a_proof_holds_without_the_log_and_for_no_other_line() {
    let desk = logged().await;
    let lines = desk.lines();
    let key = ["--public-key", "key.pub"];
    std::fs::copy(desk.path("log/keys/ed25519.pub"), desk.path("key.pub")).unwrap();
    for seq in 0..CALLS {
        let file = format!("{seq}.tlog-proof");
        let prove = ["audit", "prove", "log", "--seq", &seq.to_string()].map(str::to_owned);
        let prove: Vec<&str> = prove.iter().map(String::as_str).collect();
        let run = desk.run(&[&prove[..], &key, &["--out", &file]].concat()).ended(0);
        assert_eq!(run.out, "");
        assert_eq!(desk.run(&prove).ended(0).out, desk.read(&file));
        // A file that is there is not replaced.
        desk.run(&[&prove[..], &["--out", &file]].concat()).ended(2);
    }
    let run = desk.run(&["audit", "prove", "log", "--seq", "6"]).ended(1);
    assert!(run.err.starts_with("no checkpoint covers line 6"), "{}", run.err);
    desk.run(&["keygen", "--out", "other.key"]).ended(0);
    let wrong = ["audit", "prove", "log", "--seq", "1", "--public-key", "other.pub"];
    assert!(desk.run(&wrong).ended(1).err.contains("under this name by another key"));
    std::fs::remove_dir_all(desk.path("log")).unwrap();
    for (seq, line) in lines.iter().enumerate() {
        let file = format!("{seq}.tlog-proof");
        let verify = [&["audit", "verify-proof", &file][..], &key].concat();
        let report = desk.run(&[&verify[..], &["--json"]].concat()).ended(0).json();
        assert_eq!(report["line"], **line);
        assert_eq!((&report["seq"], &report["size"]), (&json!(seq), &json!(6)));
        assert_eq!(report["origin"], "sec0-audit/acme");
        let run = desk.run(&verify).ended(0);
        assert!(run.out.starts_with(&format!("{line}\n")), "{}", run.out);
        desk.write("line", &format!("{line}\n"));
        desk.run(&[&verify[..], &["--line", "line", "--origin", "sec0-audit/acme"]].concat())
            .ended(0);
        desk.run(&[&verify[..], &["--origin", "sec0-audit/acne"]].concat()).ended(1);
        desk.write("line", &lines[(seq + 1) % CALLS]);
        let run = desk.run(&[&verify[..], &["--line", "line"]].concat()).ended(1);
        assert!(run.err.starts_with("the line is not in the log"), "{}", run.err);
        desk.run(&["audit", "verify-proof", &file, "--public-key", "other.pub", "--json"]).ended(1);
    }
}

#[tokio::test]
async fn a_directory_that_is_not_there_does_not_hold() {
    let desk = logged().await;
    let key = ["--public-key", "log/keys/ed25519.pub"];
    let run = desk.run(&[&["audit", "verify", "lgo"], &key[..]].concat()).ended(2);
    assert!(run.err.contains("lgo"), "{}", run.err);
}

#[tokio::test]
async fn a_file_in_the_place_of_the_directory_is_a_wrong_use() {
    let desk = logged().await;
    desk.write("file", "");
    let key = ["--public-key", "log/keys/ed25519.pub"];
    let run = desk.run(&[&["audit", "verify", "file"], &key[..]].concat()).ended(2);
    assert!(run.err.contains("file"), "{}", run.err);
}

#[tokio::test]
async fn verifying_changes_nothing() {
    let desk = logged().await;
    let state = |desk: &Desk| {
        let mut all: Vec<_> = std::fs::read_dir(desk.path("log")).unwrap().collect();
        // The store closes when its thread comes to it, and is no part of the log.
        let name = |entry: &std::fs::DirEntry| entry.file_name().into_string().unwrap();
        all.retain(|entry| !name(entry.as_ref().unwrap()).starts_with("sec0.db"));
        all.sort_by_key(|entry| entry.as_ref().unwrap().path());
        let of = |entry: std::io::Result<std::fs::DirEntry>| {
            let (path, meta) = entry.map(|e| (e.path(), e.metadata().unwrap())).unwrap();
            (path, meta.len(), meta.modified().unwrap())
        };
        all.into_iter().map(of).collect::<Vec<_>>()
    };
    let before = state(&desk);
    desk.verify(&[]).ended(0);
    assert_eq!(state(&desk), before);
}
