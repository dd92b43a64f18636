//! A proof for one line, which holds without the log.

use super::seals::{Seal, read_day};
use super::source::Source;
use crate::audit::day::Day;
use crate::audit::fault::VerifyError;
use crate::audit::read::Line;
use crate::audit::stream::Stream;
use crate::tlog::{Edge, PathBuilder, PathError, Proof, leaf_hash, verify_inclusion};
use std::path::Path;

/// A line of the log, and the proof that it is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The proof, with the line as its extra data where that has room for it.
    pub proof: Proof,
    /// The line, without its line end.
    pub line: Vec<u8>,
}

/// Proves that line `seq` is in the log of `stream` in `dir`, by the first checkpoint that covers
/// it: mostly the one that closed its day, so one day's file is read.
///
/// The signature of that checkpoint is left to whoever gets the proof, with
/// [`Proof::verify`](crate::tlog::Proof::verify): the log itself is not verified here.
///
/// # Errors
///
/// No checkpoint covers the line, or the line is not there any more, or the lines do not lead to
/// the root of the checkpoint; or a file cannot be read.
pub fn prove(dir: &Path, stream: &Stream, seq: u64) -> Result<Proven, ProveError> {
    let source = Source { dir, stream };
    let seals = seals(&source)?;
    let covered = seals.last().map_or(0, |(_, seal)| seal.size());
    let (_, covering) = seals
        .iter()
        .find(|(_, seal)| seal.size() > seq)
        .ok_or(ProveError::NotCovered { seq, covered })?;
    let before = seals.iter().rev().find_map(|(day, seal)| match (day, &seal.resume) {
        (Some(day), Some(resume)) if seal.size() <= seq => Some((*day, resume.edge.clone())),
        _ => None,
    });
    let (closed, start) = match before {
        Some((day, edge)) => (Some(day), edge),
        None => (None, Edge::new()),
    };
    let size = covering.size();
    let mut builder = PathBuilder::new(seq, size, start.clone())?;
    let mut found = None;
    let mut at = start.size();
    let mut line = Vec::new();
    for day in source.days()?.into_iter().filter(|day| closed.is_none_or(|closed| *day > closed)) {
        let mut lines = source.lines(day)?;
        while at < size && lines.next(&mut line)? {
            let bare = line.strip_suffix(b"\n").unwrap_or(&line);
            // The first line tells whether the log begins where it should.
            if (at == start.size() || at == seq) && number_of(bare) != Some(at) {
                return Err(ProveError::Gone { seq });
            }
            if at == seq {
                found = Some(bare.to_vec());
            }
            builder.push(leaf_hash(bare));
            at += 1;
        }
    }
    let line = found.ok_or(ProveError::Gone { seq })?;
    let mismatch = |_| ProveError::Mismatch { checkpoint: covering.name.clone(), size };
    let path = builder.finish().map_err(mismatch)?;
    let root = covering.checkpoint.root();
    verify_inclusion(seq, size, &leaf_hash(&line), &path, &root).map_err(mismatch)?;
    let proof = Proof::new(seq, path, covering.note.clone());
    // A line that is too long for that must be handed on beside the proof.
    let proof = proof.clone().with_extra(line.clone()).unwrap_or(proof);
    Ok(Proven { proof, line })
}

/// All checkpoints of the log, the smallest first, those of days before the newest.
fn seals(source: &Source<'_>) -> Result<Vec<(Option<Day>, Seal)>, VerifyError> {
    let mut seals = Vec::new();
    for day in source.checkpoint_days()? {
        seals.extend(read_day(source, day)?.map(|seal| (Some(day), seal)));
    }
    let newest = source.newest();
    if let Some(bytes) = source.note(&newest)? {
        seals.push((None, Seal::read(&newest, &bytes, false)?));
    }
    seals.sort_by_key(|(_, seal)| seal.size());
    Ok(seals)
}

fn number_of(line: &[u8]) -> Option<u64> {
    Line::read(str::from_utf8(line).ok()?).ok()?.seq
}

/// Why a line cannot be proven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// A checkpoint or a file cannot be read.
    #[error(transparent)]
    Log(#[from] VerifyError),
    /// No checkpoint covers the line.
    #[error(
        "no checkpoint covers line {seq}: the newest one covers {covered} lines, from number 0 on; \
         wait for the next one, or look at the number"
    )]
    NotCovered {
        /// The number of the line.
        seq: u64,
        /// How many lines are covered.
        covered: u64,
    },
    /// The file is gone, or holds something else.
    #[error(
        "line {seq} is not where its number says; its day file was removed or changed, see `sec0 \
         audit verify`"
    )]
    Gone {
        /// The number of the line.
        seq: u64,
    },
    /// The lines are not those under the checkpoint.
    #[error(
        "the first {size} lines do not lead to the root of `{checkpoint}`; the log was changed, see \
         `sec0 audit verify`"
    )]
    Mismatch {
        /// The checkpoint.
        checkpoint: String,
        /// How many lines it covers.
        size: u64,
    },
    /// The tree has no such place.
    #[error(transparent)]
    Path(#[from] PathError),
}
