//! The command `sec0` as scripts and people meet it: exit statuses, texts, JSON.
#![cfg(test)]

mod approvals;
mod audit;
mod doctor;
mod explain;
mod fixtures;
mod hostile;
mod keygen;
mod policy;
mod tools;
mod tree;
mod usage;

use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The command, in a directory of its own.
struct Desk(tempfile::TempDir);

/// What one run of the command came to.
struct Run {
    status: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            status: output.status.code().expect("it was killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Ended so; with nothing on stderr if it ended well, and with one line of text if not.
    #[track_caller]
    fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout: {}\nstderr: {}", self.out, self.err);
        assert_eq!(
            self.err.is_empty(),
            status == 0 || self.out.starts_with(['{', '[']),
            "{}",
            self.err
        );
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    fn json(&self) -> Value {
        assert!(self.out.ends_with('\n') && self.out.lines().count() == 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sec0"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("SEC0_SIGNER_KEY_DIRS").env_remove("RUST_BACKTRACE");
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    fn verify(&self, more: &[&str]) -> Run {
        let verify = ["audit", "verify", "log", "--public-key", "log/keys/ed25519.pub"];
        self.run(&[&verify, more].concat())
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
