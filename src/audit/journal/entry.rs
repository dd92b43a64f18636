use super::MAX_ENTRY;
use crate::digest::Digest;
use sha2::{Digest as _, Sha256};

/// What an entry says of its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The handler is about to run.
    Intent,
    /// The call has ended.
    Outcome,
}

/// The first line of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Of the process that wrote it.
    pub(super) epoch: u64,
    /// Counts the segments of that process; one that is used again has a new number.
    pub(super) number: u64,
    /// Every line of the log for a call in this segment has at least this `seq`.
    pub(super) base_seq: u64,
}

/// One entry, as it was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) kind: Kind,
    pub(super) id: u64,
    /// The record of the call, a JSON object, without what ties a line to the log.
    pub(super) payload: &'a str,
}

const MAGIC: &str = "sec0-journal/v1";

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::Intent => 'I',
            Self::Outcome => 'O',
        }
    }
}

impl Header {
    /// Appends the line, and gives what the first entry is chained to.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Digest {
        let Self { epoch, number, base_seq } = self;
        let line = [MAGIC, &format!(" epoch={epoch}"), &format!(" number={number}")].concat()
            + &format!(" seq={base_seq}");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
        Digest::of(line.as_bytes())
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix(MAGIC)?.strip_prefix(' ')?.split(' ');
        let mut number = |name: &str| words.next()?.strip_prefix(name)?.parse().ok();
        let header = Self {
            epoch: number("epoch=")?,
            number: number("number=")?,
            base_seq: number("seq=")?,
        };
        words.next().is_none().then_some(header)
    }
}

/// How many bytes an entry takes, its line end included.
pub(super) fn length(id: u64, payload: usize) -> usize {
    // The letter, three spaces, the hash and the line end.
    let digits = id.checked_ilog10().map_or(1, |tens| usize::try_from(tens).unwrap_or(20) + 1);
    1 + 3 + 64 + 1 + digits + payload
}

/// Appends an entry, and gives what the next one is chained to.
pub(super) fn write(out: &mut Vec<u8>, entry: &Entry<'_>, chain: &Digest) -> Digest {
    let mut number = itoa::Buffer::new();
    let id = number.format(entry.id);
    let next = chained(chain, entry.kind, id, entry.payload);
    let mut letter = [0; 1];
    out.extend_from_slice(entry.kind.letter().encode_utf8(&mut letter).as_bytes());
    out.push(b' ');
    out.extend_from_slice(id.as_bytes());
    out.push(b' ');
    out.extend_from_slice(crate::call::Hex(next.as_bytes()).digits(&mut [0; 64]));
    out.push(b' ');
    out.extend_from_slice(entry.payload.as_bytes());
    out.push(b'\n');
    next
}

/// Reads a segment up to the first thing that is not an entry chained to the one before it. What
/// follows was not durable, or belongs to an earlier use of the segment.
pub(super) fn read(segment: &[u8]) -> Option<(Header, Vec<Entry<'_>>)> {
    let mut rest = segment;
    let first = next_line(&mut rest)?;
    let header = Header::read(first)?;
    let mut chain = Digest::of(first.as_bytes());
    let mut entries = Vec::new();
    while let Some((entry, next)) = next_line(&mut rest).and_then(|line| read_entry(line, &chain)) {
        chain = next;
        entries.push(entry);
    }
    Some((header, entries))
}

fn read_entry<'a>(line: &'a str, chain: &Digest) -> Option<(Entry<'a>, Digest)> {
    let mut parts = line.splitn(4, ' ');
    let kind = match parts.next()? {
        "I" => Kind::Intent,
        "O" => Kind::Outcome,
        _ => return None,
    };
    let (id, hash, payload) = (parts.next()?, parts.next()?, parts.next()?);
    let next = chained(chain, kind, id, payload);
    let is_tied = next.to_string() == hash;
    let id = id.parse().ok().filter(|_| is_tied)?;
    Some((Entry { kind, id, payload }, next))
}

fn next_line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let window = rest.get(..MAX_ENTRY.min(rest.len()))?;
    let end = window.iter().position(|byte| *byte == b'\n')?;
    let line = str::from_utf8(window.get(..end)?).ok()?;
    *rest = rest.get(end + 1..)?;
    Some(line)
}

/// SHA-256 of the hash before, the letter, the number, a space and the record.
fn chained(chain: &Digest, kind: Kind, id: &str, payload: &str) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(chain.as_bytes());
    let mut letter = [0; 1];
    hasher.update(kind.letter().encode_utf8(&mut letter).as_bytes());
    hasher.update(id.as_bytes());
    hasher.update(b" ");
    hasher.update(payload.as_bytes());
    Digest::from_bytes(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const HEADER: Header = Header { epoch: 3, number: 7, base_seq: 41 };

    fn segment(payloads: &[String]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut chain = HEADER.write(&mut out);
        for (id, payload) in (0..).zip(payloads) {
            let kind = if id % 2 == 0 { Kind::Intent } else { Kind::Outcome };
            let before = out.len();
            chain = write(&mut out, &Entry { kind, id, payload }, &chain);
            assert_eq!(out.len() - before, length(id, payload.len()));
        }
        out
    }

    #[test]
    fn the_format_is_this_one() {
        let text = String::from_utf8(segment(&["{\"a\":1}".to_owned()])).unwrap();
        assert_eq!(
            text,
            "sec0-journal/v1 epoch=3 number=7 seq=41\n\
             I 0 0b6b2a0e {\"a\":1}\n"
                .replace("0b6b2a0e", text.get(44..108).unwrap())
        );
    }

    #[test]
    fn an_earlier_use_of_the_segment_is_not_read() {
        let payloads: Vec<_> = (0..20).map(|n| format!("{{\"n\":{n}}}")).collect();
        let mut bytes = segment(&payloads);
        let mut again = Vec::new();
        let later = Header { number: 8, ..HEADER };
        let chain = later.write(&mut again);
        write(&mut again, &Entry { kind: Kind::Intent, id: 20, payload: "{\"n\":0}" }, &chain);
        bytes[..again.len()].copy_from_slice(&again);
        let (header, entries) = read(&bytes).unwrap();
        assert_eq!((header, entries.len()), (later, 1));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_up_to_the_first_changed_byte(
            payloads in vec("[^\n]{0,40}", 1..8), at in 0usize..1000, bit in 0u8..8,
        ) {
            let mut bytes = segment(&payloads);
            let whole = bytes.clone();
            let (header, entries) = read(&whole).unwrap();
            prop_assert_eq!(header, HEADER);
            let seen: Vec<_> = entries.iter().map(|entry| entry.payload).collect();
            prop_assert_eq!(&seen, &payloads);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let line = whole[..at].split(|byte| *byte == b'\n').count() - 1;
            let read = read(&bytes).map_or(0, |(_, entries)| entries.len());
            prop_assert_eq!(read, line.saturating_sub(1), "entry {} was changed", line);
        }
    }
}
