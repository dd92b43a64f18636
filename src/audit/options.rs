use super::aside::Wanted;
use super::envelope::Site;
use super::raw::RawPayloads;
use super::sink::AuditSink;
use super::sync_watch::SyncWatch;
use crate::call::LineSigning;
use crate::clock::{Clock, System};
use crate::sign::{PublicKey, Signer};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// What a log is opened with. Everything but the first three has a default.
#[derive(Debug)]
#[non_exhaustive]
pub struct LogOptions {
    pub(super) site: Site,
    pub(super) signer: Arc<dyn Signer>,
    pub(super) sink: Box<dyn AuditSink>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) line_signing: LineSigning,
    pub(super) runtime: Option<Handle>,
    pub(super) capacity: usize,
    pub(super) refused_capacity: usize,
    pub(super) batch_lines: usize,
    pub(super) linger: Duration,
    pub(super) sign_deadline: Duration,
    pub(super) drop_within: Duration,
    pub(super) has_journal: bool,
    pub(super) sync_every: Duration,
    pub(super) durable_within: Duration,
    pub(super) checkpoint_every: Option<Duration>,
    pub(super) retain_days: Option<u32>,
    pub(super) former_keys: Vec<PublicKey>,
    pub(super) agent_copies: Option<usize>,
    pub(super) raw: Option<RawPayloads>,
    pub(super) sync_watch: Option<SyncWatch>,
}

impl LogOptions {
    /// A log of `site`, signed by `signer`, written to `sink`.
    pub fn new(site: Site, signer: Arc<dyn Signer>, sink: impl AuditSink + 'static) -> Self {
        Self {
            site,
            signer,
            sink: Box::new(sink),
            clock: System::shared(),
            line_signing: LineSigning::default(),
            runtime: None,
            capacity: 4096,
            refused_capacity: 1024,
            batch_lines: 256,
            linger: Duration::from_millis(1),
            sign_deadline: Duration::from_secs(5),
            drop_within: Duration::from_secs(2),
            has_journal: false,
            sync_every: Duration::from_secs(1),
            durable_within: Duration::from_secs(5),
            checkpoint_every: None,
            retain_days: None,
            former_keys: Vec::new(),
            agent_copies: None,
            raw: None,
            sync_watch: None,
        }
    }

    /// Who hears how long each sync took.
    #[must_use]
    pub fn sync_watch(mut self, watch: Option<SyncWatch>) -> Self {
        self.sync_watch = watch;
        self
    }

    /// Where the time comes from. Default: the machine.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What of the log is signed. Default: each line.
    #[must_use]
    pub fn line_signing(mut self, signing: LineSigning) -> Self {
        self.line_signing = signing;
        self
    }

    /// The runtime on which a signer that asks a service finds its timers and sockets. Default:
    /// the one in which the log is opened, if any.
    #[must_use]
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// How many calls may be admitted and not yet written: the bound on memory, and on what a
    /// crash can take. 1 to 1,048,576; default 4096.
    #[must_use]
    pub fn capacity(mut self, calls: usize) -> Self {
        self.capacity = calls.clamp(1, 1 << 20);
        self
    }

    /// How many records of refused calls, and events, may wait besides; more are counted. Up to
    /// 1,048,576; default 1024.
    #[must_use]
    pub fn refused_capacity(mut self, records: usize) -> Self {
        self.refused_capacity = records.min(1 << 20);
        self
    }

    /// How many lines are appended at once at most. 1 to 4096; default 256.
    #[must_use]
    pub fn batch_lines(mut self, lines: usize) -> Self {
        self.batch_lines = lines.clamp(1, 4096);
        self
    }

    /// How long the writer lets records gather after it has written all there were. Default 1 ms.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// How long one signature may take. Default 5 s.
    #[must_use]
    pub fn sign_deadline(mut self, deadline: Duration) -> Self {
        self.sign_deadline = deadline;
        self
    }

    /// How long dropping the last handle may block until everything is written. Default 2 s.
    #[must_use]
    pub fn drop_within(mut self, within: Duration) -> Self {
        self.drop_within = within;
        self
    }

    /// Gives the log a journal, which the audit modes `blocking` and `blocking-strict` need. The
    /// sink must have a [`disk`](AuditSink::disk).
    #[must_use]
    pub fn journal(mut self) -> Self {
        self.has_journal = true;
        self
    }

    /// How long lines may be appended and not synced: what a loss of power can take of the records
    /// that nobody waited for. Default 1 s; an idle log is synced at once.
    #[must_use]
    pub fn sync_every(mut self, period: Duration) -> Self {
        self.sync_every = period;
        self
    }

    /// How long a call waits until its intent or its outcome is durable. Default 5 s.
    #[must_use]
    pub fn durable_within(mut self, deadline: Duration) -> Self {
        self.durable_within = deadline;
        self
    }

    /// How long lines may stand without a checkpoint over them. Default 10 s, and 1 s where lines
    /// have no signature of their own. The sink must have a [`disk`](AuditSink::disk), else there
    /// are no checkpoints.
    #[must_use]
    pub fn checkpoint_every(mut self, period: Duration) -> Self {
        self.checkpoint_every = Some(period);
        self
    }

    /// Removes the file of a day when it ended more than `days` days ago, at least one, with all that belongs to
    /// it, once `event: retention` says so in the log. Default: nothing is removed.
    ///
    /// Only days that are closed are removed, from the oldest on and without a hole, each when its
    /// own closing checkpoint is on the disk and fits the line behind it. The checkpoints stay.
    #[must_use]
    pub fn retain_days(mut self, days: u32) -> Self {
        self.retain_days = Some(days.max(1));
        self
    }

    /// A key under which this log was written before. Its lines and checkpoints count as this log's:
    /// to go on from, and for days that are to be removed. Keys that are changed while the program runs need
    /// not be named until it starts anew.
    #[must_use]
    pub fn former_key(mut self, key: PublicKey) -> Self {
        self.former_keys.push(key);
        self
    }

    /// Copies each line of a call that claims a node and a run to
    /// `agents/<node>/<YYYY-MM-DD>/<run>.ndjson`, after the log has it; at most so many files a day
    /// (1000 is usual). Copies are a convenience: what cannot be copied is left out and counted
    /// ([`Log::left_out`](super::Log::left_out)). Default: none.
    #[must_use]
    pub fn agent_copies(mut self, files_a_day: usize) -> Self {
        self.agent_copies = Some(files_a_day);
        self
    }

    /// Keeps arguments and results as they are, in `raw/raw-YYYY-MM-DD.ndjson`. Whoever makes the
    /// records takes them with [`Log::capture`](super::Log::capture). Default: digests only.
    #[must_use]
    pub fn raw_payloads(mut self, raw: RawPayloads) -> Self {
        self.raw = Some(raw);
        self
    }

    /// What is to be written beside the log.
    pub(super) fn aside(&self) -> Option<Wanted> {
        let wanted = Wanted { copies: self.agent_copies, payloads: self.raw.is_some() };
        (wanted.copies.is_some() || wanted.payloads).then_some(wanted)
    }

    /// True where something is asked for that a sink without a disk cannot give.
    pub(super) fn needs_disk(&self) -> bool {
        self.has_journal
            || self.line_signing == LineSigning::Checkpoint
            || self.aside().is_some()
            || self.retain_days.is_some()
    }
}
