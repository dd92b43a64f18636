//! `sec0 audit tree`: a run drawn by cause.

use super::Desk;
use sec0::Refusal;
use sec0::config::ConfigReader;
use sec0::hop::{AppOptions, Sec0App};
use serde_json::{Value, json};

const CONFIG: &str = "\
app:
  tenant: acme
  environment: dev
  policy: policy.yaml
  hops:
    Desk.serve: {type: orchestrator, nodeId: desk, orchestratorName: desk, orchestratorVersion: '1.0'}
    Stock.look: {type: tool, nodeId: stock, server: warehouse, tool: look@1.0, operation: read}
    Stock.take: {type: tool, nodeId: stock, server: warehouse, tool: take@1.0, operation: delete}
controlPlane: {sec0Dir: state, localSignerPath: keys/ed25519.key, appenderDir: log}
";

const POLICY: &str = "\
tenant: acme
default_retention: 30d
signing: {enabled: true}
tools: {allowlist: ['mcp://sec0-orchestrator/*@*', 'mcp://warehouse/look@1.0']}
enforcement: {deny_on: [tool_not_in_allowlist]}
";

/// The log of one run: an orchestrator, what it looks at, and what it may not take.
async fn shop() -> Desk {
    let desk = Desk::new();
    desk.run(&["keygen", "--out", "keys/ed25519.key"]).ended(0);
    desk.write("policy.yaml", POLICY);
    desk.write("sec0.config.yaml", CONFIG);
    serve(&desk, "run-a").await;
    desk
}

async fn serve(desk: &Desk, run: &str) {
    let reader = ConfigReader::new().variables(|_| None);
    let config = reader.file(desk.path("sec0.config.yaml")).unwrap();
    let app = Sec0App::init(AppOptions::new(config)).unwrap();
    let serve = app.hop("Desk.serve").unwrap();
    let body = |_| async {
        let leaf = |key| app.hop(key).unwrap();
        leaf("Stock.look").run((), |_| async { Ok::<_, Refusal>(()) }).await?;
        leaf("Stock.take").run((), |_| async { Ok::<_, Refusal>(()) }).await.unwrap_err();
        Ok::<_, Refusal>(())
    };
    app.run().id(run).unwrap().scope(serve.run((), body)).await.unwrap();
    app.try_shutdown().await.unwrap();
}

impl Desk {
    fn tree(&self, more: &[&str]) -> super::Run {
        self.run(&[&["audit", "tree", "log"], more].concat())
    }

    /// Another directory with one file of these lines.
    fn log_of(&self, dir: &str, lines: &str) {
        std::fs::create_dir(self.path(dir)).unwrap();
        self.write(&format!("{dir}/audit-2026-11-23.ndjson"), lines);
    }
}

fn line(run: &str, hop: &str, own: u64, cause: u64) -> String {
    let trace = "ab".repeat(16);
    format!(
        r#"{{"agentRef":"{run}","cause_span_id":"{cause:016x}","cause_trace_id":"{trace}","hop":"{hop}","span_id":"{own:016x}","status":"ok","tenant":"acme","trace_id":"{trace}","ts":"2026-11-23T08:15:30.042Z"}}
"#
    )
}

#[tokio::test]
async fn a_run_is_drawn_with_what_each_record_came_to_and_that_nothing_was_verified() {
    let desk = shop().await;
    let run = desk.tree(&["--run", "run-a"]).ended(0);
    let starts = [
        "run run-a: 3 records",
        "Desk.serve (desk)  ok  allow  ",
        "├─ Stock.look (stock)  ok  allow  ",
        "└─ Stock.take (stock)  denied  deny/tool_not_in_allowlist  not run  20",
        "note     nothing was verified: give `--public-key`",
    ];
    assert_eq!(run.out.lines().count(), starts.len(), "{}", run.out);
    for (line, start) in run.out.lines().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
    let report = desk.tree(&["--run", "run-a", "--json"]).ended(0).json();
    assert_eq!((&report["run"], &report["unlinked"]), (&json!("run-a"), &json!(0)));
    assert_eq!(report["signatures_checked"], false);
    let members = |name: &str| -> Vec<Value> {
        report["records"].as_array().unwrap().iter().map(|record| record[name].clone()).collect()
    };
    assert_eq!(members("parent"), [json!(null), json!(0), json!(0)]);
    assert_eq!(members("executed"), [json!(true), json!(true), json!(false)]);
    assert_eq!(members("link"), ["first", "caused", "caused"]);
}

#[tokio::test]
async fn signatures_are_checked_with_the_key_and_a_line_without_one_that_fits_ends_with_1() {
    let desk = shop().await;
    let key = ["--run", "run-a", "--public-key", "keys/ed25519.pub"];
    let run = desk.tree(&key).ended(0);
    assert!(run.out.contains("\nsigned   each of these lines"), "{}", run.out);
    assert_eq!(desk.tree(&[&key[..], &["--json"]].concat()).json()["records"][2]["signed"], "yes");
    desk.run(&["keygen", "--out", "other.key"]).ended(0);
    let other = desk.tree(&["--run", "run-a", "--public-key", "other.pub"]);
    assert_eq!(other.status, 1);
    assert!(
        other.err.starts_with("3 of 3 records are not signed by the given keys"),
        "{}",
        other.err
    );
    assert_eq!(other.out.matches("[NOT SIGNED by the given keys]").count(), 3, "{}", other.out);
    let both = desk.tree(&[&key[..], &["--public-key", "other.pub"]].concat());
    both.ended(0);
    desk.log_of("forged", &line("run-a", "Desk.forged", 1, 2));
    let run = desk.tree(&[&["forged"], &key[..]].concat());
    assert_eq!(run.status, 1, "{}", run.out);
    assert!(run.err.starts_with("1 of 4 records are not signed"), "{}", run.err);
}

#[tokio::test]
async fn a_run_that_is_not_there_ends_with_1_and_the_newest_ones() {
    let desk = shop().await;
    serve(&desk, "run-b").await;
    let run = desk.tree(&["--run", "run-c"]).ended(1);
    assert_eq!(run.out, "");
    assert!(
        run.err.contains("`run-c`") && run.err.ends_with("the newest first: run-b, run-a\n"),
        "{}",
        run.err
    );
    let report = desk.tree(&["--run", "run-c", "--json"]).ended(1).json();
    assert_eq!(report["newest_runs"], json!(["run-b", "run-a"]));
    let run = desk.run(&["audit", "tree", "keys", "--run", "run-a"]).ended(1);
    assert!(run.err.contains("nor of any other"), "{}", run.err);
    let run = desk.run(&["audit", "tree", "nowhere", "--run", "run-a"]).ended(2);
    assert!(run.err.contains("`nowhere` is no directory"), "{}", run.err);
    desk.run(&["audit", "tree", "--run", "run-a"]).ended(2);
}

#[test]
fn causes_that_are_not_there_are_named() {
    let desk = Desk::new();
    let lines = [line("r", "A.a", 1, 2), line("r", "B.b", 3, 4), line("s", "C.c", 4, 9)].concat();
    desk.log_of("log", &(lines + &line("r", "D.d", 5, 5)));
    let run = desk.tree(&["--run", "r"]).ended(0);
    for text in [
        "A.a (-)  ok  -  2026-11-23T08:15:30.042Z  00000000  [unlinked: its cause 00000000 is not here]",
        "[caused by C.c of the run s, 00000000]",
        "[in a circle: its cause",
        "note     1 of the records have a cause that is not in the directories",
    ] {
        assert!(run.out.contains(text), "{text} is not in {}", run.out);
    }
}

#[test]
fn hostile_lines_write_nothing_to_the_terminal_but_text_and_long_chains_stay_short() {
    let desk = Desk::new();
    let mut lines = line("r", "\\u001b[2J\\u202e\u{202e}\\nB (b)  ok", 1, 9);
    lines += "\u{1b}]0;x\u{7}\n";
    lines.extend((2..3000).map(|own| line("r", "A.a", own, own - 1)));
    desk.log_of("log", &lines);
    for more in [&["--run", "r"][..], &["--run", "r", "--json"], &["--run", "\u{1b}[2J"]] {
        let run = desk.tree(more);
        for text in [run.out, run.err] {
            let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(obeyed), "{}", text.escape_debug());
            assert!(text.lines().count() < 3010);
            assert!(more.len() > 2 || text.lines().all(|line| line.len() < 400));
        }
    }
}
