//! `sec0 audit`: logs that were written, read back.

mod drawn;
mod prove;
mod tree;
mod verify;
mod verify_proof;

use super::json;
use crate::failure::Failure;
use clap::Subcommand;
use sec0::audit::Stream;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    Verify(verify::Verify),
    Prove(prove::Prove),
    Tree(tree::Tree),
    VerifyProof(verify_proof::VerifyProof),
}

impl Audit {
    pub(super) fn run(self, out: &mut Vec<u8>) -> Result<(), Failure> {
        match self {
            Self::Verify(verify) => verify.run(out),
            Self::Prove(prove) => prove.run(out),
            Self::Tree(tree) => tree.run(out),
            Self::VerifyProof(verify) => verify.run(out),
        }
    }
}

/// The bytes of a file that was named on the command line, at most `most` and one more.
fn read(file: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(|error| {
        Failure::Usage(format!("`{}` cannot be read: {error}; name another file", file.display()))
    })?;
    Ok(bytes)
}

/// The log of a writer; without an id, that of a directory with one writer.
fn stream_of(writer: Option<&str>) -> Result<Stream, Failure> {
    writer.map_or(Ok(Stream::default()), Stream::of_writer).map_err(Failure::usage)
}
