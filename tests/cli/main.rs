//! The command `sec0` as scripts and people meet it: exit statuses, texts, JSON.
#![cfg(test)]

use rmcp::model::{CallToolResult, ContentBlock, Tool};
use sec0::clock::Manual;
use sec0::{MapRegistry, Policy, Sec0Options, Sec0SecurityLayer};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

/// The command, in a directory of its own.
struct Desk(tempfile::TempDir);

/// What one run of the command came to.
struct Run {
    status: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            status: output.status.code().expect("it was killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Ended so; with nothing on stderr if it ended well, and with one line of text if not.
    #[track_caller]
    fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout: {}\nstderr: {}", self.out, self.err);
        assert_eq!(self.err.is_empty(), status == 0 || self.out.starts_with('{'), "{}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    fn json(&self) -> Value {
        assert!(self.out.ends_with('\n') && self.out.lines().count() == 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sec0"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("SEC0_SIGNER_KEY_DIRS").env_remove("RUST_BACKTRACE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    fn verify(&self, more: &[&str]) -> Run {
        let verify = ["audit", "verify", "log", "--public-key", "log/keys/ed25519.pub"];
        self.run(&[&verify, more].concat())
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

mod usage {
    use super::*;

    #[test]
    fn every_command_has_help_that_goes_to_stdout() {
        let desk = Desk::new();
        for words in [
            &[][..],
            &["keygen"],
            &["policy"],
            &["policy", "check"],
            &["audit"],
            &["audit", "verify"],
        ] {
            let run = desk.run(&[words, &["--help"]].concat()).ended(0);
            assert!(run.out.contains(&format!("Usage: {}", [&["sec0"], words].concat().join(" "))));
            let short = desk.run(&[words, &["-h"]].concat()).ended(0);
            assert!(short.out.contains("Usage: sec0"));
        }
        let help = desk.run(&["--help"]).ended(0).out;
        for text in ["keygen", "policy", "audit", "0 fine", "1 the thing checked does not hold"] {
            assert!(help.contains(text), "{text}");
        }
        let version = desk.run(&["--version"]).ended(0).out;
        assert_eq!(version, format!("sec0 {}\n", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn wrong_use_is_status_2_and_says_what_is_wrong() {
        let desk = Desk::new();
        let cases: [(&[&str], &str); 8] = [
            (&[], "Usage: sec0"),
            (&["sign"], "'sign'"),
            (&["policy"], "Usage: sec0 policy"),
            (&["policy", "check"], "<FILE>"),
            (&["policy", "check", "a", "b"], "'b'"),
            (&["policy", "chekc", "a"], "'check'"),
            (&["audit", "verify", "log"], "--public-key"),
            (&["keygen", "--force"], "'--force'"),
        ];
        for (words, text) in cases {
            let run = desk.run(words).ended(2);
            assert!(run.err.contains(text), "{words:?}: {}", run.err);
            assert_eq!(run.out, "");
        }
        assert_eq!(std::fs::read_dir(desk.0.path()).unwrap().count(), 0, "something was made");
    }

    /// As in `sec0 … | true`.
    fn into_a_closed_pipe(desk: &Desk, words: &[&str]) -> Run {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Run::of(desk.command(words).stdout(writer).output().unwrap())
    }

    #[test]
    fn a_reader_that_has_gone_away_is_no_failure() {
        let desk = Desk::new();
        desk.write("policy.yaml", policy::GOOD);
        let check = ["policy", "check", "policy.yaml", "--json"];
        for words in [&check[..3], &check, &["keygen", "--out", "a.key"]] {
            let run = into_a_closed_pipe(&desk, words);
            assert_eq!((run.status, run.err.as_str()), (0, ""), "{words:?}");
        }
        assert!(desk.path("a.key").exists());
        // What does not hold does not hold, whoever reads.
        desk.write("policy.yaml", "");
        assert_eq!(into_a_closed_pipe(&desk, &check).status, 1);
    }

    #[test]
    fn a_reader_of_help_that_has_gone_away_is_no_failure() {
        let run = into_a_closed_pipe(&Desk::new(), &["--help"]);
        assert_eq!((run.status, run.err.as_str()), (0, ""));
    }

    #[test]
    fn an_answer_that_cannot_be_written_is_not_reported_as_fine() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let desk = Desk::new();
        desk.write("policy.yaml", policy::GOOD);
        for words in [&["policy", "check", "policy.yaml"][..], &["--help"]] {
            let out = std::fs::OpenOptions::new().write(true).open(full).unwrap();
            let run = Run::of(desk.command(words).stdout(out).output().unwrap());
            assert_eq!(run.status, 3, "{words:?}");
        }
    }
}

mod keygen {
    use super::*;

    #[test]
    fn makes_a_pair_that_only_its_owner_can_read_and_tells_the_public_half() {
        let desk = Desk::new();
        // Whatever the shell allows others by default.
        let sec0 = env!("CARGO_BIN_EXE_sec0");
        let script = format!("umask 0; exec '{sec0}' keygen --out keys/mine.key");
        let output = Command::new("sh").arg("-c").arg(script).current_dir(desk.0.path()).output();
        let run = Run::of(output.unwrap()).ended(0);
        assert_eq!(mode(&desk.path("keys/mine.key")), 0o600);
        assert_eq!(mode(&desk.path("keys")), 0o700);
        let (seed, public) = (desk.read("keys/mine.key"), desk.read("keys/mine.pub"));
        assert_ne!(seed, public);
        let key = sec0::sign::key_file::read_public(&desk.path("keys/mine.pub")).unwrap();
        assert_eq!(public.trim(), key.to_base64());
        for text in ["keys/mine.key", "keys/mine.pub", public.trim(), &key.key_id()] {
            assert!(run.out.contains(text), "{text} is not in {}", run.out);
        }
        assert!(!run.out.contains(seed.trim()), "the seed is on stdout");
    }

    #[test]
    fn says_the_same_as_json() {
        let desk = Desk::new();
        let run = desk.run(&["keygen", "--out", "mine", "--json"]).ended(0);
        let key = sec0::sign::key_file::read_public(&desk.path("mine.pub")).unwrap();
        let expected = json!({
            "key_file": "mine.key",
            "public_key_file": "mine.pub",
            "public_key": key.to_base64(),
            "key_id": key.key_id(),
        });
        assert_eq!(run.json(), expected);
        assert!(!run.out.contains(desk.read("mine.key").trim()), "the seed is on stdout");
    }

    #[test]
    fn puts_the_pair_where_the_default_options_look_for_it() {
        let desk = Desk::new();
        desk.run(&["keygen"]).ended(0);
        assert_eq!(mode(&desk.path(".sec0/keys/ed25519.key")), 0o600);
        assert!(desk.path(".sec0/keys/ed25519.pub").exists());
    }

    #[test]
    fn overwrites_neither_half() {
        let desk = Desk::new();
        desk.run(&["keygen", "--out", "mine.key"]).ended(0);
        let before = (desk.read("mine.key"), desk.read("mine.pub"));
        for json in [&[][..], &["--json"]] {
            let run = desk.run(&[&["keygen", "--out", "mine.key"], json].concat()).ended(2);
            assert!(run.err.contains("`mine.key` exists and is not overwritten"), "{}", run.err);
            assert!(!run.err.contains(before.0.trim()));
        }
        assert_eq!((desk.read("mine.key"), desk.read("mine.pub")), before);

        std::fs::remove_file(desk.path("mine.key")).unwrap();
        let run = desk.run(&["keygen", "--out", "mine.key"]).ended(2);
        assert!(run.err.contains("`mine.pub` exists and is not overwritten"), "{}", run.err);
        assert_eq!(desk.read("mine.pub"), before.1);
        assert!(!desk.path("mine.key").exists(), "half a pair is left");
    }

    #[test]
    fn says_where_it_cannot_write() {
        let desk = Desk::new();
        desk.write("a-file", "");
        let run = desk.run(&["keygen", "--out", "a-file/mine.key"]).ended(2);
        assert!(run.err.contains("a-file"), "{}", run.err);
        // A link is somebody else's file.
        desk.write("target", "");
        symlink(desk.path("target"), desk.path("link.key")).unwrap();
        desk.run(&["keygen", "--out", "link.key"]).ended(2);
        assert_eq!(desk.read("target"), "");
    }
}

mod policy {
    use super::*;

    pub(super) const GOOD: &str = "\
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
}

mod audit {
    use super::*;

    /// Midday, so that all lines are of one day.
    const NOON: i64 = 1_790_000_000_000 / 86_400_000 * 86_400_000 + 43_200_000;

    const CALLS: usize = 6;

    /// A log of six calls in `log`: four that ran, one refused, one of a tool that is none.
    async fn logged() -> Desk {
        let desk = Desk::new();
        let policy = policy::GOOD.replace(", key_ref: file://keys/nobody-made-this.key", "");
        let policy = policy
            .replace("add@1.0'", "add'")
            .replace("tools: {", &format!("tools: {{{UNPINNED}, "));
        let options = Sec0Options::new(Policy::from_yaml(&policy).unwrap())
            .audit_dir(desk.path("log"))
            .clock(Arc::new(Manual::at(sec0::clock::Timestamp::from_millis(NOON))));
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
        desk
    }

    const UNPINNED: &str = "deny_if_unpinned_version: false";

    impl Desk {
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
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
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
        assert!(run.out.ends_with("every line is signed and in its place\n"), "{}", run.out);
        let report = desk.verify(&["--json"]).ended(0).json();
        let bytes = std::fs::metadata(desk.path(&format!("log/{}", desk.day()))).unwrap().len();
        let day = desk.day().replace("audit-", "").replace(".ndjson", "");
        let ts = report["first_ts"].clone();
        assert!(ts.as_str().unwrap().starts_with(&day), "{ts}");
        let expected = json!({
            "holds": true, "files": 1, "records": 6, "events": 0, "bytes": bytes,
            "by_status": {"ok": 4, "denied": 2},
            "first_ts": ts, "last_ts": ts, "first_seq": 0, "last_seq": 5,
        });
        assert_eq!(report, expected);
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
    async fn a_log_that_begins_late_says_so() {
        let desk = logged().await;
        desk.put(&desk.lines()[1..]);
        let run = desk.verify(&[]).ended(0);
        assert!(run.out.contains("older lines are gone"), "{}", run.out);
        assert_eq!(desk.verify(&["--json"]).ended(0).json()["first_seq"], 1);
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

    #[tokio::test]
    async fn a_torn_last_line_and_garbage_are_found() {
        let desk = logged().await;
        let good = desk.lines();
        let file = format!("log/{}", desk.day());
        let text = desk.read(&file);
        desk.write(&file, text.split_at(text.len() - 1).0);
        desk.is_bad_at(CALLS, "incomplete");
        desk.write(&file, text.split_at(text.len() - 40).0);
        desk.is_bad_at(CALLS, "incomplete");
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
    async fn an_empty_log_is_said_to_be_empty() {
        let desk = logged().await;
        for empty in ["an emptied file", "no file"] {
            let file = desk.path("log").join(desk.day());
            if empty == "no file" {
                std::fs::remove_file(file).unwrap();
            } else {
                std::fs::write(file, "").unwrap();
            }
            let run = desk.verify(&[]).ended(0);
            assert!(run.out.contains("records  0") && run.out.contains("the log is empty"));
            if empty == "no file" {
                let report = desk.verify(&["--json"]).ended(0).json();
                assert_eq!((&report["records"], &report["last_seq"]), (&json!(0), &json!(null)));
            }
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
}
