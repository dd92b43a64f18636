use super::json;
use crate::failure::Failure;
use clap::Args;
use sec0::audit::MAX_LINE;
use sec0::sign::key_file;
use sec0::tlog::{Checkpoint, Proof};
use serde_json::json as value;
use std::io::Write as _;
use std::path::PathBuf;

/// Verify a proof that `sec0 audit prove` wrote; the log is not needed.
#[derive(Debug, Args)]
pub(crate) struct VerifyProof {
    /// The proof.
    proof: PathBuf,
    /// The public key that signed the checkpoint in it.
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    /// The line, where the proof does not carry it, or is not to be believed about it.
    #[arg(long, value_name = "FILE")]
    line: Option<PathBuf>,
    /// The log that it must be of, as `sec0-audit/<tenant>` or `sec0-audit/<tenant>/<writer>`; else
    /// any that the key signs.
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl VerifyProof {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let key = key_file::read_public(&self.public_key).map_err(Failure::usage)?;
        let bytes = super::read(&self.proof, Proof::MAX_LEN)?;
        let line = self.line.as_ref().map(|file| super::read(file, MAX_LINE + 1)).transpose()?;
        let held = Proof::parse(&bytes).map_err(|error| error.to_string()).and_then(|proof| {
            let line = line.as_deref().or(proof.extra()).ok_or(NO_LINE)?;
            let line = line.strip_suffix(b"\n").unwrap_or(line).to_vec();
            let checkpoint = proof
                .verify(&line, &key, self.origin.as_deref())
                .map_err(|error| error.to_string())?;
            Ok((proof.index(), line, checkpoint))
        });
        match held {
            Ok((index, line, checkpoint)) if self.json => json(
                out,
                &value!({
                    "holds": true,
                    "seq": index,
                    "origin": checkpoint.origin(),
                    "size": checkpoint.size(),
                    "root": checkpoint.root().to_base64(),
                    "line": String::from_utf8_lossy(&line),
                }),
            ),
            Ok((index, line, checkpoint)) => report(index, &line, &checkpoint, out),
            Err(why) if self.json => {
                json(out, &value!({ "holds": false, "why": why }))?;
                Err(Failure::DoesNotHold(String::new()))
            }
            Err(why) => Err(Failure::DoesNotHold(why)),
        }
    }
}

const NO_LINE: &str = "the proof does not carry its line; give it with `--line`";

fn report(
    index: u64,
    line: &[u8],
    checkpoint: &Checkpoint,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    out.extend_from_slice(line);
    writeln!(out)?;
    writeln!(out, "log      {}", checkpoint.origin())?;
    writeln!(out, "size     {} lines", checkpoint.size())?;
    Ok(writeln!(out, "this was line {index} of the log when its checkpoint was signed")?)
}
