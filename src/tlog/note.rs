//! Signed notes (C2SP signed-note): a text, and who signed it.

use super::shown::shown;
use super::verifier_key::{VerifierKey, is_name};
use crate::sign::{self, Signature, VerifyError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// What each signature's line begins with.
const DASH: &str = "\u{2014} ";

/// A text of whole lines with one or more signatures under it. Prints as the note; what was parsed
/// prints as the same bytes.
///
/// A note that was parsed says nothing until [`Note::verify`] says that a key known beforehand
/// signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature under a note, of any key and kind.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: [u8; 4],
    signature: Vec<u8>,
}

impl Note {
    /// The longest text, in bytes.
    pub const MAX_TEXT: usize = 64 * 1024;
    /// The most signatures; the specification wants at least so many to be taken.
    pub const MAX_SIGNATURES: usize = 16;
    /// The longest note, in bytes: the text and sixteen signatures with the longest names, or of
    /// the largest kind known.
    pub const MAX_LEN: usize = Self::MAX_TEXT + Self::MAX_SIGNATURES * 12 * 1024;

    /// The bytes to be signed so that [`Note::assemble`] can make a note of `text`: Ed25519 over
    /// the text as it is.
    ///
    /// # Errors
    ///
    /// When the text does not end with a newline, has another control character, or is longer than
    /// [`Note::MAX_TEXT`].
    pub fn to_sign(text: &str) -> Result<&[u8], NoteError> {
        if text.len() > Self::MAX_TEXT {
            return Err(NoteError::TextTooLong);
        }
        if !text.ends_with('\n') {
            return Err(NoteError::TextUnfinished);
        }
        no_control(text)?;
        Ok(text.as_bytes())
    }

    /// The note with `text` and the signature that `key` made over [`Note::to_sign`]. Whether it
    /// did is not checked here.
    ///
    /// # Errors
    ///
    /// As [`Note::to_sign`].
    pub fn assemble(
        text: &str,
        key: &VerifierKey,
        signature: &Signature,
    ) -> Result<Self, NoteError> {
        Self::to_sign(text)?;
        let signature = NoteSignature {
            name: key.name().to_owned(),
            id: key.id(),
            signature: signature.as_bytes().to_vec(),
        };
        Ok(Self { text: text.to_owned(), signatures: vec![signature] })
    }

    /// Reads a note: the text up to the last empty line, signatures behind it. Nothing is verified.
    ///
    /// # Errors
    ///
    /// When it is not a signed note to the last byte, or beyond the bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(NoteError::TooLong);
        }
        let all = str::from_utf8(bytes)
            .map_err(|error| NoteError::NotUtf8 { offset: error.valid_up_to() })?;
        no_control(all)?;
        let Some(gap) = all.rfind("\n\n") else { return Err(NoteError::NoSignatures) };
        let (Some((text, _)), Some(lines)) = (all.split_at_checked(gap + 1), all.get(gap + 2..))
        else {
            return Err(NoteError::NoSignatures);
        };
        Self::to_sign(text)?;
        if lines.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        let Some(lines) = lines.strip_suffix('\n') else { return Err(NoteError::Unfinished) };
        if lines.split('\n').nth(Self::MAX_SIGNATURES).is_some() {
            return Err(NoteError::TooMany);
        }
        // Lines count from 1; the text's own are followed by the empty one.
        let first = text.matches('\n').count() + 2;
        let read = |(at, line)| {
            NoteSignature::parse(line).ok_or(NoteError::NotASignature { line: first + at })
        };
        let signatures = lines.split('\n').enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Checks that at least one of the keys in `known` signed the text, and returns those that did,
    /// in the order of `known`. Signatures of other keys are ignored, as the specification demands.
    ///
    /// # Errors
    ///
    /// When none of them signed, when a signature in the name of one of them does not hold, or when
    /// two of them cannot be told apart.
    pub fn verify<'k>(&self, known: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signed = Vec::new();
        for (at, key) in known.iter().enumerate() {
            let is_same =
                |other: &VerifierKey| other.name() == key.name() && other.id() == key.id();
            if known.iter().skip(at + 1).any(is_same) {
                return Err(NoteError::Ambiguous { name: shown(key.name()) });
            }
            let own: Vec<_> = self.signatures.iter().filter(|one| one.is_by(key)).collect();
            for one in &own {
                one.verify(key, self.text.as_bytes())
                    .map_err(|cause| NoteError::Invalid { name: shown(key.name()), cause })?;
            }
            if !own.is_empty() {
                signed.push(key);
            }
        }
        if signed.is_empty() {
            let names = |names: Vec<&str>| shown(&names.join("`, `"));
            let wanted = names(known.iter().map(VerifierKey::name).collect());
            let found = names(self.signatures.iter().map(NoteSignature::name).collect());
            return Err(NoteError::Unsigned { wanted, found });
        }
        Ok(signed)
    }

    /// The text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, verified or not, in their order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

impl NoteSignature {
    /// The name of the key that is said to have made it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of that key.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = STANDARD.decode(base64).ok()?;
        let (id, signature) = bytes.split_first_chunk()?;
        (is_name(name) && !signature.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: *id,
            signature: signature.to_vec(),
        })
    }

    fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }

    fn verify(&self, key: &VerifierKey, text: &[u8]) -> Result<(), VerifyError> {
        let bytes = self.signature.as_slice().try_into();
        let bytes = bytes.map_err(|_of_another_length| VerifyError::NotSigned)?;
        sign::verify(&key.public_key(), text, &Signature::from_bytes(bytes))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|one| writeln!(f, "{one}"))
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id[..], &self.signature].concat();
        write!(f, "{DASH}{} {}", self.name, STANDARD.encode(bytes))
    }
}

impl fmt::Debug for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSignature({})", self.name)
    }
}

fn no_control(text: &str) -> Result<(), NoteError> {
    let is_control = |byte: u8| byte < b' ' && byte != b'\n';
    let found = text.split('\n').position(|line| line.bytes().any(is_control));
    found.map_or(Ok(()), |at| Err(NoteError::Control { line: at + 1 }))
}

/// Why bytes are not a signed note, or why a note does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// More bytes than [`Note::MAX_LEN`].
    #[error("the note is longer than 262144 bytes")]
    TooLong,
    /// More text than [`Note::MAX_TEXT`].
    #[error("the text of the note is longer than 65536 bytes")]
    TextTooLong,
    /// Something other than text.
    #[error("the note is not UTF-8 text from byte {offset} on")]
    NotUtf8 {
        /// The first byte that is not, from 0.
        offset: usize,
    },
    /// A control character other than a newline.
    #[error("line {line} of the note has a control character")]
    Control {
        /// The line, from 1.
        line: usize,
    },
    /// The last line of the text is cut off.
    #[error("the text of the note does not end with a newline")]
    TextUnfinished,
    /// Nothing follows the text.
    #[error("the note has no signatures; they follow its text behind an empty line")]
    NoSignatures,
    /// The last signature is cut off.
    #[error("the note does not end with a newline; its end is missing")]
    Unfinished,
    /// More signatures than [`Note::MAX_SIGNATURES`].
    #[error("the note has more than 16 signatures")]
    TooMany,
    /// Something else stands where a signature belongs.
    #[error(
        "line {line} of the note is not a signature: expected `— `, the name of the key, a \
         blank, and the base64 of the key's id and the signature"
    )]
    NotASignature {
        /// The line, from 1.
        line: usize,
    },
    /// Two known keys with the same name and id.
    #[error(
        "the key `{name}` is given twice, or two keys have its name and id; give each key once"
    )]
    Ambiguous {
        /// The beginning of the name.
        name: String,
    },
    /// The signature of a known key is wrong.
    #[error("the signature of `{name}` under the note does not hold: {cause}")]
    Invalid {
        /// The beginning of the name.
        name: String,
        /// Why it does not.
        cause: VerifyError,
    },
    /// No known key signed.
    #[error(
        "the note is not signed by `{wanted}`, or under this name by another key; it is signed by `{found}`"
    )]
    Unsigned {
        /// The names of the known keys, the beginning of them.
        wanted: String,
        /// The names under the note, the beginning of them.
        found: String,
    },
}
