use super::disk::SimDisk;
use crate::audit::Day;
use crate::audit::chain::Chain;
use crate::audit::read::Line;
use std::collections::BTreeSet;

/// One line of the log, as [`check`] found it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) file: String,
    pub(crate) text: String,
}

impl Record {
    /// A member that is a text, as it stands in the line.
    pub(crate) fn member(&self, name: &str) -> Option<&str> {
        let (_, behind) = self.text.split_once(&format!("\"{name}\":\""))?;
        behind.split('"').next()
    }
}

/// Reads the day files in their order and holds them against what is true of every log in every
/// mode: lines are whole, in the form of RFC 8785, chained from the first one on, none is in the
/// file of an earlier day than its own, and no call has two.
///
/// # Errors
///
/// The place of the first line of which that is not true, and what is wrong.
pub(crate) fn check(disk: &SimDisk) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    let (mut chain, mut spans) = (Chain::start(), BTreeSet::new());
    for (file, bytes) in disk.files() {
        let Some(day) = Day::of_file(&file) else { continue };
        let mut rest = &bytes[..];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, behind) = rest.split_at(end);
            let wrong = |why: &str| format!("{file}: line {} of the log: {why}", records.len());
            let text = str::from_utf8(line).map_err(|error| wrong(&error.to_string()))?;
            let read = Line::read(text).map_err(|at| wrong(&format!("{at:?}")))?;
            if read.seq != Some(chain.seq) {
                return Err(wrong(&format!("{:?} where {} belongs", read.seq, chain.seq)));
            }
            if read.prev_sha256 != Some(&*chain.prev.to_string()) {
                return Err(wrong("not chained to the line before"));
            }
            let own = read.ts.and_then(|ts| Day::parse(ts.get(..10)?));
            if own.is_none_or(|own| own > day) {
                return Err(wrong("of a later day than its file"));
            }
            chain = Chain::behind(chain.seq, line);
            let record = Record { file: file.clone(), text: text.to_owned() };
            let span = record.member("span_id").map(str::to_owned);
            if read.event.is_none() && !spans.insert(span) {
                return Err(wrong("a second record of its call"));
            }
            records.push(record);
            rest = &behind[1..];
        }
        if !rest.is_empty() {
            return Err(format!("{file}: {} bytes of a torn line", rest.len()));
        }
    }
    Ok(records)
}
