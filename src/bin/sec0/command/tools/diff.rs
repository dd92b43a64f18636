use super::{Sides, report};
use crate::failure::Failure;
use clap::Args;
use serde_json::json;
use std::io::Write as _;

/// Show how a server's tools differ from the lock file: old and new text.
///
/// Ends with status 0, whether anything differs or not; `sec0 tools check` is for scripts. Characters
/// that hide, or that a terminal obeys, are shown as `\u` and their number.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    sides: Sides,
}

impl Diff {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let (_, drift, notes) = self.sides.drift()?;
        if self.sides.json {
            let report = json!({
                "drift": !drift.is_empty(),
                "server": report::server(&drift),
                "binary": report::binary(&drift),
                "changes": report::changes(&drift, true),
                "notes": notes,
            });
            return report::print(out, &report);
        }
        if let Some(server) = &drift.server {
            writeln!(out, "{server}")?;
        }
        if let Some(binary) = &drift.binary {
            writeln!(out, "{binary}")?;
        }
        for change in &drift.tools {
            writeln!(out, "{change}")?;
            for line in change.diff() {
                writeln!(out, "{}{}", line.side.mark(), line.text)?;
            }
        }
        for note in &notes {
            writeln!(out, "note: {note}")?;
        }
        if drift.is_empty() {
            writeln!(out, "{}: nothing differs", self.sides.lock.display())?;
        }
        Ok(())
    }
}
