//! The verbs, one file each.

mod approvals;
mod audit;
mod dedupe;
mod doctor;
mod keygen;
mod policy;
mod tools;
mod when;

use crate::failure::Failure;
use clap::Subcommand;
use serde::Serialize;
use std::io::Write;
use when::{now, when};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Decide on the calls that wait for a human.
    #[command(subcommand)]
    Approvals(approvals::Approvals),
    /// Check audit logs.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Release idempotency keys whose calls ended unknown.
    #[command(subcommand)]
    Dedupe(dedupe::Dedupe),
    Doctor(doctor::Doctor),
    Keygen(keygen::Keygen),
    /// Check policies.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Pin the tools of a server, and see what became of them.
    #[command(subcommand)]
    Tools(tools::Tools),
}

impl Command {
    /// Runs the verb; what it has to say goes to `out`.
    pub(crate) fn run(self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Approvals(approvals) => approvals.run(out),
            Self::Audit(audit) => audit.run(out),
            Self::Dedupe(dedupe) => dedupe.run(out),
            Self::Doctor(doctor) => doctor.run(out),
            Self::Keygen(keygen) => keygen.run(out),
            Self::Policy(policy) => policy.run(out),
            Self::Tools(tools) => tools.run(out),
        }
    }
}

/// One JSON value on a line of its own.
fn json(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value)?;
    Ok(writeln!(out)?)
}
