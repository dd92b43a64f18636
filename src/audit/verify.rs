use super::MAX_LINE;
use super::chain::Chain;
use super::day::Day;
use super::fault::{Fault, VerifyError};
use super::read::{Line, NotCanonical};
use super::recipe;
use crate::sign::{self, PublicKey, Signature};
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

/// What a log holds that verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Day files.
    pub files: u64,
    /// Records of calls. 0 with 0 `events` is an empty or missing log: whether that is fine is
    /// for the caller to say.
    pub records: u64,
    /// Lines that are no calls.
    pub events: u64,
    /// Records of calls by their `status`.
    pub by_status: BTreeMap<String, u64>,
    /// `ts` of the first line.
    pub first_ts: Option<String>,
    /// `ts` of the last line.
    pub last_ts: Option<String>,
    /// Number of the first line. Above 0 when older days are gone: nothing then says what they
    /// held.
    pub first_seq: Option<u64>,
    /// Number of the last line.
    pub last_seq: Option<u64>,
    /// Bytes read.
    pub bytes: u64,
}

/// Verifies the log in `dir` against `keys`: every line, its signature and its place in the chain.
/// Reads each file once, in the order of days, with one line in memory.
///
/// What it cannot see alone: lines missing at the very end, cut off at a line end.
///
/// # Errors
///
/// The first line that does not hold, with its file, its number and the likely cause; or a file
/// that cannot be read.
pub fn verify_dir(dir: &Path, keys: &[PublicKey]) -> Result<Totals, VerifyError> {
    Verifier::new(keys)?.verify_dir(dir)
}

/// Verifies the signature of one line, with or without its line end, by the original's recipe:
/// parse, take `sig` out, sort, serialise, verify. The order of members does not matter, nor
/// whether the line is tied to a chain.
///
/// # Errors
///
/// The line is no JSON object, has no signature, or its signature does not verify.
pub fn verify_line(line: &[u8], key: &PublicKey) -> Result<(), Fault> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let text = read_text(line)?;
    let (sig, message) = recipe::take_apart(text).map_err(Fault::NotJson)?;
    let sig = sig.ok_or(Fault::Missing("sig"))?;
    let key = sign::Verifier::new(key).map_err(|_not_a_key| Fault::BadSignature)?;
    if signature_holds(&key, &message, &sig)? { Ok(()) } else { Err(Fault::BadSignature) }
}

/// Verifies logs against a set of keys.
#[derive(Debug)]
pub struct Verifier {
    keys: Vec<(String, sign::Verifier)>,
    allow_unchained: bool,
}

impl Verifier {
    /// Verifies against `keys`; a line names the one that signed it.
    ///
    /// # Errors
    ///
    /// One of them is no public key that [`sign::Verifier`] takes.
    pub fn new(keys: &[PublicKey]) -> Result<Self, VerifyError> {
        let named = |key: &PublicKey| match sign::Verifier::new(key) {
            Ok(verifier) => Ok((key.key_id(), verifier)),
            Err(source) => Err(VerifyError::Key { id: key.key_id(), source }),
        };
        let keys = keys.iter().map(named).collect::<Result<_, _>>()?;
        Ok(Self { keys, allow_unchained: false })
    }

    /// The same verifier for logs of the original, whose lines have neither number nor chain nor
    /// key id: such a line verifies if any key signed it. That it is missing cannot be seen.
    #[must_use]
    pub fn allow_unchained(mut self, allow: bool) -> Self {
        self.allow_unchained = allow;
        self
    }

    /// Verifies the log in `dir`; see [`verify_dir`].
    ///
    /// # Errors
    ///
    /// As [`verify_dir`].
    pub fn verify_dir(&self, dir: &Path) -> Result<Totals, VerifyError> {
        let mut pass =
            Pass { verifier: self, chain: None, totals: Totals::default(), buffer: vec![] };
        for day in days(dir)? {
            pass.file(dir, day)?;
        }
        Ok(pass.totals)
    }

    fn key(&self, key_id: &str) -> Option<&sign::Verifier> {
        self.keys.iter().find(|(id, _)| id == key_id).map(|(_, key)| key)
    }
}

/// What is counted of a line of the original, whose members may stand in any order.
#[derive(Deserialize)]
struct Counted {
    ts: Option<String>,
    status: Option<String>,
    event: Option<String>,
}

/// One pass over a log.
struct Pass<'v> {
    verifier: &'v Verifier,
    /// What the next line must be tied to; `None` before the first.
    chain: Option<Chain>,
    totals: Totals,
    buffer: Vec<u8>,
}

impl Pass<'_> {
    fn file(&mut self, dir: &Path, day: Day) -> Result<(), VerifyError> {
        let name = day.file_name();
        let unreadable = |source| VerifyError::Unreadable { file: name.clone(), source };
        let mut reader =
            BufReader::with_capacity(256 * 1024, open(dir, &name).map_err(unreadable)?);
        self.totals.files += 1;
        let mut line = Vec::new();
        let mut number = 0;
        while read_line(&mut reader, &mut line).map_err(unreadable)? > 0 {
            number += 1;
            self.totals.bytes += count(line.len());
            self.line(&line, day).map_err(|fault| VerifyError::Line {
                file: name.clone(),
                line: number,
                fault,
            })?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], day: Day) -> Result<(), Fault> {
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(if line.len() > MAX_LINE { Fault::TooLong } else { Fault::Torn });
        };
        let text = read_text(line)?;
        let read = match Line::read(text) {
            Ok(read) => read,
            Err(_) if self.verifier.allow_unchained && !has_chain(text) => {
                return self.unchained(text);
            }
            Err(NotCanonical(column)) => return Err(not_canonical(text, column)),
        };
        let unchained = read.seq.is_none() && read.prev_sha256.is_none() && read.key_id.is_none();
        if unchained && self.verifier.allow_unchained {
            return self.unchained(text);
        }
        let seq = read.seq.ok_or(Fault::Missing("seq"))?;
        self.tie(seq, read.prev_sha256.ok_or(Fault::Missing("prev_sha256"))?)?;
        let key_id = read.key_id.ok_or(Fault::Missing("key_id"))?;
        let sig = read.sig.ok_or(Fault::Missing("sig"))?;
        let key = self.verifier.key(key_id).ok_or_else(|| Fault::UnknownKey(shown(key_id)))?;
        self.buffer.clear();
        read.write_unsigned(&mut self.buffer);
        if !signature_holds(key, &self.buffer, sig)? {
            return Err(Fault::BadSignature);
        }
        let ts = read.ts.ok_or(Fault::Missing("ts"))?;
        if ts.get(..10).and_then(Day::parse).is_none_or(|written| written > day) {
            return Err(Fault::WrongDay(shown(ts)));
        }
        self.chain = Some(Chain::behind(seq, line));
        self.totals.first_seq.get_or_insert(seq);
        self.totals.last_seq = Some(seq);
        self.count(ts, read.status, read.event.is_some());
        Ok(())
    }

    /// Checks that a line stands where its number and the hash of the line before say.
    fn tie(&self, seq: u64, prev: &str) -> Result<(), Fault> {
        let start = Chain::start();
        let chain = match &self.chain {
            Some(chain) => chain,
            // Older days may be gone; what they held is then not known.
            None if seq > 0 => return Ok(()),
            None => &start,
        };
        if seq != chain.seq {
            return Err(Fault::Sequence { expected: chain.seq, found: seq });
        }
        if prev != chain.prev.to_string() {
            return Err(Fault::Previous);
        }
        Ok(())
    }

    fn unchained(&mut self, text: &str) -> Result<(), Fault> {
        let (sig, message) = recipe::take_apart(text).map_err(Fault::NotJson)?;
        let sig = sig.ok_or(Fault::Missing("sig"))?;
        let mut holds = false;
        for (_, key) in &self.verifier.keys {
            holds = holds || signature_holds(key, &message, &sig)?;
        }
        if !holds {
            return Err(Fault::BadSignature);
        }
        let counted: Counted =
            serde_json::from_slice(&message).map_err(|error| Fault::NotJson(error.to_string()))?;
        let ts = counted.ts.ok_or(Fault::Missing("ts"))?;
        self.count(&ts, counted.status.as_deref(), counted.event.is_some());
        Ok(())
    }

    fn count(&mut self, ts: &str, status: Option<&str>, is_event: bool) {
        self.totals.first_ts.get_or_insert_with(|| ts.to_owned());
        let last = self.totals.last_ts.get_or_insert_default();
        last.clear();
        last.push_str(ts);
        if is_event {
            self.totals.events += 1;
            return;
        }
        self.totals.records += 1;
        let status = status.unwrap_or("");
        match self.totals.by_status.get_mut(status) {
            Some(count) => *count += 1,
            None => {
                self.totals.by_status.insert(status.to_owned(), 1);
            }
        }
    }
}

/// Whether `sig`, as a line has it, is the signature of `message`.
fn signature_holds(key: &sign::Verifier, message: &[u8], sig: &str) -> Result<bool, Fault> {
    let sig: Signature = sig.parse().map_err(|_says_no_more| Fault::NotASignature)?;
    Ok(key.verify(message, &sig).is_ok())
}

fn read_text(line: &[u8]) -> Result<&str, Fault> {
    if line.len() > MAX_LINE {
        return Err(Fault::TooLong);
    }
    str::from_utf8(line)
        .map_err(|error| Fault::NotJson(format!("no UTF-8 at byte {}", error.valid_up_to() + 1)))
}

fn not_canonical(text: &str, column: usize) -> Fault {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Fault::NotCanonical(column),
        Err(error) => Fault::NotJson(error.to_string()),
    }
}

/// True when a line that is not canonical claims a place in the chain.
fn has_chain(text: &str) -> bool {
    ["\"seq\"", "\"prev_sha256\"", "\"key_id\""].iter().any(|member| text.contains(member))
}

/// A text from a line that failed, short enough for a message.
fn shown(text: &str) -> String {
    text.get(..text.floor_char_boundary(80)).unwrap_or_default().to_owned()
}

fn days(dir: &Path) -> Result<Vec<Day>, VerifyError> {
    let unreadable = |source| VerifyError::Unreadable { file: dir.display().to_string(), source };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut days = Vec::new();
    for entry in entries {
        days.extend(entry.map_err(unreadable)?.file_name().to_str().and_then(Day::of_file));
    }
    days.sort_unstable();
    Ok(days)
}

fn open(dir: &Path, name: &str) -> io::Result<File> {
    // Never a link, and never a wait for the other end of a pipe.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(dir.join(name), flags, Mode::empty())?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

/// Reads a line with its end into `line`, at most [`MAX_LINE`] bytes and the end.
fn read_line(reader: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<usize> {
    line.clear();
    reader.by_ref().take(count(MAX_LINE) + 1).read_until(b'\n', line)
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
