//! The command `sec0`: parse, dispatch, exit status. Each verb has its file in `command/`.

mod command;
mod failure;

use clap::Parser;
use command::Command;
use failure::Failure;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Keys, policies and audit logs of a secured MCP tool server.
///
/// Exit status: 0 fine, 1 the thing checked does not hold, 2 usage or configuration error,
/// 3 internal error.
#[derive(Debug, Parser)]
#[command(name = "sec0", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no failures; both streams are clap's own choice.
            let status = if error.use_stderr() { Failure::USAGE } else { 0 };
            return match readers_may_leave(error.print()) {
                Ok(()) => ExitCode::from(status),
                Err(_) => ExitCode::from(Failure::INTERNAL),
            };
        }
    };
    let mut out = Vec::new();
    let ended = arguments.command.run(&mut out);
    match print(&out).and_then(|()| report(ended)) {
        Ok(status) => ExitCode::from(status),
        Err(_) => ExitCode::from(Failure::INTERNAL),
    }
}

fn print(out: &[u8]) -> io::Result<()> {
    readers_may_leave(io::stdout().write_all(out).and_then(|()| io::stdout().flush()))
}

/// Whoever reads may stop reading: a closed pipe is no failure of the command.
fn readers_may_leave(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn report(ended: Result<(), Failure>) -> io::Result<u8> {
    let Err(failure) = ended else { return Ok(0) };
    if let Some(message) = failure.message() {
        writeln!(io::stderr(), "{message}")?;
    }
    Ok(failure.status())
}
