use super::stream_of;
use crate::failure::Failure;
use clap::Args;
use sec0::audit::{ProveError, Proven, VerifyError, prove};
use sec0::sign::key_file;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// Write a proof that one line is in the log, which holds without the log.
///
/// The proof carries the line itself, unless that is longer than 49152 bytes, and so what it records.
#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// The audit directory.
    dir: PathBuf,
    /// The line's `seq`.
    #[arg(long, value_name = "N")]
    seq: u64,
    /// The public key that signed the checkpoint: the proof is checked before it is written.
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// The writer whose log it is, in a directory with several.
    #[arg(long, value_name = "ID")]
    writer: Option<String>,
    /// Where to write the proof, a new file; else to stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Prove {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        if !self.dir.is_dir() {
            let dir = self.dir.display();
            return Err(Failure::Usage(format!(
                "`{dir}` is no directory; name the audit directory"
            )));
        }
        let key = self.public_key.as_ref().map(|file| key_file::read_public(file)).transpose();
        let key = key.map_err(Failure::usage)?;
        let stream = stream_of(self.writer.as_deref())?;
        let Proven { proof, line } = prove(&self.dir, &stream, self.seq).map_err(failure)?;
        if let Some(key) = key {
            let verified = proof.verify(&line, &key, None);
            verified.map_err(|error| Failure::DoesNotHold(error.to_string()))?;
        }
        let text = proof.to_string();
        let Some(path) = &self.out else {
            out.extend_from_slice(text.as_bytes());
            return Ok(());
        };
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| {
            let path = path.display();
            Failure::Usage(format!("`{path}` cannot be written: {error}; name a new file"))
        })
    }
}

fn failure(error: ProveError) -> Failure {
    if matches!(error, ProveError::Log(VerifyError::Unreadable { .. })) {
        Failure::usage(error)
    } else {
        Failure::DoesNotHold(error.to_string())
    }
}
