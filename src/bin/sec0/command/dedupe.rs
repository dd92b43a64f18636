use super::{json, when};
use crate::failure::Failure;
use clap::{Args, Subcommand};
use sec0::store::sqlite::{Freed, HeldKey, KeyDesk};
use serde::Serialize;
use std::io::Write as _;
use std::path::PathBuf;

/// Idempotency keys whose calls may or may not have had their effect.
#[derive(Debug, Subcommand)]
pub(crate) enum Dedupe {
    List(List),
    Release(Release),
}

/// List the keys that no call can use until they are released: the process ended, or the call was
/// dropped, while the tool ran.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// The audit directory.
    #[arg(long)]
    dir: PathBuf,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

/// Free a key, so that the next call with it runs. Make sure before that the effect did not happen,
/// or that it does no harm twice. Servers may go on running.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// The key, by its id in the list.
    id: String,
    /// The audit directory.
    #[arg(long)]
    dir: PathBuf,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    principal: &'a str,
    server: &'a str,
    tool: &'a str,
    idempotency_key: &'a str,
    since: String,
}

impl Dedupe {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(out),
            Self::Release(release) => release.run(),
        }
    }
}

impl List {
    fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let desk = KeyDesk::open(&self.dir).map_err(Failure::usage)?;
        let held = desk.unknown().map_err(Failure::internal)?;
        let rows: Vec<_> = held.iter().map(row).collect();
        if self.json {
            return json(out, &rows);
        }
        if rows.is_empty() {
            writeln!(out, "no key waits to be released")?;
        }
        for row in rows {
            let Row { id, principal, server, tool, idempotency_key, since } = row;
            // Of the key and the names nothing is left that could move a terminal's cursor.
            let shown = [principal, server, tool, idempotency_key].map(str::escape_debug);
            let [principal, server, tool, key] = &shown;
            writeln!(out, "{id}\n  {since}  {server} {tool}  {principal}  key `{key}`")?;
        }
        Ok(())
    }
}

impl Release {
    fn run(&self) -> Result<(), Failure> {
        let mut desk = KeyDesk::open(&self.dir).map_err(Failure::usage)?;
        match desk.release(&self.id).map_err(Failure::internal)? {
            Freed::Released => Ok(()),
            Freed::NotUnknown => Err(Failure::DoesNotHold(
                "the key is not to be released: its call still runs, or has ended well".to_owned(),
            )),
            Freed::NotFound => Err(Failure::DoesNotHold(format!(
                "no key has the id `{}`; `sec0 dedupe list --dir {}` has the ids",
                self.id.escape_debug(),
                self.dir.display()
            ))),
        }
    }
}

fn row(held: &HeldKey) -> Row<'_> {
    Row {
        id: &held.id,
        principal: &held.about.principal,
        server: &held.about.server,
        tool: &held.about.tool,
        idempotency_key: &held.about.key,
        since: when(held.since),
    }
}
