use super::SEGMENT;
use super::entry::{self, Header, Kind};
use crate::audit::chain::Ties;
use crate::audit::day::Day;
use crate::audit::disk::{Disk, DiskFile};
use crate::audit::event::Event;
use crate::audit::read::{Line, members};
use crate::audit::scan::{back_to, first_day};
use crate::audit::stream::Stream;
use crate::clock::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::io;

/// What a process that did not end well left in its journal.
#[derive(Debug, Default)]
pub(in crate::audit) struct Recovered {
    /// The records that do not stand in the log, in the order of their intents.
    pub(in crate::audit) records: Vec<Revived>,
    /// The files, to be removed when those records are durable in the log.
    pub(in crate::audit) files: Vec<String>,
    /// The highest epoch found.
    pub(in crate::audit) epoch: u64,
}

/// The record of a call as the journal had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Revived {
    /// Its members as they stand there, by name.
    members: BTreeMap<String, String>,
    pub(in crate::audit) day: Day,
    /// True when there was no outcome.
    pub(in crate::audit) is_unknown: bool,
}

/// The ids of a call's span, as they stand in a record.
type Span = (String, String);

/// Reads the journal and finds what of it does not stand in the log yet. Changes nothing.
///
/// # Errors
///
/// A file cannot be read.
pub(in crate::audit) fn recover(disk: &dyn Disk, stream: &Stream) -> io::Result<Recovered> {
    let folder = stream.journal();
    let mut found = Recovered::default();
    let mut calls = BTreeMap::new();
    let mut base_seq = u64::MAX;
    for name in disk.names(&folder)? {
        let name = format!("{folder}/{name}");
        let bytes = read_file(&*disk.open(&name, false)?)?;
        if let Some((header, entries)) = entry::read(&bytes) {
            found.epoch = found.epoch.max(header.epoch);
            if !entries.is_empty() {
                base_seq = base_seq.min(header.base_seq);
            }
            for one in entries {
                collect(&mut calls, header, &one);
            }
        }
        found.files.push(name);
    }
    if calls.is_empty() {
        return Ok(found);
    }
    let mut written = HashSet::new();
    back_to(disk, stream, base_seq, |line, _| {
        if let (Some(trace_id), Some(span_id)) = (line.trace_id, line.span_id) {
            written.insert((trace_id.to_owned(), span_id.to_owned()));
        }
    })?;
    // A segment may still have calls of days that were removed since. They were written, or the days
    // would be there: retention comes a day later at the earliest.
    let first = first_day(disk, stream)?;
    for (revived, span) in calls.into_values() {
        if !written.contains(&span) && first.is_none_or(|first| revived.day >= first) {
            found.records.push(revived);
        }
    }
    Ok(found)
}

/// Keeps the latest word on each call.
fn collect(
    calls: &mut BTreeMap<(u64, u64), (Revived, Span)>,
    header: Header,
    entry: &entry::Entry<'_>,
) {
    let key = (header.epoch, entry.id);
    let is_unknown = entry.kind == Kind::Intent;
    if is_unknown && calls.contains_key(&key) {
        return;
    }
    if let Some(call) = Revived::read(entry.payload, is_unknown) {
        calls.insert(key, call);
    } else {
        // It is chained, so it was written like that: nothing of ours.
        tracing::error!("an entry of the journal is no record of a call; it is left out");
    }
}

impl Recovered {
    /// What the log says of it; `None` where there is nothing to say.
    pub(in crate::audit) fn event(&self, at: Timestamp) -> Option<Event> {
        let (unknown, outcomes): (Vec<_>, Vec<_>) =
            self.records.iter().partition(|record| record.is_unknown);
        let count = |records: Vec<_>| u64::try_from(records.len()).unwrap_or(u64::MAX);
        (!self.records.is_empty()).then(|| Event::revived(at, count(outcomes), count(unknown)))
    }
}

impl Revived {
    fn read(payload: &str, is_unknown: bool) -> Option<(Self, Span)> {
        let (line, members) = (Line::read(payload).ok()?, members(payload).ok()?);
        let day = Day::parse(line.ts?.get(..10)?)?;
        let is_tied = line.seq.is_some() || line.prev_sha256.is_some() || line.key_id.is_some();
        let span = (line.trace_id?.to_owned(), line.span_id?.to_owned());
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let members = members.into_iter().map(owned).collect();
        let revived = Self { members, day, is_unknown };
        (!is_tied).then_some((revived, span))
    }

    /// A member that is a text.
    pub(in crate::audit) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.members.get(name)?).ok()
    }

    /// Appends the line without its `sig` and says where `sig` belongs. It has one member more than
    /// the line that the process would have written, `recovered`: the journal is not signed, so
    /// this is vouched for from now on only.
    pub(in crate::audit) fn write(&self, out: &mut Vec<u8>, ties: &Ties<'_>) -> usize {
        let (seq, prev) = (ties.chain.seq.to_string(), format!("\"{}\"", ties.chain.prev));
        let key_id = format!("\"{}\"", ties.key_id);
        let own = self.members.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut members: BTreeMap<_, _> = own.collect();
        members.extend([
            ("seq", seq.as_str()),
            ("prev_sha256", prev.as_str()),
            ("key_id", key_id.as_str()),
            ("recovered", "true"),
        ]);
        let mut sig_at = None;
        for (at, (name, value)) in members.into_iter().enumerate() {
            if name > "sig" {
                sig_at.get_or_insert(out.len());
            }
            out.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(value.as_bytes());
        }
        let end = out.len();
        out.push(b'}');
        sig_at.unwrap_or(end)
    }
}

fn read_file(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let length = file.length()?.min(SEGMENT);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_whole_at(&mut bytes, 0)?;
    Ok(bytes)
}
