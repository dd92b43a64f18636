//! `sec0 tools`: a server's tools against its lock file.

mod check;
mod diff;
mod lock;
mod report;

use super::policy::input;
use crate::failure::Failure;
use clap::{Args, Subcommand};
use sec0::call::ServerIdent;
use sec0::registry::lock::digest_of_file;
use sec0::registry::{Lock, LockDrift};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Tools {
    Lock(lock::LockTools),
    Diff(diff::Diff),
    Check(check::Check),
}

impl Tools {
    pub(super) fn run(self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Lock(lock) => lock.run(out),
            Self::Diff(diff) => diff.run(out),
            Self::Check(check) => check.run(out),
        }
    }
}

/// The lock file, and what is held against it.
#[derive(Debug, Args)]
struct Sides {
    /// The lock file.
    #[arg(long, value_name = "FILE", default_value = "sec0.lock")]
    lock: PathBuf,
    /// The server's tools, as it answers to `tools/list`.
    #[arg(long, value_name = "FILE", required_unless_present = "command")]
    server_tools: Option<PathBuf>,
    /// The server that has them, as it introduces itself.
    #[arg(long, value_name = "NAME@VERSION")]
    server: Option<String>,
    /// The server's executable; every build of it is another one.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
    /// Not built yet: a command that runs the server.
    #[arg(last = true, value_name = "CMD", hide = true)]
    command: Vec<String>,
}

impl Sides {
    /// The server as it is now.
    fn now(&self) -> Result<Lock, Failure> {
        let Some(file) = self.server_tools.as_ref().filter(|_| self.command.is_empty()) else {
            return Err(Failure::Usage(
                "a command behind `--` is not run yet; save what the server answers to \
                 `tools/list` and name the file with `--server-tools`"
                    .to_owned(),
            ));
        };
        let mut now = Lock::new(&input::tools(file)?);
        if let Some(server) = &self.server {
            let (name, version) = server.rsplit_once('@').ok_or_else(|| {
                Failure::Usage("`--server` has no version; write `NAME@VERSION`".to_owned())
            })?;
            now = now.with_server(ServerIdent::new(name, version));
        }
        if let Some(binary) = &self.binary {
            now = now.with_binary(digest_of_file(binary).map_err(Failure::usage)?);
        }
        Ok(now)
    }

    /// What differs, and what could not be compared.
    fn drift(&self) -> Result<(Lock, LockDrift, Vec<String>), Failure> {
        let now = self.now()?;
        let locked = Lock::from_file(&self.lock).map_err(Failure::usage)?;
        let mut drift = locked.drift(&now);
        let mut notes = Vec::new();
        if locked.server().is_some() && self.server.is_none() {
            notes.push("the server was not compared; name it with `--server`".to_owned());
        }
        if locked.binary().is_some() && self.binary.is_none() {
            drift = drift.without_binary();
            notes.push("the executable was not compared; name it with `--binary`".to_owned());
        }
        Ok((now, drift, notes))
    }
}
