//! How much is written, and why it stops.

use std::fmt;

/// How deep and how long a canonical text may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many arrays and objects may be open at once; a bare string or number needs none. Each
    /// takes a piece of the stack, so a limit in the thousands wants a thread to match.
    pub max_depth: usize,
    /// How many bytes the text may have.
    pub max_len: usize,
}

impl Default for Limits {
    /// 128 levels, which is what `serde_json` parses, and 16 MiB.
    fn default() -> Self {
        Self { max_depth: 128, max_len: 16 * 1024 * 1024 }
    }
}

/// Why a value has no canonical text. It never holds a part of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonicalError {
    /// More arrays and objects inside each other than [`Limits::max_depth`].
    #[error("the value is nested deeper than the limit allows")]
    TooDeep,
    /// More bytes than [`Limits::max_len`].
    #[error("the canonical form is longer than the limit allows")]
    TooLong,
    /// NaN or an infinity, or a number too large for a double: JSON has no text for it.
    #[error("a number is not finite as a 64-bit float")]
    NotFinite,
    /// The same name twice in one object: readers would disagree on the value.
    #[error("an object has the same name twice")]
    DuplicateKey,
    /// A map's key that is neither a text, a whole number nor a boolean.
    #[error("a map has a key that is not a text")]
    KeyNotText,
    /// A JSON text that is passed on unparsed; parse it first.
    #[error("the value holds a raw JSON text; parse it before it is made canonical")]
    RawJson,
    /// A number held as text that is not a JSON number.
    #[error("a number is not written as JSON writes numbers")]
    NotANumber,
    /// The value broke serde's rules, for instance with a key that no value follows.
    #[error("the value is serialised against the rules of serde")]
    Malformed,
    /// The value's own serialisation failed. Its words are left out: they may quote the value.
    #[error("the value could not be serialised")]
    Custom,
}

impl serde::ser::Error for CanonicalError {
    fn custom<T: fmt::Display>(_words: T) -> Self {
        Self::Custom
    }
}
