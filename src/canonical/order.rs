//! The order of an object's members, and putting it right.

use super::CanonicalError;
use std::cmp::Ordering;
use std::ops::Range;

/// A member as it was written. Places are counted from the start of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    /// Where its name's opening quote stands.
    pub(super) start: usize,
    /// Just behind its name's closing quote.
    pub(super) key_end: usize,
    /// Whether the name holds escapes.
    pub(super) escaped: bool,
}

impl Member {
    /// Its name as it stands in `text`.
    #[inline]
    pub(super) fn name(self, text: &[u8]) -> Result<Name<'_>, CanonicalError> {
        let quoted = text.get(self.start..self.key_end).ok_or(CanonicalError::Malformed)?;
        match quoted {
            [b'"', written @ .., b'"'] => Ok(Name { written, escaped: self.escaped }),
            _ => Err(CanonicalError::Malformed),
        }
    }
}

/// A member's name in its written form.
#[derive(Clone, Copy)]
pub(crate) struct Name<'t> {
    written: &'t [u8],
    escaped: bool,
}

impl<'t> Name<'t> {
    /// The name that stands between quotes as this module writes it.
    pub(crate) fn written(text: &'t str) -> Self {
        Self { written: text.as_bytes(), escaped: text.contains('\\') }
    }

    /// The order of RFC 8785 section 3.2.3: by UTF-16 code units, unescaped.
    #[inline]
    pub(crate) fn order(self, other: Name<'_>) -> Ordering {
        if self.escaped || other.escaped {
            return unescaped(self.written).map(rank).cmp(unescaped(other.written).map(rank));
        }
        let mut other_bytes = other.written.iter();
        for byte in self.written {
            match other_bytes.next() {
                None => return Ordering::Greater,
                Some(against) if byte != against => return rank(*byte).cmp(&rank(*against)),
                Some(_) => {}
            }
        }
        if other_bytes.len() == 0 { Ordering::Equal } else { Ordering::Less }
    }
}

/// UTF-8 bytes sort as code points do. UTF-16 code units differ in one thing: what UTF-16 writes
/// as surrogates (lead bytes 0xF0 and up) comes before U+E000 to U+FFFF (lead bytes 0xEE and 0xEF).
#[inline]
const fn rank(byte: u8) -> u8 {
    if byte == 0xEE || byte == 0xEF { byte + 0x10 } else { byte }
}

/// The bytes behind what [`super::text`] wrote.
fn unescaped(written: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = written;
    std::iter::from_fn(move || {
        let (byte, behind) = match rest {
            [b'\\', b'u', b'0', b'0', high, low, behind @ ..] => {
                (hex_value(*high) << 4 | hex_value(*low), behind)
            }
            [b'\\', short, behind @ ..] => (short_value(*short), behind),
            [byte, behind @ ..] => (*byte, behind),
            [] => return None,
        };
        rest = behind;
        Some(byte)
    })
}

const fn hex_value(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 }
}

const fn short_value(letter: u8) -> u8 {
    match letter {
        b'b' => 0x08,
        b't' => b'\t',
        b'n' => b'\n',
        b'f' => 0x0C,
        b'r' => b'\r',
        itself => itself,
    }
}

/// The objects whose members came out of order, and where each member belongs. Objects inside each
/// other are not moved one by one: that would copy the innermost once for every level, and whoever
/// sends the value decides how many there are.
#[derive(Debug, Default)]
pub(super) struct Disorder {
    objects: Vec<Shuffled>,
    members: Vec<Range<usize>>,
}

#[derive(Debug)]
struct Shuffled {
    /// From behind the opening brace to the closing one.
    body: Range<usize>,
    /// Its members in order, as a part of [`Disorder::members`].
    members: Range<usize>,
}

impl Disorder {
    /// Notes the object with these members, whose closing brace comes at `end` of `text`.
    pub(super) fn note(
        &mut self,
        text: &[u8],
        members: &[Member],
        end: usize,
    ) -> Result<(), CanonicalError> {
        let Some(first) = members.first() else { return Ok(()) };
        // A comma stands between a member and the next.
        let ends = members.iter().skip(1).map(|next| next.start - 1).chain([end]);
        let mut sorted = members
            .iter()
            .zip(ends)
            .map(|(member, end)| Ok((member.name(text)?, member.start..end)))
            .collect::<Result<Vec<_>, CanonicalError>>()?;
        sorted.sort_unstable_by(|(one, _), (other, _)| one.order(*other));
        if sorted.array_windows().any(|[(one, _), (other, _)]| one.order(*other).is_eq()) {
            return Err(CanonicalError::DuplicateKey);
        }
        let from = self.members.len();
        self.members.extend(sorted.into_iter().map(|(_, place)| place));
        let body = first.start..end;
        self.objects.push(Shuffled { body, members: from..self.members.len() });
        Ok(())
    }

    /// Writes the text again, from `start` of `out` on, with every member in its place.
    pub(super) fn put_right(
        &mut self,
        out: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), CanonicalError> {
        if self.objects.is_empty() {
            return Ok(());
        }
        // They were noted as they closed, the inner before the outer.
        self.objects.sort_unstable_by_key(|object| object.body.start);
        let text = out.split_off(start);
        out.reserve(text.len());
        self.copy(&text, 0..text.len(), out)
    }

    fn copy(
        &self,
        text: &[u8],
        part: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), CanonicalError> {
        let mut at = part.start;
        while let Some(object) = self.next_object(at).filter(|next| next.body.end <= part.end) {
            out.extend_from_slice(slice(text, at..object.body.start)?);
            let members = self.members.get(object.members.clone());
            for (index, member) in members.ok_or(CanonicalError::Malformed)?.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                // The object itself starts with a member: step over that quote, or it would be
                // found again.
                out.push(b'"');
                self.copy(text, member.start + 1..member.end, out)?;
            }
            at = object.body.end;
        }
        out.extend_from_slice(slice(text, at..part.end)?);
        Ok(())
    }

    fn next_object(&self, at: usize) -> Option<&Shuffled> {
        self.objects.get(self.objects.partition_point(|object| object.body.start < at))
    }
}

fn slice(text: &[u8], part: Range<usize>) -> Result<&[u8], CanonicalError> {
    text.get(part).ok_or(CanonicalError::Malformed)
}
