use super::keys::Ring;
use super::pass::{Mode, Pass};
use super::seals::Seal;
use super::source::{Source, streams};
use super::totals::Totals;
use crate::audit::fault::VerifyError;
use crate::audit::stream::Stream;
use crate::sign::PublicKey;
use std::path::Path;

/// Verifies every log in `dir` against `keys`: lines, chain, tree and checkpoints, and signatures
/// where no checkpoint vouches for the lines. Reads each file once, in the order of days, with one
/// line in memory.
///
/// What it cannot see alone: lines missing behind the newest checkpoint, and a log that was
/// replaced as a whole by an earlier state of itself. [`Verifier::checkpoint`] can.
///
/// # Errors
///
/// The first line or checkpoint that does not hold, with its file, its number and the likely
/// cause; or a file that cannot be read.
pub fn verify_dir(dir: &Path, keys: &[PublicKey]) -> Result<Totals, VerifyError> {
    Verifier::new(keys)?.verify_dir(dir)
}

/// Looks at the lines about approvals of one log, in order: the `event`, the `escalation_id`, and the
/// JSON of the member `escalation`, `cast` or `decision`. It says how many of the lines so far could not
/// be checked. The error says what does not hold.
pub type ApprovalCheck = Box<dyn FnMut(&str, &str, &str) -> Result<u64, String>>;

/// Verifies logs against a set of keys.
#[derive(Debug)]
pub struct Verifier {
    keys: Ring,
    mode: Mode,
    allow_unchained: bool,
    kept: Vec<Seal>,
    approvals: Option<fn() -> ApprovalCheck>,
}

impl Verifier {
    /// Verifies against `keys`; a line names the one that signed it. A key that a line of the log
    /// introduces, signed by the key before it, is then trusted too.
    ///
    /// # Errors
    ///
    /// One of them is no public key that [`sign::Verifier`](crate::sign::Verifier) takes.
    pub fn new(keys: &[PublicKey]) -> Result<Self, VerifyError> {
        Ok(Self {
            keys: Ring::new(keys)?,
            mode: Mode::Whole { every_signature: false },
            allow_unchained: false,
            kept: Vec::new(),
            approvals: None,
        })
    }

    /// The same verifier for logs of the original, whose lines have neither number nor chain nor
    /// key id: such a line verifies if any key signed it. That it is missing cannot be seen.
    #[must_use]
    pub fn allow_unchained(mut self, allow: bool) -> Self {
        self.allow_unchained = allow;
        self
    }

    /// The same verifier, which also checks the signatures of lines that a checkpoint vouches for.
    /// Lines without one, where checkpoints sign for them, still hold.
    #[must_use]
    pub fn every_signature(mut self, every: bool) -> Self {
        if self.mode != Mode::Lines {
            self.mode = Mode::Whole { every_signature: every };
        }
        self
    }

    /// The same verifier, which also shows each log's lines about approvals to a check made for that
    /// log. This module does not know what makes a vote; `approval::Evidence::check` does.
    #[must_use]
    pub fn approvals(mut self, check: fn() -> ApprovalCheck) -> Self {
        self.approvals = Some(check);
        self
    }

    /// The same verifier for lines that were taken out of their directory: checkpoints are neither
    /// needed nor looked at, and each line must be signed. Lines missing at either end cannot be
    /// seen.
    #[must_use]
    pub fn lines_only(mut self, lines_only: bool) -> Self {
        match (lines_only, self.mode) {
            (true, _) => self.mode = Mode::Lines,
            (false, Mode::Lines) => self.mode = Mode::Whole { every_signature: false },
            (false, Mode::Whole { .. } | Mode::Search { .. }) => {}
        }
        self
    }

    /// The same verifier, which also holds the log against a checkpoint that was kept elsewhere, by
    /// its name for messages and its bytes. A log that is shorter, empty, missing or another one
    /// then fails. May be called several times.
    ///
    /// # Errors
    ///
    /// The bytes are no checkpoint. Who signed it is checked with the log.
    pub fn checkpoint(mut self, name: &str, bytes: &[u8]) -> Result<Self, VerifyError> {
        self.kept.push(Seal::read(name, bytes, true)?);
        Ok(self)
    }

    /// Verifies all logs in `dir`, one for each writer; see [`verify_dir`]. A checkpoint that was
    /// given counts for the log of its writer, also if nothing is left of that.
    ///
    /// # Errors
    ///
    /// As [`verify_dir`].
    pub fn verify_dir(&self, dir: &Path) -> Result<Totals, VerifyError> {
        let mut streams = streams(dir)?;
        for seal in &self.kept {
            let Ok(writer) = seal.writer() else {
                seal.check_origin(None, None)?;
                continue;
            };
            match writer.map_or(Ok(Stream::default()), Stream::of_writer) {
                Ok(stream) if streams.contains(&stream) => {}
                Ok(stream) => streams.push(stream),
                Err(_is_no_writer) => seal.check_origin(None, None)?,
            }
        }
        let mut totals = Totals::default();
        for stream in &streams {
            let own = |seal: &&Seal| seal.writer() == Ok(stream.writer());
            let kept: Vec<_> = self.kept.iter().filter(own).cloned().collect();
            totals.add(self.verify_one(dir, stream, &kept)?);
        }
        Ok(totals)
    }

    /// Verifies the log of one writer in `dir`, against all checkpoints that were given.
    ///
    /// # Errors
    ///
    /// As [`verify_dir`].
    pub fn verify_stream(&self, dir: &Path, stream: &Stream) -> Result<Totals, VerifyError> {
        self.verify_one(dir, stream, &self.kept)
    }

    fn verify_one(
        &self,
        dir: &Path,
        stream: &Stream,
        kept: &[Seal],
    ) -> Result<Totals, VerifyError> {
        let source = Source { dir, stream };
        let mut pass = self.pass(source, self.mode);
        let Err(error) = pass.run(kept) else { return Ok(pass.totals()) };
        let is_a_verdict = !matches!(error, VerifyError::Unreadable { .. });
        if is_a_verdict && self.mode == (Mode::Whole { every_signature: false }) {
            // What vouched for the lines before does not hold: the first bad one may be earlier.
            let search = Mode::Search { from: pass.good(), to: pass.position() };
            self.pass(source, search).run(&[])?;
        }
        Err(error)
    }

    fn pass<'p>(&self, source: Source<'p>, mode: Mode) -> Pass<'p> {
        let pass = Pass::new(source, mode, self.keys.clone(), self.allow_unchained);
        match self.approvals {
            Some(check) if !matches!(mode, Mode::Search { .. }) => pass.with_approvals(check()),
            Some(_) | None => pass,
        }
    }
}
