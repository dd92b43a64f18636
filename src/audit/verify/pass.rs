//! One pass over a log, with one line in memory.

use super::keys::Ring;
use super::seals::{Seal, Seals, read_day};
use super::source::{Source, count, shown};
use super::totals::Totals;
use super::unchained::{self, has_chain, read_text};
use super::verifier::ApprovalCheck;
use crate::audit::MAX_LINE;
use crate::audit::chain::Chain;
use crate::audit::day::Day;
use crate::audit::fault::{CheckpointFault, Fault, VerifyError};
use crate::audit::read::{Line, NotCanonical};
use crate::tlog::{Edge, leaf_hash};

/// What a pass looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Lines, tree and checkpoints; signatures only where no checkpoint vouches, or all.
    Whole {
        /// All.
        every_signature: bool,
    },
    /// Lines and their signatures, no checkpoints.
    Lines,
    /// Only the signatures of the lines from `from` to before `to`, to find the one that made a
    /// whole pass fail.
    Search {
        /// The first line.
        from: u64,
        /// The line behind the last one.
        to: u64,
    },
}

/// One pass over a log.
pub(super) struct Pass<'p> {
    source: Source<'p>,
    mode: Mode,
    allow_unchained: bool,
    ring: Ring,
    seals: Seals,
    /// Where the next line is tied on; `None` before the first.
    chain: Option<Chain>,
    edge: Edge,
    tenant: Tenant,
    /// The day of the oldest file.
    first: Option<Day>,
    /// The number of the first line of each file that has lines, with the file's day and name.
    files: Vec<(u64, Day, String)>,
    /// How many lines the last checkpoint that held covers.
    good: u64,
    was_written: bool,
    totals: Totals,
    unsigned: Vec<u8>,
    approvals: Option<ApprovalCheck>,
}

impl<'p> Pass<'p> {
    pub(super) fn new(source: Source<'p>, mode: Mode, ring: Ring, allow_unchained: bool) -> Self {
        Self {
            source,
            mode,
            allow_unchained,
            ring,
            seals: Seals::default(),
            chain: None,
            edge: Edge::new(),
            tenant: Tenant::default(),
            first: None,
            files: Vec::new(),
            good: 0,
            was_written: false,
            totals: Totals::default(),
            unsigned: Vec::new(),
            approvals: None,
        }
    }

    /// The same pass, which shows the lines about approvals to `check`.
    pub(super) fn with_approvals(self, check: ApprovalCheck) -> Self {
        Self { approvals: Some(check), ..self }
    }

    /// Reads the whole log; `kept` are checkpoints that do not lie in its directory.
    pub(super) fn run(&mut self, kept: &[Seal]) -> Result<(), VerifyError> {
        let is_whole = matches!(self.mode, Mode::Whole { .. });
        if is_whole {
            self.was_written = self.source.is_written()?;
            self.seals = Seals::load(&self.source, kept)?;
        }
        let days = self.source.days()?;
        let is_something = !days.is_empty() || self.seals.has_days();
        self.first = days.first().copied();
        if is_whole && is_something && !self.seals.has_newest && !self.allow_unchained {
            return Err(self.no_checkpoint());
        }
        for day in days {
            self.file(day)?;
            if matches!(self.mode, Mode::Search { to, .. } if self.position() >= to) {
                return Ok(());
            }
        }
        if is_whole { self.end() } else { Ok(()) }
    }

    /// The number of the next line.
    pub(super) fn position(&self) -> u64 {
        self.chain.as_ref().map_or(0, |chain| chain.seq)
    }

    /// How many lines the last checkpoint that held covers.
    pub(super) fn good(&self) -> u64 {
        self.good
    }

    /// What was counted.
    pub(super) fn totals(self) -> Totals {
        let mut totals = self.totals;
        totals.streams = u64::from(totals.files > 0 || !self.seals.is_empty());
        if !self.seals.is_empty() {
            totals.checkpoint_size = Some(self.seals.covers());
            totals.uncovered =
                self.chain.map_or(0, |chain| chain.seq).saturating_sub(self.seals.covers());
        }
        totals
    }

    fn no_checkpoint(&self) -> VerifyError {
        VerifyError::checkpoint(&self.source.newest(), CheckpointFault::Missing)
    }

    fn file(&mut self, day: Day) -> Result<(), VerifyError> {
        let mut lines = self.source.lines(day)?;
        self.totals.files += 1;
        let mut line = Vec::new();
        let mut number = 0;
        while lines.next(&mut line)? {
            number += 1;
            self.totals.bytes += count(line.len());
            let place = Place { file: &lines.name, line: number };
            self.line(&line, day, &place)?;
            if matches!(self.mode, Mode::Search { to, .. } if self.position() >= to) {
                return Ok(());
            }
            while let Some(seal) = self.seals.due(self.position()) {
                self.check(&seal)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], day: Day, place: &Place<'_>) -> Result<(), VerifyError> {
        let at = |fault| place.fails(fault);
        let Some(line) = line.strip_suffix(b"\n") else {
            return Err(at(if line.len() > MAX_LINE { Fault::TooLong } else { Fault::Torn }));
        };
        let text = read_text(line).map_err(at)?;
        let read = match Line::read(text) {
            Ok(read) => read,
            Err(_) if self.allow_unchained && !has_chain(text) => {
                return unchained::take(text, &self.ring, &mut self.totals).map_err(at);
            }
            Err(NotCanonical(column)) => return Err(at(not_canonical(text, column))),
        };
        let unchained = read.seq.is_none() && read.prev_sha256.is_none() && read.key_id.is_none();
        if unchained && self.allow_unchained {
            return unchained::take(text, &self.ring, &mut self.totals).map_err(at);
        }
        let seq = read.seq.ok_or(Fault::Missing("seq")).map_err(at)?;
        let prev = read.prev_sha256.ok_or(Fault::Missing("prev_sha256")).map_err(at)?;
        if self.chain.is_none() {
            self.begin(seq, day, place)?;
        }
        self.tie(seq, prev).map_err(at)?;
        if place.line == 1 {
            self.seam(day)?;
            self.files.push((seq, day, place.file.to_owned()));
        }
        self.accept(&read, seq, day).map_err(at)?;
        self.chain = Some(Chain::behind(seq, line));
        if matches!(self.mode, Mode::Whole { .. }) {
            self.edge.push(leaf_hash(line));
            if seq == 0 {
                while let Some(seal) = self.seals.due(0) {
                    self.check(&seal)?;
                }
            }
        }
        Ok(())
    }

    /// Settles what the first line of the log is tied to.
    fn begin(&mut self, seq: u64, day: Day, place: &Place<'_>) -> Result<(), VerifyError> {
        if !matches!(self.mode, Mode::Whole { .. }) {
            return Ok(());
        }
        if !self.seals.has_newest {
            return Err(self.no_checkpoint());
        }
        if seq == 0 {
            return Ok(());
        }
        let gone = || place.fails(Fault::OlderGone(seq));
        // An older file that is there and empty was emptied: retention removes files.
        let first = self.first.unwrap_or(day);
        let resume = self.seals.resume(seq, first).cloned().ok_or_else(gone)?;
        self.edge = resume.edge;
        let prev = resume.last_line.ok_or_else(gone)?;
        self.chain = Some(Chain { seq, prev });
        while let Some((_, name, size)) = self.seals.day_before(Some(day)) {
            if size > seq {
                return Err(VerifyError::checkpoint(
                    &name,
                    CheckpointFault::Seam { size, lines: seq },
                ));
            }
        }
        while let Some(seal) = self.seals.due(seq) {
            self.check(&seal)?;
        }
        Ok(())
    }

    /// Checks that a line stands where its number and the hash of the line before say.
    fn tie(&self, seq: u64, prev: &str) -> Result<(), Fault> {
        let start = Chain::start();
        let chain = match &self.chain {
            Some(chain) => chain,
            // Without checkpoints nobody knows what was before.
            None if seq > 0 => return Ok(()),
            None => &start,
        };
        if seq != chain.seq {
            return Err(Fault::Sequence { expected: chain.seq, found: seq });
        }
        if chain.is_before(prev) { Ok(()) } else { Err(Fault::Previous) }
    }

    /// Checks what a line in its place says: who signed it, and when.
    fn accept(&mut self, read: &Line<'_>, seq: u64, day: Day) -> Result<(), Fault> {
        let key_id = read.key_id.ok_or(Fault::Missing("key_id"))?;
        if self.ring.name(key_id)? {
            self.totals.keys.push(key_id.to_owned());
        }
        self.tenant.set(read.tenant.ok_or(Fault::Missing("tenant"))?)?;
        let is_change = read.is_key_change();
        if (is_change || self.is_to_be_signed(seq))
            && !self.ring.check_line(read, &mut self.unsigned)?
        {
            if is_change {
                return Err(Fault::Missing("sig"));
            }
            self.is_to_be_covered(seq)?;
        }
        if is_change {
            self.ring.follow(seq, read)?;
        }
        if let Some(event) = read.event.filter(|event| event.starts_with("approval_"))
            && let Some(check) = &mut self.approvals
        {
            let id = read.escalation_id.ok_or(Fault::Missing("escalation_id"))?;
            let about = read.about.ok_or(Fault::Missing("escalation"))?;
            self.totals.unchecked = check(event, id, about).map_err(Fault::Approval)?;
        }
        let ts = read.ts.ok_or(Fault::Missing("ts"))?;
        if ts.get(..10).and_then(Day::parse).is_none_or(|written| written > day) {
            return Err(Fault::WrongDay(shown(ts)));
        }
        self.totals.first_seq.get_or_insert(seq);
        self.totals.last_seq = Some(seq);
        self.totals.recovered += u64::from(read.recovered);
        self.totals.count(ts, read.status, read.event.is_some());
        Ok(())
    }

    fn is_to_be_signed(&self, seq: u64) -> bool {
        match self.mode {
            Mode::Whole { every_signature } => every_signature || seq >= self.seals.covers(),
            Mode::Lines => true,
            Mode::Search { from, to } => (from..to).contains(&seq),
        }
    }

    /// A line without a signature is fine under a checkpoint, or while one is about to be made.
    fn is_to_be_covered(&mut self, seq: u64) -> Result<(), Fault> {
        match self.mode {
            Mode::Lines => return Err(Fault::Missing("sig")),
            Mode::Search { .. } => return Ok(()),
            Mode::Whole { .. } => {}
        }
        // The writer may have begun since, or ended: then it was there before.
        let is_written = || self.source.is_written().unwrap_or(false);
        if seq < self.seals.covers() || self.was_written || is_written() {
            return Ok(());
        }
        Err(Fault::NotCovered)
    }

    /// Before the first line of the file of `day`: the days before ended where their checkpoints
    /// say.
    fn seam(&mut self, day: Day) -> Result<(), VerifyError> {
        if !matches!(self.mode, Mode::Whole { .. }) {
            return Ok(());
        }
        let lines = self.position();
        let closed = self.files.last().map(|(_, day, _)| *day);
        let mut is_closed = closed.is_none();
        while let Some((of, name, size)) = self.seals.day_before(Some(day)) {
            is_closed = is_closed || Some(of) == closed;
            if size != lines {
                return Err(VerifyError::checkpoint(&name, CheckpointFault::Seam { size, lines }));
            }
        }
        if let (false, Some(closed)) = (is_closed, closed) {
            // The day may have been closed after the checkpoints were read.
            let missing = || {
                VerifyError::checkpoint(&self.source.closing(closed), CheckpointFault::DayMissing)
            };
            let seal = read_day(&self.source, closed)?.ok_or_else(missing)?;
            if seal.size() != lines {
                return Err(seal.fails(CheckpointFault::Seam { size: seal.size(), lines }));
            }
            self.check(&seal)?;
        }
        Ok(())
    }

    /// Behind the last line.
    fn end(&mut self) -> Result<(), VerifyError> {
        let lines = self.position();
        while let Some(seal) = self.seals.due(lines) {
            self.check(&seal)?;
        }
        if let Some(seal) = self.seals.left() {
            return Err(seal.fails(CheckpointFault::Shorter { size: seal.size(), lines }));
        }
        while let Some((_, name, size)) = self.seals.day_before(None) {
            if size != lines {
                return Err(VerifyError::checkpoint(&name, CheckpointFault::Seam { size, lines }));
            }
        }
        Ok(())
    }

    /// Checks a checkpoint whose place was reached: who signed it, of what log it is, and what it
    /// covers. One for lines that are gone is only known by its signature.
    fn check(&mut self, seal: &Seal) -> Result<(), VerifyError> {
        let size = seal.size();
        let signed = self.ring.check_note(&seal.note, seal.checkpoint.origin(), size);
        signed.map_err(|fault| seal.fails(fault))?;
        // Of what lies before the first line here the tenant is not known.
        let is_known = self.totals.last_seq.is_some();
        let tenant = self.tenant.known().filter(|_| is_known);
        seal.check_origin(tenant, self.source.stream.writer())?;
        if size == self.edge.size() {
            if seal.checkpoint.root() != self.edge.root() {
                return Err(self.other_tree(seal));
            }
            let last = seal.resume.as_ref().and_then(|resume| resume.last_line);
            if let (Some(last), Some(chain)) = (last, &self.chain)
                && last != chain.prev
            {
                return Err(seal.fails(CheckpointFault::Last(size.saturating_sub(1))));
            }
        } else if size == 0 && seal.checkpoint.root() != Edge::new().root() {
            return Err(seal.fails(CheckpointFault::Root { size }));
        }
        self.good = self.good.max(size);
        self.totals.checkpoints += 1;
        Ok(())
    }

    /// Names the first line that may be the changed one: the edges differ from there on.
    fn other_tree(&self, seal: &Seal) -> VerifyError {
        let root = || seal.fails(CheckpointFault::Root { size: seal.size() });
        let Some(resume) = &seal.resume else { return root() };
        let mut start = 0_u64;
        for (bit, (ours, theirs)) in
            bits(seal.size()).zip(self.edge.hashes().iter().zip(resume.edge.hashes()))
        {
            let end = start + bit;
            if ours != theirs {
                let first = start.max(self.good);
                let Some((file, line)) = self.place_of(first) else { return root() };
                let behind = end.saturating_sub(first + 1);
                let fault = Fault::NotInTree { checkpoint: seal.name.clone(), behind };
                return VerifyError::Line { file, line, fault };
            }
            start = end;
        }
        root()
    }

    /// The file and line of the number `seq`.
    fn place_of(&self, seq: u64) -> Option<(String, u64)> {
        let (first, _, name) = self.files.iter().rev().find(|(first, ..)| *first <= seq)?;
        Some((name.clone(), seq - first + 1))
    }
}

/// The sizes of the perfect trees that a tree of `size` leaves is made of, the largest first.
fn bits(size: u64) -> impl Iterator<Item = u64> {
    (0..64).rev().map(|bit| 1_u64 << bit).filter(move |bit| size & bit != 0)
}

/// Where a line stands.
struct Place<'a> {
    file: &'a str,
    line: u64,
}

impl Place<'_> {
    fn fails(&self, fault: Fault) -> VerifyError {
        VerifyError::Line { file: self.file.to_owned(), line: self.line, fault }
    }
}

/// Whose log it is, as the line before said.
#[derive(Default)]
struct Tenant {
    /// As it stands in the line.
    written: String,
    name: Option<String>,
}

impl Tenant {
    fn set(&mut self, written: &str) -> Result<(), Fault> {
        if self.name.is_some() && self.written == written {
            return Ok(());
        }
        let name = serde_json::from_str(&format!("\"{written}\""));
        self.name = Some(name.map_err(|_is_no_text| Fault::Missing("tenant"))?);
        self.written.clear();
        self.written.push_str(written);
        Ok(())
    }

    fn known(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

fn not_canonical(text: &str, column: usize) -> Fault {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Fault::NotCanonical(column),
        Err(error) => Fault::NotJson(error.to_string()),
    }
}
