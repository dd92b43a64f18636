use super::desk::{LISTED, Place, failed, older};
use super::report;
use super::standing::Standing;
use super::table::table;
use crate::command::now;
use crate::failure::Failure;
use clap::Args;
use sec0::approval::Status;
use sec0::store::sqlite::Which;
use serde_json::{Value, json};
use std::io::Write as _;

/// List the calls that wait for a decision, the newest last.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
    /// List those that were decided, too.
    #[arg(long)]
    all: bool,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let which = if self.all { Which::All } else { Which::Pending };
        let desk = self.place.open()?;
        let listed = desk.list(which, LISTED).map_err(failed)?;
        let (damaged, older) = (desk.damaged(), older(&desk, which, LISTED)?);
        let now = now();
        let mut all: Vec<_> = listed.iter().map(|listed| Standing::of(listed, now)).collect();
        // A time that is up has decided, whether or not a server has written so.
        all.retain(|standing| self.all || standing.status() == Status::Pending);
        if self.json {
            let mut reports: Vec<_> = all.iter().map(report::report).collect();
            reports.extend(damaged.iter().map(report::damaged));
            if older > 0 {
                reports.push(json!({ "status": "left_out", "older": older }));
            }
            return report::line(out, &Value::Array(reports));
        }
        if all.is_empty() {
            writeln!(out, "no call waits for a decision")?;
        } else {
            write!(out, "{}", table(&all))?;
        }
        for damaged in damaged {
            writeln!(out, "{damaged}")?;
        }
        if older > 0 {
            writeln!(out, "the list has the newest {LISTED}; {older} older ones are left out")?;
        }
        Ok(())
    }
}
