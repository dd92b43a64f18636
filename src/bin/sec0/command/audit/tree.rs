use super::drawn::draw;
use super::json;
use crate::failure::Failure;
use clap::Args;
use sec0::approval::Visible;
use sec0::audit::{LineSigned, RunLink, RunNode, RunTree};
use sec0::call::SpanIds;
use sec0::registry::lock::visible_json;
use sec0::sign::key_file;
use serde_json::{Value, json as value};
use std::io::Write as _;
use std::path::PathBuf;

/// Draw a run: its records, each below the one that caused it.
///
/// The records of a run are those that have its id in `agentRef`, in all logs of the directories. What
/// a line says is drawn as it stands: `sec0 audit verify` says whether the logs hold.
#[derive(Debug, Args)]
pub(crate) struct Tree {
    /// The audit directories of all processes that took part.
    #[arg(required = true)]
    dir: Vec<PathBuf>,
    /// The run, as `agentRef` has it.
    #[arg(long, value_name = "ID")]
    run: String,
    /// A public key that signed lines: the signature of each line that is drawn is checked. May be
    /// given several times.
    #[arg(long, value_name = "FILE")]
    public_key: Vec<PathBuf>,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl Tree {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        for dir in &self.dir {
            if !dir.is_dir() {
                let dir = dir.display();
                return Err(Failure::Usage(format!(
                    "`{dir}` is no directory; name the audit directory"
                )));
            }
        }
        let keys: Result<Vec<_>, _> =
            self.public_key.iter().map(|file| key_file::read_public(file)).collect();
        let keys = keys.map_err(Failure::usage)?;
        let tree = RunTree::read(&self.dir, &self.run, &keys).map_err(Failure::usage)?;
        let unsigned = unsigned(&tree);
        let why = if tree.nodes.is_empty() {
            self.none(&tree)
        } else if unsigned > 0 {
            format!(
                "{unsigned} of {} records are not signed by the given keys; give all keys, and see \
                 what `sec0 audit verify` says of the logs",
                tree.nodes.len()
            )
        } else {
            String::new()
        };
        if self.json {
            self.report_json(&tree, &why, out)?;
        } else if !tree.nodes.is_empty() {
            self.report(&tree, out)?;
        }
        match (why.is_empty(), self.json) {
            (true, _) => Ok(()),
            (false, true) => Err(Failure::DoesNotHold(String::new())),
            (false, false) => Err(Failure::DoesNotHold(why)),
        }
    }

    /// The sentence for a run that is not there.
    fn none(&self, tree: &RunTree) -> String {
        let run = Visible(&self.run);
        let unread = match (tree.unread, &tree.first_unread) {
            (1.., Some(place)) => format!(
                " ({} lines could not be read, the first is {}:{})",
                tree.unread,
                Visible(&place.file),
                place.line
            ),
            _ => String::new(),
        };
        if tree.newest_runs.is_empty() {
            return format!(
                "no record of the run `{run}`, nor of any other, is in the directories{unread}; name \
                 those that the program and its servers write to"
            );
        }
        let newest: Vec<_> = tree.newest_runs.iter().map(|run| Visible(run).to_string()).collect();
        format!(
            "no record of the run `{run}` is in the directories{unread}; name all that took part, or \
             one of these runs, the newest first: {}",
            newest.join(", ")
        )
    }

    fn report(&self, tree: &RunTree, out: &mut Vec<u8>) -> Result<(), Failure> {
        let records = tree.nodes.len();
        writeln!(out, "run {}: {}", Visible(&self.run), counted(records, "record"))?;
        draw(&tree.nodes, out)?;
        let unlinked = tree.unlinked();
        if unlinked > 0 {
            writeln!(
                out,
                "note     {unlinked} of the records have a cause that is not in the directories; name \
                 those of the other processes too"
            )?;
        }
        if tree.left_out > 0 {
            let left_out = tree.left_out;
            writeln!(out, "note     {left_out} more records are not drawn: there are too many")?;
        }
        if let (1.., Some(place)) = (tree.unread, &tree.first_unread) {
            writeln!(
                out,
                "note     {} lines could not be read, the first is {}:{}; see `sec0 audit verify`",
                tree.unread,
                Visible(&place.file),
                place.line
            )?;
        }
        if self.public_key.is_empty() {
            writeln!(
                out,
                "note     nothing was verified: give `--public-key` to have these lines checked, and \
                 run `sec0 audit verify` on each directory"
            )?;
        } else if unsigned(tree) == 0 {
            writeln!(
                out,
                "signed   each of these lines; `sec0 audit verify` tells whether others are missing"
            )?;
        }
        Ok(())
    }

    fn report_json(&self, tree: &RunTree, why: &str, out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut report = value!({
            "run": self.run,
            "records": tree.nodes.iter().map(node_json).collect::<Vec<_>>(),
            "unlinked": tree.unlinked(),
            "left_out": tree.left_out,
            "unread": tree.unread,
            "signatures_checked": !self.public_key.is_empty(),
        });
        if let Some(report) = report.as_object_mut().filter(|_| !why.is_empty()) {
            report.insert("why".to_owned(), why.into());
            if tree.nodes.is_empty() {
                report.insert("newest_runs".to_owned(), tree.newest_runs.clone().into());
            }
        }
        // The same value, with nothing that a terminal obeys.
        let mut text = Vec::new();
        json(&mut text, &report)?;
        let text = String::from_utf8(text).map_err(Failure::internal)?;
        Ok(writeln!(out, "{}", visible_json(text.trim_end()))?)
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// How many records were checked and are not signed.
fn unsigned(tree: &RunTree) -> usize {
    let is_not =
        |node: &&RunNode| matches!(node.record.signed, LineSigned::No | LineSigned::Missing);
    tree.nodes.iter().filter(is_not).count()
}

fn node_json(node: &RunNode) -> Value {
    let record = &node.record;
    let ids = |span: SpanIds| {
        value!({
            "trace_id": span.trace_hex().to_string(),
            "span_id": span.span_hex().to_string(),
        })
    };
    let mut report = value!({
        "parent": node.parent,
        "depth": node.depth,
        "link": link_word(&node.link),
        "cause": record.cause.map(ids),
        "trace_id": record.span.trace_hex().to_string(),
        "span_id": record.span.span_hex().to_string(),
        "hop": record.hop,
        "target_tool_ref": record.target_tool_ref,
        "node_id": record.node_id,
        "node_type": record.node_type,
        "status": record.status,
        "decision": record.decision,
        "reason": record.reason,
        "executed": record.executed,
        "latency_ms": record.latency_ms,
        "ts": record.ts,
        "seq": record.seq,
        "file": record.place.file,
        "line": record.place.line,
        "lines": record.lines,
        "recovered": record.recovered,
        "disagree": record.disagree,
        "signed": signed_word(record.signed),
    });
    if let (RunLink::OtherRun { run, name }, Some(report)) = (&node.link, report.as_object_mut()) {
        report.insert("cause_run".to_owned(), value!(run));
        report.insert("cause_name".to_owned(), value!(name));
    }
    report
}

fn link_word(link: &RunLink) -> &'static str {
    match link {
        RunLink::First => "first",
        RunLink::Caused => "caused",
        RunLink::OtherRun { .. } => "other_run",
        RunLink::Circular => "circular",
        RunLink::Unlinked | _ => "unlinked",
    }
}

fn signed_word(signed: LineSigned) -> &'static str {
    match signed {
        LineSigned::Yes => "yes",
        LineSigned::Unchecked => "unchecked",
        LineSigned::Missing => "missing",
        LineSigned::No | _ => "no",
    }
}
