use super::json;
use crate::failure::Failure;
use clap::{Args, Subcommand};
use sec0::audit::{Totals, VerifyError, verify_dir};
use sec0::sign::key_file;
use serde_json::json as value;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    Verify(Verify),
}

/// Verify a log: every line, its signature, and its place in the chain.
///
/// Lines cut off at the very end, at a line end, cannot be seen without a checkpoint.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The audit directory.
    dir: PathBuf,
    /// The public key that signed it, as `sec0 keygen` writes it. May be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    public_key: Vec<PathBuf>,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) fn run(self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Verify(verify) => verify.run(out),
        }
    }
}

impl Verify {
    fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if !self.dir.is_dir() {
            let dir = self.dir.display();
            return Err(Failure::Usage(format!(
                "`{dir}` is no directory; name the audit directory"
            )));
        }
        let keys: Result<Vec<_>, _> =
            self.public_key.iter().map(|file| key_file::read_public(file)).collect();
        match verify_dir(&self.dir, &keys.map_err(Failure::usage)?) {
            Ok(totals) if self.json => holds_json(&totals, out),
            Ok(totals) => holds(&totals, out),
            Err(error) => self.does_not_hold(&error, out),
        }
    }

    fn does_not_hold(&self, error: &VerifyError, out: &mut Vec<u8>) -> Result<(), Failure> {
        if !matches!(error, VerifyError::Line { .. }) {
            return Err(Failure::usage(error));
        }
        if self.json {
            json(out, &value!({ "holds": false, "why": error.to_string() }))?;
            return Err(Failure::DoesNotHold(String::new()));
        }
        Err(Failure::DoesNotHold(error.to_string()))
    }
}

fn holds_json(totals: &Totals, out: &mut Vec<u8>) -> Result<(), Failure> {
    let report = value!({
        "holds": true,
        "files": totals.files,
        "records": totals.records,
        "events": totals.events,
        "by_status": totals.by_status,
        "first_ts": totals.first_ts,
        "last_ts": totals.last_ts,
        "first_seq": totals.first_seq,
        "last_seq": totals.last_seq,
        "bytes": totals.bytes,
    });
    json(out, &report)
}

fn holds(totals: &Totals, out: &mut Vec<u8>) -> Result<(), Failure> {
    writeln!(out, "records  {}", totals.records)?;
    for (status, count) in &totals.by_status {
        writeln!(out, "  {status:<10} {count}")?;
    }
    writeln!(out, "events   {}", totals.events)?;
    writeln!(out, "files    {} ({} bytes)", totals.files, totals.bytes)?;
    if let (Some(first), Some(last)) = (&totals.first_ts, &totals.last_ts) {
        writeln!(out, "from     {first}\nto       {last}")?;
    }
    if let (Some(first), Some(last)) = (totals.first_seq, totals.last_seq) {
        writeln!(out, "seq      {first} to {last}")?;
    }
    if totals.first_seq.is_some_and(|first| first > 0) {
        writeln!(out, "note     older lines are gone; nothing here says what they held")?;
    }
    if totals.last_seq.is_none() {
        writeln!(out, "note     the log is empty; a log that was emptied looks the same")?;
    }
    Ok(writeln!(out, "every line is signed and in its place")?)
}
