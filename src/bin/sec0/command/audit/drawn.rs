use crate::failure::Failure;
use sec0::approval::Visible;
use sec0::audit::{LineSigned, RunLink, RunNode};
use sec0::call::SpanIds;
use std::io::Write as _;

/// From this depth on a number stands in place of the branches, so that a long chain has short lines.
const MAX_BRANCHES: usize = 24;

/// A line for each record, with the branches before it.
pub(super) fn draw(nodes: &[RunNode], out: &mut Vec<u8>) -> Result<(), Failure> {
    let is_last = last_ones(nodes);
    // Whether a branch of each depth goes on below.
    let mut goes_on = Vec::new();
    for (node, is_last) in nodes.iter().zip(is_last) {
        goes_on.truncate(node.depth);
        if node.depth >= MAX_BRANCHES {
            write!(out, "({}) ", node.depth)?;
        } else {
            for above in goes_on.iter().skip(1) {
                write!(out, "{}", if *above { "│  " } else { "   " })?;
            }
            if node.depth > 0 {
                write!(out, "{}", if is_last { "└─ " } else { "├─ " })?;
            }
        }
        goes_on.push(!is_last);
        writeln!(out, "{}", told(node))?;
    }
    Ok(())
}

/// Which nodes have no sibling behind them.
fn last_ones(nodes: &[RunNode]) -> Vec<bool> {
    // Whether one of each depth was met, from the end on, below the same record.
    let mut met: Vec<bool> = Vec::new();
    let mut last: Vec<_> = nodes
        .iter()
        .rev()
        .map(|node| {
            met.truncate(node.depth + 1);
            met.resize(node.depth + 1, false);
            met.last_mut().is_none_or(|met| !std::mem::replace(met, true))
        })
        .collect();
    last.reverse();
    last
}

/// One record on one line.
fn told(node: &RunNode) -> String {
    let record = &node.record;
    let shown = |text: &Option<Box<str>>| Visible(text.as_deref().unwrap_or("-")).to_string();
    let decision = match &record.reason {
        Some(_) => format!("{}/{}", shown(&record.decision), shown(&record.reason)),
        None => shown(&record.decision),
    };
    let mut parts = vec![
        format!("{} ({})", Visible(record.name()), shown(&record.node_id)),
        shown(&record.status),
        decision,
    ];
    match (record.executed, record.latency_ms) {
        (Some(false), _) => parts.push("not run".to_owned()),
        (_, Some(latency)) => parts.push(format!("{latency} ms")),
        (_, None) => {}
    }
    parts.extend([Visible(&record.ts).to_string(), short(record.span)]);
    parts.extend(notes(node));
    parts.join("  ")
}

/// What is to be said of a record besides, each in brackets.
fn notes(node: &RunNode) -> Vec<String> {
    let record = &node.record;
    let cause = record.cause.map(short).unwrap_or_default();
    let link = match &node.link {
        RunLink::OtherRun { run, name } => {
            let (run, name) = (Visible(run.as_deref().unwrap_or("-")), Visible(name));
            Some(format!("[caused by {name} of the run {run}, {cause}]"))
        }
        RunLink::Unlinked => Some(format!("[unlinked: its cause {cause} is not here]")),
        RunLink::Circular => Some(format!("[in a circle: its cause {cause} is below it]")),
        RunLink::First | RunLink::Caused | _ => None,
    };
    let recovered = record.recovered.then(|| "[completed after a crash]".to_owned());
    let lines = (record.lines > 1).then(|| {
        let word = if record.disagree { ", which disagree" } else { "" };
        format!("[{} lines{word}]", record.lines)
    });
    let signed = match record.signed {
        LineSigned::No => Some("[NOT SIGNED by the given keys]".to_owned()),
        LineSigned::Missing => Some("[no signature of its own]".to_owned()),
        LineSigned::Yes | LineSigned::Unchecked | _ => None,
    };
    [link, recovered, lines, signed].into_iter().flatten().collect()
}

fn short(span: SpanIds) -> String {
    span.span_hex().to_string().chars().take(8).collect()
}
