//! `sec0 policy`, one file for each thing to ask of a policy.

mod asking;
mod check;
mod explain;
mod fixtures;
pub(super) mod input;
mod test;

use crate::failure::Failure;
use clap::Subcommand;
use std::io::Write as _;

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    Check(check::Check),
    Explain(explain::Explain),
    Test(test::Test),
    /// Print the schema of policy files as JSON Schema, for editors.
    Schema,
}

impl Policy {
    pub(super) fn run(self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(out),
            Self::Explain(explain) => explain.run(out),
            Self::Test(test) => test.run(out),
            Self::Schema => {
                serde_json::to_writer_pretty(&mut *out, &sec0::Policy::json_schema())?;
                Ok(writeln!(out)?)
            }
        }
    }
}
