use super::asking::Asking;
use super::input;
use crate::command::json;
use crate::failure::Failure;
use clap::Args;
use sec0::call::Found;
use sec0::policy::{Explanation, LocalDisk, NamedTool, Policy};
use serde::Serialize;
use std::error::Error as _;
use std::io::Write as _;
use std::path::PathBuf;

/// Explain what a policy says of one call: the verdict, and every rule that was looked at.
///
/// Any verdict ends with status 0. The signing key that the policy names is not opened.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The policy file.
    file: PathBuf,
    /// The tool, as `mcp://server/tool@version`; a version that the server declares counts more.
    #[arg(long, value_name = "REF")]
    tool: String,
    /// The arguments of the call, as a JSON object.
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
    /// The server's tools: what it answers to `tools/list`, with their versions and annotations.
    #[arg(long, value_name = "FILE")]
    server_tools: Option<PathBuf>,
    /// Take the annotations as somebody else's claims, which take no side effect away.
    #[arg(long, requires = "server_tools")]
    annotations_are_claims: bool,
    /// The idempotency key that the caller sends.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    explanation: &'a Explanation,
    notes: &'a [String],
}

impl Explain {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let policy = Policy::from_file(&self.file).map_err(|error| match error.source() {
            Some(_) => Failure::usage(error),
            None => Failure::Usage(format!("the policy is not valid\n{error}")),
        })?;
        let tool = NamedTool::parse(&self.tool).map_err(|error| {
            Failure::Usage(format!("{error} (`--tool` is the tool of the call)"))
        })?;
        let arguments = self.args.as_deref().map(input::arguments).transpose()?;
        let tools = self.server_tools.as_deref().map(input::tools).transpose()?;
        let policy = policy.clone().on_disk(&policy.own_files(), &LocalDisk);
        let mut notes = Vec::new();
        if tools.is_none() {
            let note = "without `--server-tools` the tool's version is the one that `--tool` has, \
                        and its annotations are not known";
            notes.push(note.to_owned());
        }
        let call = Asking {
            tool: &tool,
            tools: tools.as_deref(),
            arguments: arguments.as_ref(),
            idempotency_key: self.idempotency_key.as_deref(),
            annotations_are_claims: self.annotations_are_claims,
        };
        if let Some(version) = call.other_version() {
            notes.push(format!(
                "`--tool` has another version than the server declares; `{}` is judged, as the \
                 layer would",
                version.as_str().escape_debug()
            ));
        }
        if call.has_unusable_key() {
            let note = "`--idempotency-key` is empty, longer than 256 bytes or has control \
                        characters, so it counts as none";
            notes.push(note.to_owned());
        }
        if policy.checks_paths() && arguments.is_some() {
            let note = "paths were looked up on the disk of this machine, as it is now; the \
                        audit directory of the server is not known here";
            notes.push(note.to_owned());
        }
        let explanation = call.ask(&policy, &LocalDisk).map_err(|error| {
            Failure::Usage(format!("`--args` would be refused as malformed: {error}"))
        })?;
        if self.json {
            return json(out, &Report { explanation: &explanation, notes: &notes });
        }
        self.tell(&explanation, &notes, out)
    }

    fn tell(&self, it: &Explanation, notes: &[String], out: &mut Vec<u8>) -> Result<(), Failure> {
        let reason = it.found().map_or(String::new(), |found| format!(", for {found}"));
        writeln!(out, "{}: {}{reason}", it.decision().as_str(), it.tool())?;
        if it.reasons().len() > 1 {
            let reasons: Vec<_> = it.reasons().iter().map(Found::as_str).collect();
            writeln!(out, "  found: {}", reasons.join(", "))?;
        }
        if let Some(operation) = it.operation() {
            let effect = if operation.side_effect { "side effect" } else { "no side effect" };
            writeln!(out, "  op {}, {effect}, by {}", operation.op, operation.basis)?;
        }
        if let Some(asks) = it.asks() {
            writeln!(out, "  asks {asks}")?;
        }
        writeln!(out, "  {}: mode {}", self.file.display(), it.mode())?;
        for rule in it.rules() {
            let mark = if rule.decided { "=>" } else { "  " };
            let matched = match (rule.reached, rule.matched) {
                (false, _) => "-",
                (true, true) => "yes",
                (true, false) => "no",
            };
            let (id, effect, why) = (&rule.id, rule.effect.as_str(), &rule.why);
            writeln!(out, "{mark} {matched:<4}{effect:<11}{id}: {why}")?;
        }
        for note in notes {
            writeln!(out, "note: {note}")?;
        }
        Ok(())
    }
}
