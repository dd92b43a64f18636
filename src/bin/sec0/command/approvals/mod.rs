//! `sec0 approvals`: the desk at which people decide on calls, one file for each verb. `approve` and
//! `reject` are one, `decide`.
//!
//! `desk` finds escalations, `standing` works out how one stands, `report` says it to scripts.

mod decide;
mod desk;
mod list;
mod report;
mod show;
mod standing;
mod table;
mod watch;

use crate::failure::Failure;
use clap::Subcommand;
use sec0::approval::Choice;

/// Calls that wait for a human.
#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    List(list::List),
    Show(show::Show),
    /// Approve a call: sign that it may be made, once and exactly as shown.
    ///
    /// The arguments are printed, secrets masked, before what is said of the vote. Nothing is asked;
    /// look with `show` first. Exit status: 0 the vote counts, 1 it does not.
    Approve(decide::Decide),
    /// Reject a call: sign that it may not be made.
    ///
    /// Nothing is asked; look with `show` first. Exit status: 0 the vote counts, 1 it does not.
    Reject(decide::Decide),
    Watch(watch::Watch),
}

impl Approvals {
    pub(super) fn run(self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(out),
            Self::Show(show) => show.run(out),
            Self::Approve(decide) => decide.run(Choice::Approve, out),
            Self::Reject(decide) => decide.run(Choice::Reject, out),
            Self::Watch(watch) => watch.run(),
        }
    }
}
