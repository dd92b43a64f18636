use super::json;
use crate::failure::Failure;
use clap::Args;
use sec0::sign::key_file;
use serde_json::json as value;
use std::io::Write as _;
use std::path::PathBuf;

/// Make a signing key: `X.key` (mode 0600) and `X.pub`. Never overwrites.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Where the private key goes; the public one goes beside it, with the ending `.pub`.
    #[arg(long, value_name = "X.key", default_value = ".sec0/keys/ed25519.key")]
    out: PathBuf,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
}

impl Keygen {
    pub(super) fn run(self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let made = key_file::generate(&self.out).map_err(Failure::usage)?;
        let (key, id) = (made.public_key.to_base64(), made.public_key.key_id());
        if self.json {
            let paths = (made.key_file.display(), made.public_file.display());
            let report = value!({
                "key_file": paths.0.to_string(),
                "public_key_file": paths.1.to_string(),
                "public_key": key,
                "key_id": id,
            });
            return json(out, &report);
        }
        writeln!(out, "private key  {}", made.key_file.display())?;
        writeln!(out, "public key   {}", made.public_file.display())?;
        writeln!(out, "             {key}")?;
        Ok(writeln!(out, "key id       {id}")?)
    }
}
