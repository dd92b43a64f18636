//! `sec0 policy`, one file for each thing to ask of a policy.

mod check;
mod explain;
mod input;

use crate::failure::Failure;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    Check(check::Check),
    Explain(explain::Explain),
}

impl Policy {
    pub(super) fn run(self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(out),
            Self::Explain(explain) => explain.run(out),
        }
    }
}
