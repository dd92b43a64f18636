use super::keeping::Deduping;
use super::reporting::Reporting;
use super::shared::Principals;
use crate::approval::{ApprovalStore, EscalationReporter};
use crate::audit::{AuditSink, Program, RawPayloads, Stream};
use crate::call::{AuditMode, LineSigning, ToolVersion};
use crate::clock::{Clock, System};
use crate::dedupe::{DedupeOptions, DedupeStore};
use crate::digest::DigestKey;
use crate::identity::Detail;
use crate::limit::HARD_MAX_ARGUMENTS;
use crate::otel::{Otel, Telemetry};
use crate::policy::{Policy, PolicySource};
use crate::registry::{Denials, Manner};
use crate::secret::Secret;
use crate::sign::{PublicKey, Signer};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What an author may set.
///
/// ```no_run
/// use sec0::{Sec0Options, Sec0SecurityLayer};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = Sec0Options::from_policy_file("policy.yaml")?.audit_dir(".sec0");
/// let sec0 = Sec0SecurityLayer::new(options);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Sec0Options {
    pub(super) policy: Policy,
    pub(super) source: Option<Box<dyn PolicySource>>,
    pub(super) reload_every: Duration,
    pub(super) signer: Option<Arc<dyn Signer>>,
    pub(super) audit_dir: PathBuf,
    pub(super) stream: Stream,
    pub(super) sink: Option<Box<dyn AuditSink>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) manner: Manner,
    pub(super) audit_mode: Option<AuditMode>,
    pub(super) line_signing: Option<LineSigning>,
    pub(super) digest_key: Option<DigestKey>,
    pub(super) retain_days: Option<u32>,
    pub(super) former_keys: Vec<PublicKey>,
    pub(super) agent_copies: Option<usize>,
    pub(super) raw: Option<RawPayloads>,
    pub(super) queue: Option<usize>,
    pub(super) signing_deadline: Option<Duration>,
    pub(super) admission_wait: Duration,
    pub(super) durable_within: Option<Duration>,
    pub(super) max_arguments: usize,
    pub(super) program: Program,
    pub(super) otel: Option<Otel>,
    pub(super) telemetry: Telemetry,
    pub(super) principals: Principals,
    pub(super) detail: Detail,
    pub(super) runs_unrecorded: bool,
    pub(super) lock_file: Option<PathBuf>,
    /// Where the policy was read from: its lock file lies beside it.
    pub(super) policy_dir: PathBuf,
    pub(super) deduping: Deduping,
    pub(super) reporting: Option<Reporting>,
}

impl Sec0Options {
    /// Options with this policy. The audit directory is `.sec0` in the current directory, the key
    /// the policy's `signing.key_ref`, else `keys/ed25519.key` in the audit directory.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            source: None,
            reload_every: Duration::from_secs(1),
            signer: None,
            audit_dir: PathBuf::from(".sec0"),
            stream: Stream::default(),
            sink: None,
            clock: System::shared(),
            manner: Manner::default(),
            audit_mode: None,
            line_signing: None,
            digest_key: None,
            retain_days: None,
            former_keys: Vec::new(),
            agent_copies: None,
            raw: None,
            queue: None,
            signing_deadline: None,
            admission_wait: Duration::from_secs(1),
            durable_within: None,
            max_arguments: HARD_MAX_ARGUMENTS,
            program: Program::default(),
            otel: None,
            telemetry: Telemetry::off(),
            principals: Principals::default(),
            detail: Detail::default(),
            runs_unrecorded: false,
            lock_file: None,
            policy_dir: PathBuf::new(),
            deduping: Deduping::default(),
            reporting: None,
        }
    }

    /// Where newer versions of the policy come from while the program runs. It is asked about once
    /// a second, by a thread of the layer's own, and by
    /// [`Sec0SecurityLayer::reload`](super::Sec0SecurityLayer::reload).
    #[must_use]
    pub fn policy_source(mut self, source: impl PolicySource) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// How long the layer waits between two looks for a newer policy: a second by default.
    #[must_use]
    pub fn reload_every(mut self, wait: Duration) -> Self {
        self.reload_every = wait;
        self
    }

    /// As [`signer`](Self::signer), for one that others hold, too.
    #[must_use]
    pub(crate) fn shared_signer(mut self, signer: Arc<dyn Signer>) -> Self {
        self.signer = Some(signer);
        self
    }

    /// What the program says of itself in each record.
    #[must_use]
    pub(crate) fn program(mut self, program: Program) -> Self {
        self.program = program;
        self
    }

    /// Where the records go. Made if missing, for the owner alone.
    #[must_use]
    pub fn audit_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.audit_dir = dir.into();
        self
    }

    /// The id of this process among several that write into one audit directory: each has a log of
    /// its own there (`audit-YYYY-MM-DD.<writer>.ndjson`). `Stream::of_writer("w1")?` makes one.
    #[must_use]
    pub fn writer_id(mut self, id: Stream) -> Self {
        self.stream = id;
        self
    }

    /// Where the records go instead of a directory.
    #[must_use]
    pub fn audit_sink(mut self, sink: impl AuditSink + 'static) -> Self {
        self.sink = Some(Box::new(sink));
        self
    }

    /// Who signs the records, instead of the key that the policy names.
    #[must_use]
    pub fn signer(mut self, signer: impl Signer + 'static) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// Where the time comes from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The version of a tool whose definition has no `_meta["sec0/version"]`.
    #[must_use]
    pub fn tool_version(mut self, tool: impl Into<String>, version: &str) -> Self {
        if let Some(version) = ToolVersion::new(version) {
            self.manner.tool_versions.insert(tool.into(), version);
        }
        self
    }

    /// Puts refusals on the wire as JSON-RPC errors, code -31051, instead of tool results.
    #[must_use]
    pub fn denials_as_errors(mut self) -> Self {
        self.manner.denials = Denials::AsError;
        self
    }

    /// The annotations of the tools are somebody else's word, as they are where a server forwards
    /// other people's tools: `readOnlyHint: true` no longer says that a tool has no side effects.
    /// What adds a side effect still counts.
    #[must_use]
    pub fn annotations_are_claims(mut self) -> Self {
        self.manner.annotations_are_claims = true;
        self
    }

    /// Leaves successful results without `_meta["sec0/trace"]`.
    #[must_use]
    pub fn without_trace_meta(mut self) -> Self {
        self.manner.hide_trace = true;
        self
    }

    /// The audit mode of every call, whatever the policy says.
    #[must_use]
    pub fn audit_mode(mut self, mode: AuditMode) -> Self {
        self.audit_mode = Some(mode);
        self
    }

    /// What of the log is signed, whatever the policy says.
    #[must_use]
    pub fn line_signing(mut self, signing: LineSigning) -> Self {
        self.line_signing = Some(signing);
        self
    }

    /// The key of the digests, 32 random bytes, instead of the one that the policy names: records
    /// then have `input_hmac_sha256` and `output_hmac_sha256` in place of digests by which whoever
    /// guesses the arguments can check the guess.
    #[must_use]
    pub fn digest_key(mut self, key: [u8; 32]) -> Self {
        self.digest_key = Some(DigestKey::new(&Secret::new(key)));
        self
    }

    /// Lets calls run while they cannot be recorded, where refusing them is worse. They are counted,
    /// and when the log can be written again one line (`event: recovery`) has the number
    /// (`unrecorded_calls`) and the time of the first and the last. Everything else refuses as
    /// before. It cannot be set in a policy file, so nobody turns it on by changing one. A layer
    /// whose log did not open at all still refuses every call.
    #[must_use]
    pub fn run_unrecorded(mut self) -> Self {
        self.runs_unrecorded = true;
        self
    }

    /// For how many days a day of the log is kept after it has ended, whatever the policy says:
    /// then its files are removed, and the log says so. A day whose closing checkpoint is not on the
    /// disk stays, with all after it.
    #[must_use]
    pub fn retain_days(mut self, days: u32) -> Self {
        self.retain_days = Some(days);
        self
    }

    /// A key that the records of this log were signed with before. A log that ends under it opens
    /// only if it is named, and days that were closed under it can then be removed too.
    #[must_use]
    pub fn former_key(mut self, key: PublicKey) -> Self {
        self.former_keys.push(key);
        self
    }

    /// Copies the record of each call that claims a node and a run to
    /// `agents/<node>/<YYYY-MM-DD>/<run>.ndjson` in the audit directory, at most `files_a_day` files
    /// a day: callers choose the names, so 1000 is a good bound. A copy that cannot be made is left
    /// out and counted; no call is refused for it.
    #[must_use]
    pub fn agent_copies(mut self, files_a_day: usize) -> Self {
        self.agent_copies = Some(files_a_day);
        self
    }

    /// Keeps arguments and results as they are, in `raw/raw-YYYY-MM-DD.ndjson` of the audit
    /// directory: what and how much, with what taken out. `privacy.store_raw_payloads` of the policy
    /// does it with [`RawPayloads::default`]. They are no evidence: what cannot be kept is left out
    /// and counted, and no call is refused for it.
    #[must_use]
    pub fn raw_payloads(mut self, raw: RawPayloads) -> Self {
        self.raw = Some(raw);
        self
    }

    /// How many calls may be under way or waiting for their line (4096). This bounds the memory of
    /// the log, and what a crash can lose in audit mode `batch`.
    #[must_use]
    pub fn queue(mut self, calls: usize) -> Self {
        self.queue = Some(calls);
        self
    }

    /// How long one signature may take before it counts as failed (five seconds).
    #[must_use]
    pub fn signing_deadline(mut self, deadline: Duration) -> Self {
        self.signing_deadline = Some(deadline);
        self
    }

    /// How long a call waits for room in the log before it is refused (one second).
    #[must_use]
    pub fn admission_wait(mut self, wait: Duration) -> Self {
        self.admission_wait = wait;
        self
    }

    /// How long a call waits until its intent, or its outcome, is durable (five seconds). A disk
    /// that takes longer counts as one that hangs: calls are then refused at once until it answers.
    #[must_use]
    pub fn durable_within(mut self, wait: Duration) -> Self {
        self.durable_within = Some(wait);
        self
    }

    /// How repeated idempotency keys are dealt with. [`DedupeOptions::off`] turns it off: keys are
    /// then only recorded, and a repeated call runs again.
    #[must_use]
    pub fn dedupe(mut self, options: DedupeOptions) -> Self {
        self.deduping.options = options;
        self
    }

    /// Where idempotency keys are kept, instead of `sec0.db` in the audit directory.
    #[must_use]
    pub fn dedupe_store(mut self, store: impl DedupeStore + 'static) -> Self {
        self.deduping.store = Some(Arc::new(store));
        self
    }

    /// Where approvals are kept, instead of `sec0.db` in the audit directory.
    ///
    /// Layers with logs of their own may share a store; each then needs a `writer_id` of its own, by
    /// which the store knows whose log a line belongs to.
    #[must_use]
    pub fn approval_store(mut self, store: impl ApprovalStore + 'static) -> Self {
        self.deduping.approvals = Some(Arc::new(store));
        self
    }

    /// Who else is told when a call needs an approval: a chat, a ticket, a control plane. Votes are
    /// given here all the same. It may take as long as `SEC0_ESCALATION_TIMEOUT_MS` says, 2.5 seconds
    /// by default; what goes wrong stands in the call's record as `escalation_error`.
    #[must_use]
    pub fn escalation_reporter(mut self, reporter: impl EscalationReporter + 'static) -> Self {
        self.reporting = Some(Reporting::new(Arc::new(reporter)));
        self
    }

    /// The bound on the arguments of a call that holds whatever the policy says (16 MiB of
    /// canonical JSON).
    #[must_use]
    pub fn max_argument_bytes(mut self, bytes: usize) -> Self {
        self.max_arguments = bytes;
        self
    }

    /// The lock file with which the server is compared when its tools are frozen. The policy's
    /// `registry.lock` says what follows from a difference; without it, it is recorded. Where the
    /// policy has the key and this was not called, the file is `sec0.lock` beside the policy's file,
    /// or in the current directory for a policy that was not read by
    /// [`from_policy_file`](Self::from_policy_file).
    #[must_use]
    pub fn lock_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.lock_file = Some(file.into());
        self
    }

    /// Where telemetry is to go; it is exported with feature `otlp`, without it a warning at start
    /// says that nothing is. `otel.environment` stands in each record as `env`. A layer does not
    /// start with a part of it missing, here and in the standard environment variables.
    #[must_use]
    pub fn otel(mut self, otel: Otel) -> Self {
        self.otel = Some(otel);
        self
    }

    /// An export that other layers use, too, in place of [`otel`](Self::otel).
    #[must_use]
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// Records the variables of an agent's state (`agentVariables`) as the caller sends them. They
    /// may hold secrets; without this only the digest of the state is recorded.
    #[must_use]
    pub fn record_agent_variables(mut self) -> Self {
        self.detail.variables = true;
        self
    }

    /// Records the SHA-256 of a bearer token in `authorization` (`auth.token_sha256`), so that the
    /// calls made with one token can be found. Whoever can guess the token can check the guess:
    /// only for tokens that are random.
    #[must_use]
    pub fn record_token_sha256(mut self) -> Self {
        self.detail.token_sha256 = true;
        self
    }

    /// For a server on a transport that is neither HTTP nor private to the local user, such as a
    /// TCP or unix socket: callers without a
    /// [`VerifiedPrincipal`](crate::identity::VerifiedPrincipal) are `remote:anonymous`, and not
    /// verified, instead of `local:<uid>`.
    #[must_use]
    pub fn callers_are_remote(mut self) -> Self {
        self.principals = Principals::of_strangers();
        self
    }
}
