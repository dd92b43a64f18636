use super::MAX_LINE;
use crate::canonical::{self, Name};
use std::ops::Range;

/// One line of the log, read without copying: the members that tie it to the log, as they stand
/// in the text between their quotes.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    pub(super) seq: Option<u64>,
    pub(super) prev_sha256: Option<&'a str>,
    pub(super) key_id: Option<&'a str>,
    pub(super) sig: Option<&'a str>,
    pub(super) ts: Option<&'a str>,
    pub(super) status: Option<&'a str>,
    pub(super) event: Option<&'a str>,
    pub(super) trace_id: Option<&'a str>,
    pub(super) span_id: Option<&'a str>,
    pub(super) tenant: Option<&'a str>,
    pub(super) new_key_id: Option<&'a str>,
    pub(super) new_public_key: Option<&'a str>,
    /// Of a line about an approval: which, and the JSON of what it is about.
    pub(super) escalation_id: Option<&'a str>,
    pub(super) about: Option<&'a str>,
    /// A start of the writer completed the line after a crash.
    pub(super) recovered: bool,
    /// What stands before and behind the member `sig` and one comma next to it.
    around_sig: [&'a str; 2],
}

/// The column, from 1, at which a text stops being what RFC 8785 makes of its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotCanonical(pub(super) usize);

impl<'a> Line<'a> {
    /// Reads a line, provided that it is a JSON object in the form of RFC 8785. That form also
    /// rules out that a member stands there twice.
    pub(super) fn read(text: &'a str) -> Result<Self, NotCanonical> {
        let mut scan = Scan { text, at: 0 };
        let (mut line, mut sig_at) = (Line::default(), 0..0);
        let read = match text.len() {
            0..=MAX_LINE => scan.object(0, &mut |member| line.take(&member, &mut sig_at)),
            _ => None,
        };
        let around_sig = text.get(..sig_at.start).zip(text.get(sig_at.end..));
        match (read, around_sig) {
            (Some(()), Some((before, behind))) if scan.at == text.len() => {
                Ok(Line { around_sig: [before, behind], ..line })
            }
            _ => Err(NotCanonical(scan.at + 1)),
        }
    }

    /// It introduces another key.
    pub(super) fn is_key_change(&self) -> bool {
        self.event == Some("key_change")
    }

    /// Appends what was signed: the line without its member `sig`.
    pub(super) fn write_unsigned(&self, out: &mut Vec<u8>) {
        self.around_sig.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    }

    fn take(&mut self, member: &Member<'a>, sig_at: &mut Range<usize>) {
        let text = member.value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        match member.key {
            "seq" => self.seq = member.value.parse().ok(),
            "prev_sha256" => self.prev_sha256 = text,
            "key_id" => self.key_id = text,
            "ts" => self.ts = text,
            "status" => self.status = text,
            "event" => self.event = text,
            "trace_id" => self.trace_id = text,
            "span_id" => self.span_id = text,
            "tenant" => self.tenant = text,
            "new_key_id" => self.new_key_id = text,
            "new_public_key" => self.new_public_key = text,
            "escalation_id" => self.escalation_id = text,
            "escalation" | "cast" | "decision" => self.about = Some(member.value),
            "recovered" => self.recovered = member.value == "true",
            "sig" => {
                self.sig = text;
                *sig_at = member.at.clone();
            }
            _ => {}
        }
    }
}

/// The members of an object in the form of RFC 8785, as they stand there.
pub(super) fn members(text: &str) -> Result<Vec<(&str, &str)>, NotCanonical> {
    let mut scan = Scan { text, at: 0 };
    let mut members = Vec::new();
    match scan.object(0, &mut |member| members.push((member.key, member.value))) {
        Some(()) if scan.at == text.len() => Ok(members),
        Some(()) | None => Err(NotCanonical(scan.at + 1)),
    }
}

struct Member<'a> {
    key: &'a str,
    value: &'a str,
    at: Range<usize>,
}

/// How deep a line may be nested; sec0 itself needs two.
const MAX_DEPTH: usize = 32;

/// Walks over a text and stops where it is not canonical.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn object(&mut self, depth: usize, take: &mut dyn FnMut(Member<'a>)) -> Option<()> {
        self.expect(b'{')?;
        if self.eat(b'}') {
            return Some(());
        }
        let mut before: Option<Name<'a>> = None;
        loop {
            let start = self.at;
            let key = self.string()?;
            let name = Name::written(key);
            // By UTF-16 code units, and never twice.
            if before.is_some_and(|before| before.order(name).is_ge()) {
                self.at = start;
                return None;
            }
            self.expect(b':')?;
            let from = self.at;
            self.value(depth + 1)?;
            let value = self.text.get(from..self.at)?;
            let is_first = before_is_brace(self.text, start);
            let is_last = !self.eat(b',');
            let with_comma_before = is_last && !is_first;
            let at = start - usize::from(with_comma_before)..self.at;
            take(Member { key, value, at });
            if is_last {
                return self.expect(b'}');
            }
            before = Some(name);
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.expect(b'[')?;
        if self.eat(b']') {
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            if !self.eat(b',') {
                return self.expect(b']');
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'{' => self.object(depth, &mut |_| {}),
            b'[' => self.array(depth),
            b'"' => self.string().map(|_| ()),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    /// The text between the quotes, escapes and all.
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            self.at += rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'))?;
            match self.peek()? {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
        let inner = self.text.get(start..self.at)?;
        self.at += 1;
        Some(inner)
    }

    /// An escape as RFC 8785 writes it: the short form where there is one, no other characters.
    fn escape(&mut self) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at + 1..)?;
        let length = match rest {
            [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..]
            | [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e');
        let length = rest.bytes().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let token = rest.get(..length)?;
        canonical::is_canonical_number(token).then(|| self.at += length)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

fn before_is_brace(text: &str, at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.as_bytes().get(before)) == Some(&b'{')
}
