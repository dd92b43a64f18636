//! Strings: what is escaped and how (RFC 8785 section 3.2.2.2).

use super::CanonicalError;
use crate::call::Hex;
use std::convert::Infallible;

/// Writes `text` in its escaped form, without quotes. Up to six times its length: the caller
/// bounds it.
#[inline]
pub(crate) fn escape(out: &mut Vec<u8>, text: &str) {
    let Ok(_escaped) = escape_while(out, text, |_len| Ok::<(), Infallible>(()));
}

/// Writes `text` in its escaped form, without quotes, up to length `limit` of `out`. Answers
/// whether anything had to be escaped.
#[inline]
pub(super) fn escape_into(
    out: &mut Vec<u8>,
    text: &str,
    limit: usize,
) -> Result<bool, CanonicalError> {
    let fits = |len| if len > limit { Err(CanonicalError::TooLong) } else { Ok(()) };
    escape_while(out, text, fits)
}

#[inline]
fn escape_while<E>(
    out: &mut Vec<u8>,
    text: &str,
    fits: impl Fn(usize) -> Result<(), E>,
) -> Result<bool, E> {
    let bytes = text.as_bytes();
    match first_special(bytes) {
        None => {
            out.extend_from_slice(bytes);
            Ok(false)
        }
        Some(at) => escape_from(out, bytes, at, fits).map(|()| true),
    }
}

fn escape_from<E>(
    out: &mut Vec<u8>,
    bytes: &[u8],
    first: usize,
    fits: impl Fn(usize) -> Result<(), E>,
) -> Result<(), E> {
    let (mut rest, mut next) = (bytes, Some(first));
    while let Some((plain, [special, behind @ ..])) = next.and_then(|at| rest.split_at_checked(at))
    {
        out.extend_from_slice(plain);
        write_escape(out, *special);
        // What is left needs at least its own length.
        fits(out.len().saturating_add(behind.len()))?;
        rest = behind;
        next = first_special(rest);
    }
    out.extend_from_slice(rest);
    Ok(())
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0C => b'f',
        b'\r' => b'r',
        _ => {
            let (high, low) = (Hex::digit(byte >> 4), Hex::digit(byte & 0x0F));
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Where the first quote, backslash or control character stands. Every byte of a character beyond
/// ASCII is above them all, so bytes can be looked at alone.
#[inline]
fn first_special(bytes: &[u8]) -> Option<usize> {
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().position(|byte| is_special(*byte));
    };
    let (chunks, _) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        if let Some(at) = special_in(*chunk) {
            return Some(index * 8 + at);
        }
    }
    // The last eight bytes overlap the last whole chunk, which had none.
    special_in(*last).map(|at| bytes.len() - 8 + at)
}

#[inline]
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// All eight at once: a byte less than `n` borrows from its own top bit, and a byte equal to `n`
/// is zero after an exclusive or, which is less than one. A borrow can mark a byte behind a special
/// one by mistake, never one before it, and only the first mark is read.
#[inline]
fn special_in(chunk: [u8; 8]) -> Option<usize> {
    const EACH: u64 = u64::from_le_bytes([0x01; 8]);
    const TOP: u64 = u64::from_le_bytes([0x80; 8]);
    let word = u64::from_le_bytes(chunk);
    let less = |word: u64, than: u64| word.wrapping_sub(EACH * than) & !word;
    let marks =
        (less(word, 0x20) | less(word ^ (EACH * 0x22), 1) | less(word ^ (EACH * 0x5C), 1)) & TOP;
    if marks == 0 { None } else { usize::try_from(marks.trailing_zeros() / 8).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_special_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for len in 0..40 {
                for at in 0..len {
                    let mut bytes = vec![b'a'; len];
                    bytes[at] = byte;
                    let expected = is_special(byte).then_some(at);
                    assert_eq!(first_special(&bytes), expected, "{byte:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn stops_escaping_at_the_limit() {
        let mut out = Vec::new();
        let text = "\0".repeat(1_000);
        assert_eq!(escape_into(&mut out, &text, 1_500), Err(CanonicalError::TooLong));
        assert!(out.len() < 1_510);
    }
}
