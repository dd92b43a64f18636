//! Keys and signatures as text.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// What a key or signature in text form starts with.
pub(super) const PREFIX: &str = "ed25519:";

/// A text is not an Ed25519 key or signature. It never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {what}: {prefix}the base64 of {bytes} bytes")]
pub struct EncodingError {
    pub(super) what: &'static str,
    pub(super) prefix: &'static str,
    pub(super) bytes: usize,
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// More than the longest thing that is held in base64 here, a secret key of 64 bytes.
const ROOM: usize = 96;

/// Decodes base64 of the standard or the url-safe alphabet, with or without padding, and hands the
/// bytes to `take`; they are wiped afterwards. Blanks, a mix of the alphabets, stray bits and
/// longer texts are refused, where Node, whose `Buffer.from` wrote the rule, would skip them: one
/// key then has one reading.
pub(super) fn decode_any<T>(text: &[u8], take: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    let url_safe = text.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let engine = if url_safe { URL_SAFE } else { STANDARD };
    let mut room = Zeroizing::new([0; ROOM]);
    let len = engine.decode_slice(text, room.as_mut_slice()).ok()?;
    room.get(..len).and_then(take)
}

/// Base64 of the standard alphabet with padding, which is how all is written.
pub(super) fn encode(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
