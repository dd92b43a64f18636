use super::name;
use std::ops::Range;

/// Beginnings by which credentials are known, and how many characters of a word follow at least.
const KNOWN: &[(&str, usize)] = &[
    ("AIza", 30),
    ("AKIA", 12),
    ("ASIA", 12),
    ("SG.", 20),
    ("github_pat_", 16),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("glpat-", 16),
    ("hf_", 24),
    ("npm_", 24),
    ("pypi-", 24),
    ("rk_live_", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
];

/// Names have no more bytes: what is longer is data.
const LONGEST_NAME: usize = 128;

/// Where in `text` credentials stand, in order and apart from each other.
///
/// Each part of the text is looked at a bounded number of times: what was searched for and not found
/// is not searched for again.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let mut scan = Scan { text: text.as_bytes(), no_token_to: 0, no_user_to: 0 };
    let (mut found, mut at) = (Vec::new(), 0);
    while at < text.len() {
        match scan.secret_at(at) {
            Some(secret) => {
                at = secret.end.max(at + 1);
                found.push(secret);
            }
            None => at += 1,
        }
    }
    found
}

struct Scan<'t> {
    text: &'t [u8],
    /// Up to here no word is a JSON web token.
    no_token_to: usize,
    /// Up to here no `@` follows.
    no_user_to: usize,
}

impl Scan<'_> {
    /// The secret to which what stands at `at` leads. It begins there or later; what lies between is
    /// no secret.
    fn secret_at(&mut self, at: usize) -> Option<Range<usize>> {
        let begins_word = !at.checked_sub(1).is_some_and(|before| self.is(before, is_of_word));
        match self.byte(at)? {
            b'-' if self.has(at, "-----BEGIN ") => self.private_key(at),
            b':' if self.has(at, "://") => self.password_in_url(at + 3),
            byte if begins_word && is_of_word(byte) => {
                self.after_name(at).or_else(|| self.after_scheme(at)).or_else(|| self.known(at))
            }
            _ => self.known(at),
        }
        .filter(|secret| !secret.is_empty())
    }

    /// A private key in PEM (RFC 7468), with its lines of dashes; to the end of the text where it has
    /// no end of its own.
    fn private_key(&self, at: usize) -> Option<Range<usize>> {
        let label = at + "-----BEGIN ".len();
        let label_end = self.run(label, |byte| byte.is_ascii_alphanumeric() || byte == b' ');
        let is_private = self.text.get(label..label_end)?.ends_with(b"PRIVATE KEY")
            || self.text.get(label..label_end)?.ends_with(b"PRIVATE KEY BLOCK");
        if !is_private || !self.has(label_end, "-----") {
            return None;
        }
        let end = self.find(label_end + 5, b"-----END ").map(|end| end + "-----END ".len());
        let end = end.and_then(|end| self.find(end, b"-----")).map(|end| end + 5);
        Some(at..end.unwrap_or(self.text.len()))
    }

    /// The password of `user:password@`, where a URL has one.
    fn password_in_url(&mut self, at: usize) -> Option<Range<usize>> {
        let ends = |byte: u8| byte.is_ascii_whitespace() || b"\"'<>`".contains(&byte);
        let colon = self.run(at, |byte| !ends(byte) && !b":/?#@[".contains(&byte));
        if self.byte(colon) != Some(b':') {
            return None;
        }
        let host = self.run(colon + 1, |byte| !ends(byte) && !b"/?#\\".contains(&byte));
        if let Some(end) = self.last(colon..host, b'@') {
            return Some(colon + 1..end);
        }
        let is_port = self.run(colon + 1, |byte| byte.is_ascii_digit()) == host;
        if is_port || host < self.no_user_to {
            return None;
        }
        // A password with a slash, which should have been escaped.
        let whole = self.run(host, |byte| !ends(byte));
        let end = self.first(host..whole, b'@');
        if end.is_none() {
            self.no_user_to = whole;
        }
        end.map(|end| colon + 1..end)
    }

    /// The value behind a name that speaks of a secret: `password=…`, `"token": "…"`, `--pin …`.
    fn after_name(&self, at: usize) -> Option<Range<usize>> {
        let name_end = self.run(at, is_of_word);
        let name = self.text.get(at..name_end).filter(|name| name.len() <= LONGEST_NAME)?;
        let name = str::from_utf8(name).ok()?;
        name::says(name)?;
        let quote_end = self.run(name_end, |byte| b"\\\"'".contains(&byte));
        let sign = self.run(quote_end, is_space);
        match self.byte(sign) {
            Some(b':') if self.has(sign, "://") => None,
            Some(sort @ (b'=' | b':')) => {
                let sign_end = self.run(sign, |byte| b"=:>".contains(&byte));
                let value = self.run(sign_end, is_space);
                let is_line = sort == b':' && is_header(name);
                Some(self.value(value, is_line))
            }
            _ if name.starts_with('-') && sign > name_end && quote_end == name_end => {
                (self.byte(sign) != Some(b'-')).then(|| self.value(sign, false))
            }
            _ => None,
        }
    }

    /// A value from `at` on: to the other quote, to the end of the line, or to the next space.
    fn value(&self, at: usize, is_line: bool) -> Range<usize> {
        let escapes = self.run(at, |byte| byte == b'\\');
        if let Some(quote @ (b'"' | b'\'' | b'`')) = self.byte(escapes) {
            let begin = escapes + 1;
            return begin..self.quote_end(begin, quote, escapes > at);
        }
        if is_line {
            return at..self.run(at, |byte| !b"\r\n\"'`".contains(&byte));
        }
        let end = self.run(at, is_of_value);
        // `Authorization=Bearer …`: the word is not the secret yet.
        match self.after_scheme(at) {
            Some(secret) => at..secret.end,
            None => at..end,
        }
    }

    /// Where a quoted text ends. Quotes that are escaped belong to it, unless the first one was.
    fn quote_end(&self, begin: usize, quote: u8, is_escaped: bool) -> usize {
        let mut at = begin;
        while let Some(byte) = self.byte(at) {
            match byte {
                b'\\' if is_escaped && self.byte(at + 1) == Some(quote) => return at,
                b'\\' if !is_escaped => at += 2,
                byte if byte == quote => return at,
                _ => at += 1,
            }
        }
        self.text.len()
    }

    /// What follows `Bearer` or `Basic`.
    fn after_scheme(&self, at: usize) -> Option<Range<usize>> {
        let end = self.run(at, |byte| byte.is_ascii_alphabetic());
        let scheme = self.text.get(at..end)?;
        let is_bearer = scheme.eq_ignore_ascii_case(b"bearer");
        if !is_bearer && !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let begin = if self.has(end, "%20") { end + 3 } else { self.run(end, is_space) };
        let token_end =
            self.run(begin, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=%".contains(&byte));
        let token = self.text.get(begin..token_end)?;
        // `Basic authentication` is prose.
        let is_token = token.len() >= 6 && (is_bearer || !token.iter().all(u8::is_ascii_lowercase));
        (begin > end && is_token).then_some(begin..token_end)
    }

    /// A credential that is known by its look.
    fn known(&mut self, at: usize) -> Option<Range<usize>> {
        if self.has(at, "eyJ") {
            return self.web_token(at);
        }
        let known = KNOWN.iter().find(|(begin, _)| self.has(at, begin)).copied();
        let (begin, least) = match known {
            Some(known) => known,
            // Short enough to end other words: `task-list-of-the-day`.
            None if self.has(at, "sk-") && self.is_apart(at) => ("sk-", 16),
            None => return None,
        };
        let rest = at + begin.len();
        let is_dotted = begin == "SG.";
        let end = self.run(rest, |byte| is_of_word(byte) || (is_dotted && byte == b'.'));
        (end - rest >= least).then_some(at..end)
    }

    /// A JSON web token (RFC 7519): words in base64 with dots between, the first a JSON object.
    fn web_token(&mut self, at: usize) -> Option<Range<usize>> {
        if at < self.no_token_to {
            return None;
        }
        let head = self.run(at, is_of_word);
        let end = self.run(at, |byte| is_of_word(byte) || byte == b'.');
        let is_token = head - at >= 8 && self.byte(head) == Some(b'.') && end - head >= 8;
        if !is_token {
            self.no_token_to = head;
        }
        is_token.then_some(at..end)
    }

    /// True where no letter or digit stands before, but for one of an escape as in `%20`.
    fn is_apart(&self, at: usize) -> bool {
        let is_escape = at.checked_sub(3).is_some_and(|escape| self.byte(escape) == Some(b'%'));
        let before = at.checked_sub(1);
        is_escape || !before.is_some_and(|before| self.is(before, |b| b.is_ascii_alphanumeric()))
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    fn is(&self, at: usize, class: impl Fn(u8) -> bool) -> bool {
        self.byte(at).is_some_and(class)
    }

    fn has(&self, at: usize, begin: &str) -> bool {
        self.text.get(at..).is_some_and(|rest| rest.starts_with(begin.as_bytes()))
    }

    /// Where the bytes of this class that begin at `at` end.
    fn run(&self, at: usize, class: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest.iter().position(|&byte| !class(byte)).unwrap_or(rest.len())
    }

    fn find(&self, from: usize, what: &[u8]) -> Option<usize> {
        let rest = self.text.get(from..)?;
        rest.windows(what.len()).position(|window| window == what).map(|at| from + at)
    }

    fn first(&self, range: Range<usize>, byte: u8) -> Option<usize> {
        let start = range.start;
        self.text.get(range)?.iter().position(|&b| b == byte).map(|at| start + at)
    }

    fn last(&self, range: Range<usize>, byte: u8) -> Option<usize> {
        let start = range.start;
        self.text.get(range)?.iter().rposition(|&b| b == byte).map(|at| start + at)
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn is_of_value(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !b"&;\"'`<>".contains(&byte)
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Headers whose value is the rest of the line.
fn is_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("authorization") || name.ends_with("cookie")
}
