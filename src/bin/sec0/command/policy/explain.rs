use super::input;
use crate::command::json;
use crate::failure::Failure;
use clap::Args;
use sec0::call::{Arguments, Declared, Found};
use sec0::canonical::{self, Limits};
use sec0::identity::{ClaimName, Claimant, Detail, Origin, Said, claims};
use sec0::policy::{Evidence, Explanation, LocalDisk, NamedTool, Policy, Question};
use sec0::registry::Definition;
use serde::Serialize;
use std::borrow::Cow;
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

/// The tool of the call, and what is known of it beside the policy.
struct Subject {
    tool: NamedTool,
    definition: Option<Definition>,
    listed: Option<bool>,
    notes: Vec<String>,
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
        let mut subject = self.subject()?;
        let arguments = self.args.as_deref().map(input::arguments).transpose()?;
        let has_key = self.has_idempotency_key(&mut subject.notes);
        let hints = subject.definition.as_ref().map(|tool| tool.hints).unwrap_or_default();
        let evidence = Evidence::new(subject.tool.tool_ref(), hints, !self.annotations_are_claims)
            .with_arguments(arguments.as_ref());
        let nothing = Declared::default();
        let declared = subject.definition.as_ref().map_or(&nothing, Definition::declared);
        let policy = policy.clone().on_disk(&policy.own_files(), &LocalDisk);
        let places = policy.look(subject.tool.tool_ref(), declared, arguments.as_ref(), &LocalDisk);
        if policy.checks_paths() && arguments.is_some() {
            let note = "paths were looked up on the disk of this machine, as it is now; the \
                        audit directory of the server is not known here";
            subject.notes.push(note.to_owned());
        }
        let question = Question::new(evidence)
            .with_places(&places)
            .with_argument_bytes(arguments.as_ref().map(size).transpose()?)
            .with_idempotency_key(has_key)
            .with_listed(subject.listed);
        let explanation = policy.explain(&question);
        if self.json {
            return json(out, &Report { explanation: &explanation, notes: &subject.notes });
        }
        self.tell(&explanation, &subject.notes, out)
    }

    /// The tool that is asked for, in the version that its server declares.
    fn subject(&self) -> Result<Subject, Failure> {
        let tool = NamedTool::parse(&self.tool).map_err(|error| {
            Failure::Usage(format!("{error} (`--tool` is the tool of the call)"))
        })?;
        let Some(file) = &self.server_tools else {
            let note = "without `--server-tools` the tool's version is the one that `--tool` has, \
                        and its annotations are not known";
            return Ok(Subject { tool, definition: None, listed: None, notes: vec![note.into()] });
        };
        let asked = tool.tool_ref();
        let mut tools = input::tools(file)?.into_iter();
        let definition = tools.find(|definition| *definition.name == *asked.tool);
        let declared = definition.as_ref().and_then(|definition| definition.version.clone());
        let mut notes = Vec::new();
        let listed = Some(definition.is_some());
        let Some(declared) = declared else {
            return Ok(Subject { tool, definition, listed, notes });
        };
        if asked.version.is_some_and(|version| *version != declared) {
            notes.push(format!(
                "`--tool` has another version than the server declares; `{}` is judged, as the \
                 layer would",
                declared.as_str().escape_debug()
            ));
        }
        Ok(Subject { tool: tool.with_version(declared), definition, listed, notes })
    }

    /// Whether the key counts as one: it is read as a caller's would be.
    fn has_idempotency_key(&self, notes: &mut Vec<String>) -> bool {
        let Some(key) = &self.idempotency_key else { return false };
        let counts = claims(&Sent(key), Detail::default(), None).idempotency_key.is_some();
        if !counts {
            let note = "`--idempotency-key` is empty, longer than 256 bytes or has control \
                        characters, so it counts as none";
            notes.push(note.to_owned());
        }
        counts
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

/// What a limit on arguments counts.
fn size(arguments: &Arguments) -> Result<u64, Failure> {
    let measured = canonical::measure(arguments, Limits::default()).map_err(|error| {
        Failure::Usage(format!("`--args` would be refused as malformed: {error}"))
    })?;
    Ok(u64::try_from(measured.len).unwrap_or(u64::MAX))
}

/// A caller that sends an idempotency key and nothing else.
struct Sent<'a>(&'a str);

impl Claimant for Sent<'_> {
    fn claim(&self, name: ClaimName) -> Said<'_> {
        if name == ClaimName::IdempotencyKey {
            Said::Text(Cow::Borrowed(self.0))
        } else {
            Said::Nothing
        }
    }

    fn origin(&self) -> Origin {
        Origin::Local
    }
}
