//! What the policy alone takes for one call: no server, no log, one thread.

use crate::machine::{cpu, now};
use crate::measure::{Paced, Saturated};
use sec0::Policy;
use sec0::call::{Arguments, Hints, ToolRef, ToolVersion};
use sec0::policy::{Asked, Evidence, Ruling};
use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;

/// A reading of the clock costs as much as what is measured, so it is taken around so many calls.
const BATCH: u32 = 100;
const BATCHES: u32 = 5_000;

const HEAD: &str = "tenant: bench\ndefault_retention: 30d\nsigning: {enabled: true}\n\
                    enforcement: {mode: enforce, deny_on: [tool_not_in_allowlist, version_unpinned]}\n";

/// An allowlist of so many entries, of which the last allows the tool.
pub(crate) fn authorize(entries: usize) -> Result<String, Box<dyn Error>> {
    let mut text = format!("{HEAD}tools:\n  allowlist:\n");
    for entry in 1..entries {
        writeln!(text, "  - mcp://bench/other_{entry}@1.0")?;
    }
    writeln!(text, "  - mcp://bench/echo@1.0")?;
    row(&text)
}

/// So many rules, three of them for the tool; the call meets all three.
pub(crate) fn rules(count: usize) -> Result<String, Box<dyn Error>> {
    let mut text = format!("{HEAD}tools: {{allowlist: ['mcp://bench/*']}}\nrules:\n");
    for rule in 3..count {
        let tool = format!("tool: 'mcp://bench/other_{rule}', pointer: /path");
        writeln!(text, "- {{id: r{rule}, {tool}, op: prefix, value: /etc/, effect: deny}}")?;
    }
    for (id, op) in [
        ("a", "pointer: /path, op: prefix, value: /etc/, effect: deny"),
        ("b", "pointer: /path, op: glob, value: '/srv/*.txt', effect: allow"),
        ("c", "pointer: /size, op: gt, value: 1000, effect: deny"),
    ] {
        writeln!(text, "- {{id: {id}, tool: 'mcp://bench/echo', {op}}}")?;
    }
    row(&text)
}

fn row(text: &str) -> Result<String, Box<dyn Error>> {
    let policy = Policy::from_yaml(text)?;
    let version = ToolVersion::new("1.0");
    let tool = ToolRef::new("bench", "echo", version.as_ref());
    let mut arguments = Arguments::new();
    arguments.insert("path".to_owned(), "/srv/reports/october.txt".into());
    arguments.insert("size".to_owned(), 100.into());
    let mut hints = Hints::default();
    hints.read_only = Some(true);
    let judge = || {
        let evidence = Evidence::new(tool, hints, true).with_arguments(Some(&arguments));
        let asked = Asked::new(tool, policy.operation(&evidence)).with_arguments(Some(&arguments));
        policy.judge(black_box(&asked))
    };
    if judge().ruling() != Ruling::Allow {
        return Err("the call of the row is not allowed".into());
    }
    let mut latencies = Vec::new();
    let (started, spent) = (now(), cpu());
    for _ in 0..BATCHES {
        let asked = now();
        for _ in 0..BATCH {
            black_box(judge());
        }
        latencies.push(asked.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH));
    }
    let calls = usize::try_from(BATCH * BATCHES)?;
    let full = Saturated::of(calls, started.elapsed(), cpu().saturating_sub(spent));
    Ok(full.figures(Some(&Paced::of(latencies)), None))
}
