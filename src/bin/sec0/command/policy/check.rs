use super::input;
use crate::command::json;
use crate::failure::Failure;
use clap::Args;
use sec0::policy::{Policy as Compiled, PolicyError, Problem};
use serde_json::{Value, json as value};
use std::error::Error as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Check a policy file: every key, every value, and what is probably not meant.
///
/// The signing key that the policy names is not opened.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The policy file.
    file: PathBuf,
    /// The server's tools, as it answers to `tools/list`: entries that match none of them, and tools
    /// that no entry allows, are warnings.
    #[arg(long, value_name = "FILE")]
    server_tools: Option<PathBuf>,
    /// Whose tools they are; entries for other servers are left alone.
    #[arg(long, value_name = "NAME", requires = "server_tools")]
    server: Option<String>,
    /// Exit with status 1 where there are warnings.
    #[arg(long)]
    deny_warnings: bool,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match Compiled::from_file(&self.file) {
            Ok(policy) => self.fine(&policy, out),
            Err(error) => self.wrong(&error, out),
        }
    }

    fn fine(&self, policy: &Compiled, out: &mut Vec<u8>) -> Result<(), Failure> {
        let mut warnings = policy.warnings().to_vec();
        if let Some(file) = &self.server_tools {
            let tools = input::tools(file)?;
            let named = tools.iter().map(|tool| (&*tool.name, tool.version.as_ref()));
            let server = self.server.as_deref();
            warnings.extend(policy.warnings_for(server, named));
            let schemed = tools.iter().map(|it| (&*it.name, it.version.as_ref(), it.schema()));
            warnings.extend(policy.warnings_for_schemas(server, schemed));
            warnings.sort_by_key(|warning| (warning.line, warning.column));
        }
        if self.json {
            let report = value!({
                "valid": true,
                "digest": policy.digest().to_string(),
                "problems": [],
                "warnings": problems(&warnings),
            });
            json(out, &report)?;
            return self.denied(&warnings, String::new());
        }
        for warning in &warnings {
            writeln!(out, "warning: {}:{warning}", policy.file())?;
        }
        let count = warnings.len();
        let fault = format!("{}: {count} warnings, and `--deny-warnings`", policy.file());
        self.denied(&warnings, fault)?;
        writeln!(out, "{}: fine, {count} warnings", policy.file())?;
        Ok(writeln!(out, "digest {}", policy.digest())?)
    }

    /// Ends with `fault` where there are warnings that must not be.
    fn denied(&self, warnings: &[Problem], fault: String) -> Result<(), Failure> {
        if self.deny_warnings && !warnings.is_empty() {
            return Err(Failure::DoesNotHold(fault));
        }
        Ok(())
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
