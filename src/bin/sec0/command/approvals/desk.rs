use crate::failure::Failure;
use clap::Args;
use sec0::approval::Visible;
use sec0::store::sqlite::{ApprovalDesk, DbError, Found, Listed, Which};
use std::io;
use std::path::PathBuf;

/// The most escalations that one list has: as many as a store keeps by itself. One caller has a quarter
/// of them at most, and hides nobody else's.
pub(super) const LISTED: u32 = 65_536;

/// Where the escalations are.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The audit directory.
    #[arg(long, default_value = ".sec0")]
    dir: PathBuf,
}

impl Place {
    pub(super) fn open(&self) -> Result<ApprovalDesk, Failure> {
        let named = self.dir.symlink_metadata();
        if named.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(Failure::Usage(format!(
                "`{}` does not exist; give `--dir` the audit directory of a server",
                self.dir.display()
            )));
        }
        ApprovalDesk::open(&self.dir).map_err(Failure::usage)
    }

    /// The escalation whose id begins so; there must be no other.
    pub(super) fn find(&self, desk: &ApprovalDesk, prefix: &str) -> Result<Listed, Failure> {
        let named = Visible(prefix);
        let list = format!("`sec0 approvals list --all --dir {}` has the ids", self.dir.display());
        let none = || Failure::DoesNotHold(format!("no escalation has the id `{named}`; {list}"));
        match desk.find(prefix).map_err(failed)? {
            Found::One(id) => desk.show(id).map_err(failed)?.ok_or_else(none),
            Found::None => Err(none()),
            Found::Several => Err(Failure::Usage(format!(
                "more than one escalation has an id that begins with `{named}`; give more of its \
                 digits"
            ))),
            Found::NoPrefix => Err(Failure::Usage(format!(
                "`{named}` is no id: give at least the first 6 of its 32 digits, each 0 to 9 or a to \
                 f; {list}"
            ))),
        }
    }
}

/// How many are older than those that a list of the newest `listed` has.
pub(super) fn older(desk: &ApprovalDesk, which: Which, listed: u32) -> Result<u64, Failure> {
    Ok(desk.count(which).map_err(failed)?.saturating_sub(listed.into()))
}

/// The file was there, and could not be used.
pub(super) fn failed(error: DbError) -> Failure {
    if matches!(error, DbError::Damaged | DbError::DamagedApproval(_)) {
        Failure::usage(error)
    } else {
        Failure::internal(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sec0::approval::{ApprovalBounds, Used};

    #[test]
    fn a_list_has_all_that_a_store_keeps_and_one_caller_fills_a_quarter_of_it() {
        let bounds = ApprovalBounds::default();
        let rows = |rows: u32| Used { rows: rows.into(), bytes: 0 };
        assert!(!bounds.fits_all(rows(LISTED), 0));
        assert!(!bounds.fits_share(rows(LISTED / 4), 0));
    }
}
