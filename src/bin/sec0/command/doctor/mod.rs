//! `sec0 doctor`: the checklist of a set-up, one file for each area.

mod check;
mod config;
mod place;
mod wrap;

use crate::command::json;
use crate::failure::Failure;
use clap::Args;
use std::io::{IsTerminal as _, Write as _, stdout};
use std::path::PathBuf;

/// Check a set-up: configuration, key, policy, directories and hops, each with what is wrong and
/// what to do.
///
/// Nothing is changed. Exit status 1 when a check fails; a check that lacks its input is `n/a`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The configuration, usually `sec0.config.yaml`.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let checks = config::checks(self.config.as_deref());
        if self.json {
            json(out, &checks)?;
        } else {
            let width = stdout().is_terminal().then(wrap::width);
            for check in &checks {
                check.write(out, width)?;
            }
        }
        let (count, failed) =
            (checks.len(), checks.iter().filter(|check| check.has_failed()).count());
        match failed {
            0 if self.json => Ok(()),
            0 => Ok(writeln!(out, "{count} checks, none failed")?),
            _ if self.json => Err(Failure::DoesNotHold(String::new())),
            _ => Err(Failure::DoesNotHold(format!("{failed} of {count} checks failed"))),
        }
    }
}
