use crate::audit::read::members;
use crate::call::SpanIds;
use std::sync::Arc;

/// The most bytes that are kept of one text of a line; a longer one ends in `…`.
const MAX_TEXT: usize = 256;

/// What a line says of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunRecord {
    /// The ids of the call: another record names them as its cause.
    pub span: SpanIds,
    /// The ids of what caused it; `None` where the line names nothing.
    pub cause: Option<SpanIds>,
    /// When it arrived.
    pub ts: Box<str>,
    /// The number of the line in its own log.
    pub seq: Option<u64>,
    /// The name of the hop in its configuration; `None` for a tool of a server.
    pub hop: Option<Box<str>>,
    /// What was called, as `server tool@version`.
    pub target_tool_ref: Option<Box<str>>,
    /// Who acted, as claimed.
    pub node_id: Option<Box<str>>,
    /// What kind of door or hop recorded it.
    pub node_type: Option<Box<str>>,
    /// How it ended.
    pub status: Option<Box<str>>,
    /// `allow`, `would_deny` or `deny`.
    pub decision: Option<Box<str>>,
    /// What refused, or the first thing found.
    pub reason: Option<Box<str>>,
    /// Whether the body or handler started.
    pub executed: Option<bool>,
    /// How long it ran.
    pub latency_ms: Option<u64>,
    /// A start of the writer completed the line after a crash.
    pub recovered: bool,
    /// Where the line stands.
    pub place: LinePlace,
    /// How many lines have these ids: recovery may write one again.
    pub lines: u64,
    /// They say different things, and that is not recovery.
    pub disagree: bool,
    /// What became of the check of its signature.
    pub signed: LineSigned,
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct LinePlace {
    /// The file, with its directory.
    pub file: Arc<str>,
    /// The number of the line, from 1.
    pub line: u64,
}

/// Whether a line is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LineSigned {
    /// By one of the keys.
    Yes,
    /// No key was given.
    Unchecked,
    /// It has no signature of its own; a checkpoint may vouch for it.
    Missing,
    /// By none of the keys, or it was changed.
    No,
}

/// A line that may belong to a run.
#[derive(Debug)]
pub(super) struct Entry {
    /// The run that it claims to belong to.
    pub(super) run: Option<String>,
    pub(super) record: RunRecord,
}

impl Entry {
    /// What a line says; `None` of one that is no record of a call with ids of its own.
    ///
    /// # Errors
    ///
    /// The line is none of an audit log.
    pub(super) fn read(
        text: &str,
        place: impl FnOnce() -> LinePlace,
    ) -> Result<Option<Self>, NoLine> {
        let members = members(text).map_err(|_not_canonical| NoLine)?;
        let raw = |name| members.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        if raw("ts").is_none() || raw("tenant").is_none() {
            return Err(NoLine);
        }
        if raw("event").is_some() {
            return Ok(None);
        }
        let text = |name| raw(name).and_then(text_of);
        let short = |name| text(name).map(bounded);
        let ids = |trace, span| {
            let ids = SpanIds::new(bytes_of(raw(trace)?)?, bytes_of(raw(span)?)?);
            ids.is_valid().then_some(ids)
        };
        let span = ids("trace_id", "span_id").ok_or(NoLine)?;
        let policy = raw("policy").map_or(Ok(Vec::new()), members_of)?;
        let decided = |name| {
            let (_, value) = policy.iter().find(|(key, _)| *key == name)?;
            text_of(value).map(bounded)
        };
        let record = RunRecord {
            span,
            cause: ids("cause_trace_id", "cause_span_id"),
            ts: short("ts").unwrap_or_default(),
            seq: raw("seq").and_then(number),
            hop: short("hop"),
            target_tool_ref: short("target_tool_ref"),
            node_id: short("nodeId"),
            node_type: short("node_type"),
            status: short("status"),
            decision: decided("decision"),
            reason: decided("reason"),
            executed: raw("executed").map(|value| value == "true"),
            latency_ms: raw("latency_ms").and_then(number),
            recovered: raw("recovered") == Some("true"),
            place: place(),
            lines: 1,
            disagree: false,
            signed: LineSigned::Unchecked,
        };
        Ok(Some(Self { run: text("agentRef"), record }))
    }
}

impl RunRecord {
    /// The name of the hop, or what was called.
    pub fn name(&self) -> &str {
        self.hop.as_deref().or(self.target_tool_ref.as_deref()).unwrap_or("-")
    }

    /// Takes another line with the same ids: the one that counts stays, whatever the order in which
    /// they are met.
    pub(super) fn merge(&mut self, other: Self) {
        let lines = self.lines.saturating_add(other.lines);
        let disagree = self.disagree
            || other.disagree
            || (!self.recovered && !other.recovered && self.said() != other.said());
        let signed = self.signed.max(other.signed);
        if other.rank() < self.rank() {
            *self = other;
        }
        (self.lines, self.disagree, self.signed) = (lines, disagree, signed);
    }

    /// By this siblings are drawn.
    pub(super) fn order(&self) -> (&str, Option<u64>, [u8; 16], [u8; 8]) {
        (&self.ts, self.seq, self.span.trace_id, self.span.span_id)
    }

    /// The line of the writer itself counts more than what recovery made of the journal.
    fn rank(&self) -> (bool, bool, &str, Option<u64>, &LinePlace) {
        let is_unknown = self.status.as_deref() == Some("unknown");
        (is_unknown, self.recovered, &self.ts, self.seq, &self.place)
    }

    fn said(&self) -> [Option<&str>; 6] {
        [
            &self.hop,
            &self.target_tool_ref,
            &self.node_id,
            &self.status,
            &self.decision,
            &self.reason,
        ]
        .map(Option::as_deref)
    }
}

/// A line that is none of an audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoLine;

fn members_of(text: &str) -> Result<Vec<(&str, &str)>, NoLine> {
    members(text).map_err(|_not_canonical| NoLine)
}

fn text_of(value: &str) -> Option<String> {
    serde_json::from_str(value).ok()
}

fn number(value: &str) -> Option<u64> {
    value.parse().ok()
}

/// A text at a bounded length.
fn bounded(text: String) -> Box<str> {
    if text.len() <= MAX_TEXT {
        return text.into();
    }
    let mut kept = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default().to_owned();
    kept.push('…');
    kept.into()
}

/// The bytes of a text in lower-case hex, all of them.
fn bytes_of<const N: usize>(value: &str) -> Option<[u8; N]> {
    let digits = value.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let mut bytes = [0; N];
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
