use super::json;
use crate::failure::Failure;
use clap::{Args, Subcommand};
use sec0::policy::{Policy as Compiled, PolicyError, Problem};
use serde_json::{Value, json as value};
use std::error::Error as _;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    Check(Check),
    /// Print the schema of policy files as JSON Schema, for editors.
    Schema,
}

/// Check a policy file: every key, every value, and what is probably not meant.
///
/// The signing key that the policy names is not opened.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The policy file.
    file: PathBuf,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl Policy {
    pub(super) fn run(self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(out),
            Self::Schema => {
                serde_json::to_writer_pretty(&mut *out, &Compiled::json_schema())?;
                Ok(writeln!(out)?)
            }
        }
    }
}

impl Check {
    fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match Compiled::from_file(&self.file) {
            Ok(policy) => self.fine(&policy, out),
            Err(error) => self.wrong(&error, out),
        }
    }

    fn fine(&self, policy: &Compiled, out: &mut Vec<u8>) -> Result<(), Failure> {
        let warnings = policy.warnings();
        if self.json {
            let report = value!({
                "valid": true,
                "digest": policy.digest().to_string(),
                "problems": [],
                "warnings": problems(warnings),
            });
            return json(out, &report);
        }
        for warning in warnings {
            writeln!(out, "warning: {}:{warning}", policy.file())?;
        }
        writeln!(out, "{}: fine, {} warnings", policy.file(), warnings.len())?;
        Ok(writeln!(out, "digest {}", policy.digest())?)
    }

    fn wrong(&self, error: &PolicyError, out: &mut Vec<u8>) -> Result<(), Failure> {
        if self.json {
            let report = value!({
                "valid": false,
                "problems": problems(error.problems()),
                "warnings": [],
            });
            json(out, &report)?;
        }
        let text = if self.json { String::new() } else { error.to_string() };
        // A file that cannot be read was not checked at all.
        Err(if error.source().is_some() {
            Failure::usage(error)
        } else {
            Failure::DoesNotHold(text)
        })
    }
}

fn problems(problems: &[Problem]) -> Vec<Value> {
    let problem = |problem: &Problem| {
        value!({
            "line": problem.line,
            "column": problem.column,
            "path": problem.path,
            "message": problem.message,
        })
    };
    problems.iter().map(problem).collect()
}
