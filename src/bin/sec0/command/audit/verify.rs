use super::json;
use crate::failure::Failure;
use clap::Args;
use sec0::approval::Evidence;
use sec0::audit::{Totals, Verifier, VerifyError};
use sec0::sign::key_file;
use sec0::tlog::Note;
use serde_json::json as value;
use std::io::Write as _;
use std::path::PathBuf;

/// Verify the logs in a directory: lines, chain, tree, checkpoints and signatures.
///
/// A valid checkpoint vouches for the lines under it. A checkpoint that was kept elsewhere shows that
/// the log did not become shorter and was not replaced since.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The audit directory.
    dir: PathBuf,
    /// The public key that signed it, as `sec0 keygen` writes it. May be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    public_key: Vec<PathBuf>,
    /// A checkpoint that was kept elsewhere. May be given several times.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// Check the signatures of lines under a checkpoint too.
    #[arg(long)]
    every_signature: bool,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        // A log that is gone is shorter than any checkpoint of it.
        if !self.dir.is_dir() && (self.checkpoint.is_empty() || self.dir.exists()) {
            let dir = self.dir.display();
            return Err(Failure::Usage(format!(
                "`{dir}` is no directory; name the audit directory"
            )));
        }
        let keys: Result<Vec<_>, _> =
            self.public_key.iter().map(|file| key_file::read_public(file)).collect();
        let mut verifier = Verifier::new(&keys.map_err(Failure::usage)?)
            .map_err(Failure::usage)?
            .every_signature(self.every_signature)
            .approvals(Evidence::check);
        for file in &self.checkpoint {
            let name = file.display().to_string();
            let bytes = super::read(file, Note::MAX_LEN)?;
            verifier = verifier.checkpoint(&name, &bytes).map_err(Failure::usage)?;
        }
        match verifier.verify_dir(&self.dir) {
            Ok(totals) if self.json => holds_json(&totals, out),
            Ok(totals) => holds(&totals, out),
            Err(error) => self.does_not_hold(&error, out),
        }
    }

    fn does_not_hold(&self, error: &VerifyError, out: &mut Vec<u8>) -> Result<(), Failure> {
        if !matches!(error, VerifyError::Line { .. } | VerifyError::Checkpoint { .. }) {
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
    let mut report = value!({
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
        "streams": totals.streams,
        "recovered": totals.recovered,
        "checkpoints": totals.checkpoints,
        "checkpoint_size": totals.checkpoint_size,
        "uncovered": totals.uncovered,
        "keys": totals.keys,
    });
    if let Some(report) = report.as_object_mut().filter(|_| totals.unchecked > 0) {
        report.insert("unchecked".to_owned(), totals.unchecked.into());
    }
    json(out, &report)
}

fn holds(totals: &Totals, out: &mut Vec<u8>) -> Result<(), Failure> {
    writeln!(out, "records  {}", totals.records)?;
    for (status, count) in &totals.by_status {
        writeln!(out, "  {status:<10} {count}")?;
    }
    writeln!(out, "events   {}", totals.events)?;
    writeln!(out, "files    {} ({} bytes)", totals.files, totals.bytes)?;
    if totals.streams > 1 {
        writeln!(out, "logs     {}", totals.streams)?;
    }
    if let (Some(first), Some(last)) = (&totals.first_ts, &totals.last_ts) {
        writeln!(out, "from     {first}\nto       {last}")?;
    }
    if let (Some(first), Some(last)) = (totals.first_seq, totals.last_seq) {
        writeln!(out, "seq      {first} to {last}")?;
    }
    for key in &totals.keys {
        writeln!(out, "key      {key}")?;
    }
    let of = totals.checkpoint_size.map_or(String::new(), |size| format!(", for {size} lines"));
    writeln!(out, "checked  {} checkpoints{of}", totals.checkpoints)?;
    notes(totals, out)?;
    Ok(writeln!(out, "every line is in its place, and signed or under a checkpoint")?)
}

fn notes(totals: &Totals, out: &mut Vec<u8>) -> Result<(), Failure> {
    if totals.recovered > 0 {
        let recovered = totals.recovered;
        writeln!(out, "note     {recovered} lines were completed after a crash")?;
    }
    if totals.uncovered > 0 {
        let uncovered = totals.uncovered;
        writeln!(
            out,
            "note     {uncovered} lines lie behind the newest checkpoint; that more were cut off \
             there cannot be seen"
        )?;
    }
    if totals.unchecked > 0 {
        let unchecked = totals.unchecked;
        writeln!(
            out,
            "note     {unchecked} lines about approvals could not be checked: they are votes behind a \
             decision, or about escalations that were created before the first line or too long ago"
        )?;
    }
    if totals.first_seq.is_some_and(|first| first > 0) {
        writeln!(out, "note     older lines are gone; nothing here says what they held")?;
    }
    if totals.is_empty() {
        writeln!(out, "note     the log is empty; a log that was removed looks the same")?;
    }
    Ok(())
}
