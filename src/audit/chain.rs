use crate::call::Hex;
use crate::digest::Digest;
use crate::sign::Signature;

/// Where the next line of the log is tied on: its number, and the line before it.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    /// The number of the next line, from 0.
    pub(super) seq: u64,
    /// SHA-256 of the exact line before, without its line end; all zero before the first.
    pub(super) prev: Digest,
}

impl Chain {
    /// The chain of an empty log.
    pub(super) fn start() -> Self {
        Self { seq: 0, prev: Digest::from_bytes([0; 32]) }
    }

    /// The chain behind `line`, which has the number `seq`.
    pub(super) fn behind(seq: u64, line: &[u8]) -> Self {
        Self { seq: seq.saturating_add(1), prev: Digest::of(line) }
    }

    /// The next line says that it is tied on here.
    pub(super) fn is_before(&self, prev_sha256: &str) -> bool {
        Hex(self.prev.as_bytes()).digits(&mut [0; 64]) == prev_sha256.as_bytes()
    }
}

/// The members that every line of a log has, whatever it records.
pub(super) struct Ties<'a> {
    pub(super) chain: &'a Chain,
    pub(super) key_id: &'a str,
}

/// Appends `unsigned` with the member `sig` put in at `at`: the line, without its line end.
pub(super) fn splice(out: &mut Vec<u8>, unsigned: &[u8], at: usize, signature: &Signature) {
    let (before, after) = unsigned.split_at(at.min(unsigned.len()));
    out.extend_from_slice(before);
    // `sig` is never the first member nor the last: the comma behind it is there already.
    out.extend_from_slice(b",\"sig\":\"");
    out.extend_from_slice(signature.to_string().as_bytes());
    out.push(b'"');
    out.extend_from_slice(after);
}
