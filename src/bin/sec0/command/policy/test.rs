use super::asking::Asking;
use super::fixtures::{self, Loaded};
use super::input;
use crate::command::json;
use crate::failure::Failure;
use clap::Args;
use sec0::call::Found;
use sec0::policy::{Case, Expected, Explanation, NoDisk, Policy};
use sec0::registry::Definition;
use serde::Serialize;
use serde_json::{Value, json as value};
use std::collections::HashMap;
use std::error::Error as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Run the tests of a policy: calls, and the verdicts that they are meant to get.
///
/// A test is judged as `sec0 policy explain` judges, but for paths, which are compared by their
/// letters: a test comes out alike on every machine. Exit status: 0 every test holds, 1 one does
/// not, 2 a file cannot be used, or there is no test.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The directory of the fixtures: its files `*.yaml` and `*.yml`.
    dir: PathBuf,
    /// The policy of all fixtures, whatever they name.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Take the annotations of tools as somebody else's claims, which take no side effect away.
    #[arg(long)]
    annotations_are_claims: bool,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

/// One test, and what came out.
#[derive(Serialize)]
struct Row<'a> {
    file: &'a str,
    name: &'a str,
    line: u32,
    ok: bool,
    expected: &'a Expected,
    got: Value,
    #[serde(skip)]
    told: String,
}

/// What fixtures name, each read once.
#[derive(Default)]
struct Named {
    policies: HashMap<PathBuf, Policy>,
    tools: HashMap<PathBuf, Vec<Definition>>,
}

impl Test {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let loaded = fixtures::load(&self.dir, self.policy.as_deref())?;
        let mut named = Named::default();
        for one in &loaded {
            named.read(one)?;
        }
        let mut rows = Vec::new();
        for one in &loaded {
            for case in &one.fixture.cases {
                rows.push(self.judge(one, case, &named)?);
            }
        }
        let failed = rows.iter().filter(|row| !row.ok).count();
        if self.json {
            json(out, &rows)?;
            return if failed == 0 { Ok(()) } else { Err(Failure::DoesNotHold(String::new())) };
        }
        for row in rows.iter().filter(|row| !row.ok) {
            writeln!(out, "{}", row.told)?;
        }
        let sum = format!("{} tests in {} files", rows.len(), loaded.len());
        if failed == 0 {
            return Ok(writeln!(out, "{sum}: all hold")?);
        }
        Err(Failure::DoesNotHold(format!("{sum}: {failed} do not hold")))
    }

    fn judge<'l>(
        &self,
        one: &'l Loaded,
        case: &'l Case,
        named: &Named,
    ) -> Result<Row<'l>, Failure> {
        let policy = named.policies.get(&one.policy);
        let policy = policy.ok_or_else(|| Failure::internal("a policy was not read"))?;
        let tools = one.server_tools.as_ref().and_then(|file| named.tools.get(file));
        let asking = Asking {
            tool: &case.tool,
            tools: tools.map(Vec::as_slice),
            arguments: case.arguments.as_ref(),
            idempotency_key: case.idempotency_key.as_deref(),
            annotations_are_claims: self.annotations_are_claims,
        };
        let (file, line) = (&one.name, case.line);
        let got = asking.ask(policy, &NoDisk).map_err(|error| {
            Failure::Usage(format!(
                "{file}:{line}: the arguments would be refused as malformed: {error}"
            ))
        })?;
        let ok = case.expect.holds(&got);
        let told = if ok { String::new() } else { told(one, case, &got) };
        let (name, expected, got) = (&case.name, &case.expect, reported(&got));
        Ok(Row { file, name, line, ok, expected, got, told })
    }
}

impl Named {
    fn read(&mut self, one: &Loaded) -> Result<(), Failure> {
        if !self.policies.contains_key(&one.policy) {
            self.policies.insert(one.policy.clone(), policy(&one.policy)?);
        }
        if let Some(file) = &one.server_tools
            && !self.tools.contains_key(file)
        {
            self.tools.insert(file.clone(), input::tools(file)?);
        }
        Ok(())
    }
}

fn policy(file: &Path) -> Result<Policy, Failure> {
    let policy = Policy::from_file(file).map_err(|error| match error.source() {
        Some(_) => Failure::usage(error),
        None => Failure::Usage(format!("the policy is not valid\n{error}")),
    })?;
    let own = policy.own_files();
    Ok(policy.on_disk(&own, &NoDisk))
}

/// What came out, for scripts.
fn reported(got: &Explanation) -> Value {
    let reasons: Vec<_> = got.reasons().iter().map(Found::as_str).collect();
    value!({
        "decision": got.decision().as_str(),
        "reason": got.found().map(Found::as_str),
        "reasons": reasons,
        "rule": deciding(got).map(|(id, _)| id),
    })
}

/// The rule that decided, and why.
fn deciding(got: &Explanation) -> Option<(&str, &str)> {
    let rule = got.rules().iter().find(|rule| rule.decided)?;
    Some((&rule.id, &rule.why))
}

/// One line about a test that does not hold.
fn told(one: &Loaded, case: &Case, got: &Explanation) -> String {
    let Expected { decision, reason, reasons, .. } = &case.expect;
    let expected = verdict(decision.as_str(), reason.as_deref(), reasons.as_deref());
    let found: Vec<_> = got.reasons().iter().map(|found| found.as_str().to_owned()).collect();
    // All reasons are of interest where they were asked for.
    let all = reasons.as_ref().map(|_| found.as_slice());
    let found = verdict(got.decision().as_str(), got.found().map(Found::as_str), all);
    let by = deciding(got).map_or(String::new(), |(id, why)| format!("; by `{id}`: {why}"));
    let (file, line, name) = (&one.name, case.line, &case.name);
    format!("{file}:{line}: {name}: expected {expected}, got {found}{by}")
}

fn verdict(decision: &str, reason: Option<&str>, reasons: Option<&[String]>) -> String {
    let reason = reason.map_or(String::new(), |reason| format!(" for {}", reason.escape_debug()));
    let reasons = reasons.map_or(String::new(), |all| {
        let all: Vec<_> = all.iter().map(|one| one.escape_debug().to_string()).collect();
        format!(" with [{}]", all.join(", "))
    });
    format!("{decision}{reason}{reasons}")
}
