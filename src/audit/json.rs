use crate::call::{Hex, JsonText};
use crate::canonical;
use crate::clock::Timestamp;
use crate::digest::Digest;

/// The most bytes that a record keeps of one text. Longer ones end in `…`.
pub(super) const MAX_TEXT: usize = 1024;

/// Writes a JSON object in the form of RFC 8785, provided that the members are given in the order
/// of that RFC: there is no second pass that sorts.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        let start = out.len();
        Self { out, start }
    }

    pub(super) fn close(self) {
        self.out.push(b'}');
    }

    /// Where the next member will be written, with the comma before it.
    pub(super) fn position(&self) -> usize {
        self.out.len()
    }

    /// A text from anywhere, at a bounded length.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.texts(key, &[value]);
    }

    pub(super) fn text_if(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// One text made of several parts, each at a bounded length.
    pub(super) fn texts(&mut self, key: &str, parts: &[&str]) {
        self.key(key);
        self.out.push(b'"');
        for part in parts {
            escape(self.out, part);
        }
        self.out.push(b'"');
    }

    /// An array of texts that need no escapes.
    pub(super) fn words<'w>(&mut self, key: &str, words: impl Iterator<Item = &'w str>) {
        self.key(key);
        self.out.push(b'[');
        for (at, word) in words.enumerate() {
            self.out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            self.out.extend_from_slice(word.as_bytes());
            self.out.push(b'"');
        }
        self.out.push(b']');
    }

    /// An array of texts from anywhere, each at a bounded length.
    pub(super) fn list<'w>(&mut self, key: &str, texts: impl Iterator<Item = &'w str>) {
        self.key(key);
        self.out.push(b'[');
        for (at, text) in texts.enumerate() {
            self.out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            escape(self.out, text);
            self.out.push(b'"');
        }
        self.out.push(b']');
    }

    /// An array of pairs `first:second`, of words that need no escapes.
    pub(super) fn pairs<'w>(&mut self, key: &str, pairs: impl Iterator<Item = (&'w str, &'w str)>) {
        self.key(key);
        self.out.push(b'[');
        for (at, (first, second)) in pairs.enumerate() {
            self.out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            self.out.extend_from_slice(first.as_bytes());
            self.out.push(b':');
            self.out.extend_from_slice(second.as_bytes());
            self.out.push(b'"');
        }
        self.out.push(b']');
    }

    /// A value that is canonical already.
    pub(super) fn json_if(&mut self, key: &str, value: Option<&JsonText>) {
        if let Some(value) = value {
            self.key(key);
            self.out.extend_from_slice(value.as_str().as_bytes());
        }
    }

    /// A value that is JSON already.
    pub(super) fn json(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// A text of any length.
    pub(super) fn long_text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push(b'"');
        canonical::escape(self.out, value);
        self.out.push(b'"');
    }

    /// At most 32 bytes.
    pub(super) fn hex(&mut self, key: &str, bytes: &[u8]) {
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(Hex(bytes).digits(&mut [0; 64]));
        self.out.push(b'"');
    }

    pub(super) fn digest(&mut self, key: &str, digest: &Digest) {
        self.hex(key, digest.as_bytes());
    }

    pub(super) fn hex_or_null(&mut self, key: &str, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.hex(key, bytes),
            None => self.null(key),
        }
    }

    pub(super) fn null(&mut self, key: &str) {
        self.key(key);
        self.out.extend_from_slice(b"null");
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A whole number. RFC 8785 has no more than 53 bits; above that the largest one is written.
    pub(super) fn whole(&mut self, key: &str, value: u64) {
        self.key(key);
        let value = value.min((1 << 53) - 1);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    pub(super) fn ts(&mut self, key: &str, at: Timestamp) {
        self.key(key);
        self.out.push(b'"');
        super::day::write_ts(self.out, at);
        self.out.push(b'"');
    }

    /// A member that is an object itself.
    pub(super) fn object(&mut self, key: &str) -> Object<'_> {
        self.key(key);
        Object::open(self.out)
    }

    fn key(&mut self, key: &str) {
        if self.out.len() > self.start {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

/// Appends the characters of a JSON string, escaped and cut at [`MAX_TEXT`].
fn escape(out: &mut Vec<u8>, text: &str) {
    let kept = bounded(text);
    canonical::escape(out, kept);
    if kept.len() < text.len() {
        out.extend_from_slice("…".as_bytes());
    }
}

fn bounded(text: &str) -> &str {
    if text.len() <= MAX_TEXT {
        return text;
    }
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or("")
}
