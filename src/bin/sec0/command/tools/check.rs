use super::{Sides, report};
use crate::failure::Failure;
use clap::Args;
use serde_json::json;
use std::io::Write as _;

/// Check that a server's tools are those in the lock file.
///
/// Ends with status 1 where they are not, and names the first that differ.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    sides: Sides,
}

impl Check {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let (now, drift, notes) = self.sides.drift()?;
        let file = self.sides.lock.display();
        if self.sides.json {
            let report = json!({
                "holds": drift.is_empty(),
                "tools": now.tools().len(),
                "server": report::server(&drift),
                "binary": report::binary(&drift),
                "changes": report::changes(&drift, false),
                "notes": notes,
            });
            report::print(out, &report)?;
        }
        if !drift.is_empty() {
            let text = format!("{file}: {drift}; `sec0 tools diff` shows old and new text");
            return Err(Failure::DoesNotHold(if self.sides.json { String::new() } else { text }));
        }
        if !self.sides.json {
            for note in &notes {
                writeln!(out, "note: {note}")?;
            }
            writeln!(out, "{file}: holds, {} tools", now.tools().len())?;
        }
        Ok(())
    }
}
