use super::record::{Entry, NoLine};
use super::{LinePlace, LineSigned, RunLink, RunTree};
use crate::audit::tests::{cases, facts_at, push};
use crate::audit::{FileSink, Log, LogOptions, MAX_LINE, Site};
use crate::sign::{LocalDevSigner, Signer as _};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A line of the run `run`, with the span `own`, caused by the span `cause`.
fn line(run: &str, own: u64, cause: Option<u64>, more: &str) -> String {
    let cause = cause.map_or(String::new(), |cause| {
        format!(r#""cause_span_id":"{cause:016x}","cause_trace_id":"{:032x}","#, 7)
    });
    format!(
        r#"{{"agentRef":"{run}",{cause}"hop":"H.{own}","policy":{{"decision":"allow"}},{more}"span_id":"{own:016x}","status":"ok","tenant":"acme","trace_id":"{:032x}","ts":"2026-11-23T08:15:30.{:03}Z"}}"#,
        7,
        own % 1000,
    )
}

/// Directories with logs: each text is the file of a writer of its own.
struct Logs(TempDir);

impl Logs {
    fn new(files: &[String]) -> Self {
        let logs = Self(tempfile::tempdir().unwrap());
        for (at, text) in files.iter().enumerate() {
            // Two writers to a directory.
            let dir = logs.0.path().join(format!("d{}", at / 2));
            fs::create_dir_all(&dir).unwrap();
            let writer = if at % 2 == 0 { String::new() } else { ".w-2".to_owned() };
            fs::write(dir.join(format!("audit-2026-11-23{writer}.ndjson")), text).unwrap();
        }
        logs
    }

    fn dirs(&self) -> Vec<PathBuf> {
        let dirs = fs::read_dir(self.0.path()).unwrap();
        dirs.map(|dir| dir.unwrap().path()).collect()
    }

    fn tree(&self) -> RunTree {
        RunTree::read(&self.dirs(), "r", &[]).unwrap()
    }
}

fn of(lines: &[String]) -> RunTree {
    Logs::new(&[lines.join("\n") + "\n"]).tree()
}

/// The tree as `depth:span`, each with a letter for its link.
fn drawn(tree: &RunTree) -> String {
    let mut text = String::new();
    for node in &tree.nodes {
        let letter = match node.link {
            RunLink::First => 'f',
            RunLink::Caused => 'c',
            RunLink::OtherRun { .. } => 'o',
            RunLink::Unlinked => 'u',
            RunLink::Circular => 'x',
        };
        write!(text, "{}{}{letter} ", node.depth, node.record.name().replace("H.", ":")).unwrap();
    }
    text.trim_end().to_owned()
}

#[test]
fn a_record_hangs_below_its_cause_and_siblings_stand_by_time() {
    let lines = [
        line("r", 3, Some(1), ""),
        line("r", 4, Some(2), ""),
        line("r", 2, Some(1), ""),
        line("r", 1, None, ""),
        line("other", 9, Some(1), ""),
    ];
    let tree = of(&lines);
    assert_eq!(drawn(&tree), "0:1f 1:2c 2:4c 1:3c");
    assert_eq!(
        tree.nodes.iter().map(|node| node.parent).collect::<Vec<_>>(),
        [None, Some(0), Some(1), Some(0)]
    );
    assert_eq!((tree.unlinked(), tree.unread, tree.left_out), (0, 0, 0));
    assert_eq!(tree.newest_runs, ["other"]);
}

#[test]
fn a_cause_that_is_nowhere_is_told_from_one_of_another_run() {
    let lines = [
        line("r", 2, Some(1), ""),
        line("r", 4, Some(3), ""),
        line("parent", 3, None, ""),
        line("r", 5, Some(2), ""),
    ];
    let tree = of(&lines);
    assert_eq!(drawn(&tree), "0:2u 1:5c 0:4o");
    assert_eq!(tree.unlinked(), 1);
    let other = RunLink::OtherRun { run: Some("parent".into()), name: "H.3".into() };
    assert_eq!(tree.nodes[2].link, other);
}

#[test]
fn records_in_a_circle_are_drawn_once_and_named() {
    let lines = [
        line("r", 1, Some(3), ""),
        line("r", 2, Some(1), ""),
        line("r", 3, Some(2), ""),
        line("r", 4, Some(3), ""),
        line("r", 5, Some(5), ""),
    ];
    assert_eq!(drawn(&of(&lines)), "0:1x 1:2c 2:3c 3:4c 0:5x");
}

#[test]
fn a_line_that_recovery_wrote_again_is_drawn_once_and_the_writers_own_counts() {
    let own = line("r", 1, None, "");
    let again = line("r", 1, None, r#""recovered":true,"#).replace("\"ok\"", "\"unknown\"");
    for lines in [[own.clone(), again.clone()], [again, own.clone()]] {
        let tree = of(&lines);
        assert_eq!(drawn(&tree), "0:1f");
        let record = &tree.nodes[0].record;
        assert_eq!(
            (record.status.as_deref(), record.lines, record.disagree),
            (Some("ok"), 2, false)
        );
    }
    let forged = own.replace("H.1", "H.forged");
    for lines in [[own.clone(), forged.clone()], [forged, own]] {
        let tree = of(&lines);
        assert_eq!((tree.nodes.len(), tree.nodes[0].record.disagree), (1, true));
    }
}

#[test]
fn what_is_no_line_of_a_log_is_counted_and_named() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(3 * MAX_LINE));
    let deep = "[".repeat(100_000);
    let spaced = line("r", 2, None, "").replace(",\"hop\"", ", \"hop\"");
    let zero = line("r", 0, None, "");
    let bad = [long, deep, spaced, zero, "null".to_owned(), String::new(), "\u{1b}[2J".to_owned()];
    let mut lines = vec![line("r", 1, None, "")];
    lines.extend(bad.iter().cloned());
    lines.push(line("r", 3, Some(1), ""));
    let logs = Logs::new(&[lines.join("\n") + "\n" + "{\"torn\":"]);
    let tree = logs.tree();
    assert_eq!(drawn(&tree), "0:1f 1:3c");
    assert_eq!(tree.unread, 8);
    let first = tree.first_unread.unwrap();
    assert!(first.file.ends_with("audit-2026-11-23.ndjson") && first.line == 2, "{first:?}");
}

#[test]
fn a_record_keeps_no_more_of_a_text_than_is_drawn() {
    let text = line("r", 1, None, "").replace("H.1", &"é".repeat(400_000));
    let entry = read(&text).unwrap().unwrap();
    assert!(entry.record.name().len() < 300, "{}", entry.record.name().len());
    assert_eq!(read("[1]").unwrap_err(), NoLine);
}

fn read(text: &str) -> Result<Option<Entry>, NoLine> {
    Entry::read(text, || LinePlace { file: "a".into(), line: 1 })
}

#[test]
fn a_chain_of_any_length_is_drawn_without_recursion_and_more_records_than_the_bound_are_counted() {
    let count = u64::try_from(RunTree::MAX_RECORDS).unwrap();
    let all: String = (1..=count + 3)
        .map(|own| line("r", own, own.checked_sub(1).filter(|it| *it > 0), "") + "\n")
        .collect();
    let tree = Logs::new(&[all]).tree();
    assert_eq!((tree.nodes.len(), tree.left_out), (RunTree::MAX_RECORDS, 3));
    assert_eq!(tree.nodes.last().unwrap().depth, RunTree::MAX_RECORDS - 1);
    let in_circle: String =
        (0..1000).map(|own| line("r", own + 1, Some((own + 1) % 1000 + 1), "") + "\n").collect();
    assert_eq!(Logs::new(&[in_circle]).tree().nodes.len(), 1000);
}

#[test]
fn a_directory_that_is_given_twice_is_read_once() {
    let logs = Logs::new(&[line("r", 1, None, "") + "\n"]);
    let dir = logs.dirs().remove(0);
    let tree = RunTree::read(&[dir.clone(), dir.join(".")], "r", &[]).unwrap();
    assert_eq!(tree.nodes[0].record.lines, 1);
    let gone = RunTree::read(&[dir.join("gone")], "r", &[]).unwrap_err();
    assert!(gone.to_string().contains("gone: cannot be read"), "{gone}");
}

#[test]
fn of_the_other_runs_the_newest_are_told() {
    let lines: Vec<_> =
        (1..=30).map(|own| line(&format!("run-{}", own % 15), own, None, "")).collect();
    let told = of(&lines).newest_runs;
    let newest: Vec<_> = (21..=30).rev().map(|own| format!("run-{}", own % 15)).collect();
    assert_eq!(told, newest);
}

#[tokio::test]
async fn the_signature_of_each_line_is_checked_where_there_are_keys() {
    let dir = tempfile::tempdir().unwrap();
    let signer = Arc::new(LocalDevSigner::from_seed([3; 32]));
    let key = signer.public_key();
    let site = Site::middleware("acme", "30d");
    let sink = FileSink::open(dir.path().join("log")).unwrap();
    let log = Log::open(LogOptions::new(site, signer, sink)).unwrap();
    let mut facts = facts_at(1, 1_790_000_000_000);
    facts.claimed.agent_ref = Some("r".into());
    push(&log, facts);
    log.shutdown(Duration::from_secs(5)).await.unwrap();
    let found = |keys: &[_]| {
        let tree = RunTree::read(&[dir.path().join("log")], "r", keys).unwrap();
        tree.nodes.iter().map(|node| node.record.signed).collect::<Vec<_>>()
    };
    let other = LocalDevSigner::from_seed([4; 32]).public_key();
    assert_eq!(found(&[]), [LineSigned::Unchecked]);
    assert_eq!(found(&[other, key]), [LineSigned::Yes]);
    assert_eq!(found(&[other]), [LineSigned::No]);
}

/// Any causes: of `n` records each names one of them, itself, one that is nowhere, or none.
fn any_forest() -> impl Strategy<Value = (Vec<Option<u64>>, Vec<usize>)> {
    (1_usize..40).prop_flat_map(|n| {
        let most = u64::try_from(n).unwrap() + 2;
        (prop::collection::vec(prop::option::of(1..most), n), prop::collection::vec(0_usize..4, n))
    })
}

proptest! {
    #![proptest_config(cases(64))]
    #[test]
    fn any_forest_over_any_files_is_drawn_whole_and_each_record_once((causes, files) in any_forest()) {
        let mut texts = vec![String::new(); 4];
        let mut in_one = String::new();
        for (at, (cause, file)) in causes.iter().zip(&files).enumerate().rev() {
            let line = line("r", u64::try_from(at).unwrap() + 1, *cause, "") + "\n";
            texts[*file].push_str(&line);
            in_one.push_str(&line);
        }
        let tree = Logs::new(&texts).tree();
        let mut seen = BTreeMap::new();
        for (at, node) in tree.nodes.iter().enumerate() {
            let own: usize = node.record.name().trim_start_matches("H.").parse().unwrap();
            prop_assert!(seen.insert(own, at).is_none(), "{own} is drawn twice");
            let cause = causes[own - 1];
            match node.parent {
                Some(parent) => {
                    let above = &tree.nodes[parent];
                    prop_assert_eq!(above.record.name(), format!("H.{}", cause.unwrap()));
                    prop_assert!(parent < at && above.depth + 1 == node.depth);
                }
                None => prop_assert!(node.link != RunLink::Caused && node.depth == 0),
            }
            let is_nowhere = cause.is_some_and(|cause| usize::try_from(cause).unwrap() > causes.len());
            prop_assert_eq!(node.link == RunLink::Unlinked, is_nowhere);
            prop_assert_eq!(node.link == RunLink::First, cause.is_none());
        }
        prop_assert_eq!(seen.len(), causes.len());
        prop_assert_eq!(drawn(&tree), drawn(&Logs::new(&[in_one]).tree()));
    }
}
