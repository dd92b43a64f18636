use super::forest::{Ids, RunLink, RunNode, grow, ids};
use super::record::{Entry, LinePlace, LineSigned, RunRecord};
use crate::audit::MAX_LINE;
use crate::audit::fault::{Fault, VerifyError};
use crate::audit::verify::{Source, streams, verify_line};
use crate::sign::PublicKey;
use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The records of one run, in the order in which they are drawn: each behind the one that caused it.
///
/// ```no_run
/// # fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// let dirs = [".sec0/hops".into(), ".sec0/server".into()];
/// let tree = sec0::audit::RunTree::read(&dirs, "run-7", &[])?;
/// for node in &tree.nodes {
///     println!("{:indent$}{}", "", node.record.name(), indent = 2 * node.depth);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunTree {
    /// The records.
    pub nodes: Vec<RunNode>,
    /// So many records of the run are not among them, because there are too many.
    pub left_out: u64,
    /// So many lines could not be read: they are damaged, or not of an audit log.
    pub unread: u64,
    /// The first of these.
    pub first_unread: Option<LinePlace>,
    /// The runs with the newest records, the newest first: for a run that is not there.
    pub newest_runs: Vec<String>,
}

impl RunTree {
    /// The most records that are drawn.
    pub const MAX_RECORDS: usize = 65_536;

    /// How many of the newest runs are told.
    pub const NEWEST: usize = 10;

    /// Reads all logs in `dirs`, of all writers, for the records whose `agentRef` is `run`. With keys,
    /// the signature of each of them is checked; chains and checkpoints are not
    /// ([`Verifier`](crate::audit::Verifier) does that).
    ///
    /// A record whose cause is not one of the run is looked for in the other runs, in a second pass.
    ///
    /// # Errors
    ///
    /// A directory or a file in it cannot be read.
    pub fn read(dirs: &[PathBuf], run: &str, keys: &[PublicKey]) -> Result<Self, VerifyError> {
        let mut gathered = Gathered::default();
        let mut tree = Self::default();
        each_line(dirs, &mut |line, place| match entry(line, place) {
            Ok(Some(entry)) => gathered.take(entry, run, line, keys),
            Ok(None) => {}
            Err(place) => {
                tree.unread += 1;
                tree.first_unread.get_or_insert(place);
            }
        })?;
        tree.nodes = grow(gathered.records.into_values());
        tree.left_out = gathered.left_out;
        tree.newest_runs = newest_first(gathered.newest);
        tree.find_causes(dirs, run)?;
        Ok(tree)
    }

    /// How many records have a cause that is nowhere in what was read.
    pub fn unlinked(&self) -> usize {
        self.nodes.iter().filter(|node| node.link == RunLink::Unlinked).count()
    }

    /// Tells causes in other runs from those that are nowhere.
    fn find_causes(&mut self, dirs: &[PathBuf], run: &str) -> Result<(), VerifyError> {
        let missing: BTreeSet<Ids> = self
            .nodes
            .iter()
            .filter(|node| node.link == RunLink::Unlinked)
            .filter_map(|node| node.record.cause.map(ids))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut found = BTreeMap::new();
        each_line(dirs, &mut |line, place| {
            if let Ok(Some(entry)) = entry(line, place)
                && entry.run.as_deref() != Some(run)
                && missing.contains(&ids(entry.record.span))
            {
                let name = entry.record.name().to_owned();
                let run = entry.run.map(shortened);
                found.entry(ids(entry.record.span)).or_insert(RunLink::OtherRun { run, name });
            }
        })?;
        for node in self.nodes.iter_mut().filter(|node| node.link == RunLink::Unlinked) {
            if let Some(link) = node.record.cause.and_then(|cause| found.get(&ids(cause))) {
                node.link = link.clone();
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Gathered {
    records: BTreeMap<Ids, RunRecord>,
    left_out: u64,
    /// The newest `ts` of each of the newest runs.
    newest: BTreeMap<String, Box<str>>,
}

impl Gathered {
    fn take(
        &mut self,
        Entry { run: own, mut record }: Entry,
        run: &str,
        line: &[u8],
        keys: &[PublicKey],
    ) {
        let Some(own) = own else { return };
        if own != run {
            return self.note_run(own, record.ts);
        }
        let is_full = self.records.len() >= RunTree::MAX_RECORDS;
        match self.records.entry(ids(record.span)) {
            Slot::Vacant(_) if is_full => self.left_out += 1,
            Slot::Vacant(free) => {
                record.signed = signed(line, keys);
                free.insert(record);
            }
            Slot::Occupied(mut known) => {
                record.signed = signed(line, keys);
                known.get_mut().merge(record);
            }
        }
    }

    fn note_run(&mut self, run: String, ts: Box<str>) {
        if run.len() > MAX_RUN {
            return;
        }
        if let Some(known) = self.newest.get_mut(&run) {
            if *known < ts {
                *known = ts;
            }
            return;
        }
        self.newest.insert(run, ts);
        if self.newest.len() > RunTree::NEWEST {
            let oldest = self.newest.iter().min_by(|one, other| one.1.cmp(other.1));
            if let Some(oldest) = oldest.map(|(run, _)| run.clone()) {
                self.newest.remove(&oldest);
            }
        }
    }
}

/// A longer name of a run is cut in the log, and is not told.
const MAX_RUN: usize = 1024;

fn shortened(run: String) -> String {
    if run.len() <= MAX_RUN {
        return run;
    }
    run.get(..run.floor_char_boundary(MAX_RUN)).unwrap_or_default().to_owned()
}

fn newest_first(runs: BTreeMap<String, Box<str>>) -> Vec<String> {
    let mut runs: Vec<_> = runs.into_iter().map(|(run, ts)| (ts, run)).collect();
    runs.sort_unstable_by(|one, other| other.cmp(one));
    runs.into_iter().map(|(_, run)| run).collect()
}

fn signed(line: &[u8], keys: &[PublicKey]) -> LineSigned {
    if keys.is_empty() {
        return LineSigned::Unchecked;
    }
    let mut signed = LineSigned::No;
    for key in keys {
        match verify_line(line, key) {
            Ok(()) => return LineSigned::Yes,
            Err(Fault::Missing("sig")) => signed = LineSigned::Missing,
            Err(_is_of_another_key_or_changed) => {}
        }
    }
    signed
}

/// What a line says; its place where it is none.
fn entry(line: &[u8], place: &LinePlace) -> Result<Option<Entry>, LinePlace> {
    let whole = line.strip_suffix(b"\n").filter(|line| line.len() <= MAX_LINE);
    let text = whole.and_then(|line| str::from_utf8(line).ok()).ok_or_else(|| place.clone())?;
    Entry::read(text, || place.clone()).map_err(|_none| place.clone())
}

/// Shows every line of all logs in `dirs`, each directory once. Of a line that is too long its parts
/// are shown as one, the first.
fn each_line(dirs: &[PathBuf], show: &mut dyn FnMut(&[u8], &LinePlace)) -> Result<(), VerifyError> {
    let mut seen = BTreeSet::new();
    for dir in dirs {
        let real = std::fs::canonicalize(dir).map_err(|source| VerifyError::Unreadable {
            file: dir.display().to_string(),
            source,
        })?;
        if seen.insert(real) {
            each_line_in(dir, show)?;
        }
    }
    Ok(())
}

fn each_line_in(dir: &Path, show: &mut dyn FnMut(&[u8], &LinePlace)) -> Result<(), VerifyError> {
    let mut line = Vec::new();
    for stream in streams(dir)? {
        let source = Source { dir, stream: &stream };
        for day in source.days()? {
            let mut lines = source.lines(day)?;
            let file = dir.join(&lines.name).display().to_string().into();
            let mut place = LinePlace { file, line: 1 };
            let mut is_rest = false;
            while lines.next(&mut line)? {
                if !is_rest {
                    show(&line, &place);
                }
                is_rest = !line.ends_with(b"\n");
                place.line += u64::from(!is_rest);
            }
        }
    }
    Ok(())
}
