use super::shared::{Principals, Shared};
use crate::audit::{AuditSink, FileSink, Log, LogOptions, OpenError, RawPayloads, Site, Stream};
use crate::call::{AuditMode, AuditModes, LineSigning, ToolVersion};
use crate::clock::{Clock, System};
use crate::digest::DigestKey;
use crate::identity::Detail;
use crate::limit::{Circuits, HARD_MAX_ARGUMENTS, Rates};
use crate::otel::{IncompleteOtel, Otel};
use crate::policy::{LocalDisk, Policy, PolicyError};
use crate::registry::{Denials, Manner};
use crate::secret::Secret;
use crate::sign::{KeyError, LocalDevSigner, PublicKey, Signer, key_file, read_digest_key};
use std::path::{Path, PathBuf, absolute};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};
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
    policy: Policy,
    signer: Option<Arc<dyn Signer>>,
    audit_dir: PathBuf,
    stream: Stream,
    sink: Option<Box<dyn AuditSink>>,
    clock: Arc<dyn Clock>,
    manner: Manner,
    audit_mode: Option<AuditMode>,
    line_signing: Option<LineSigning>,
    digest_key: Option<DigestKey>,
    retain_days: Option<u32>,
    former_keys: Vec<PublicKey>,
    agent_copies: Option<usize>,
    raw: Option<RawPayloads>,
    queue: Option<usize>,
    signing_deadline: Option<Duration>,
    admission_wait: Duration,
    durable_within: Option<Duration>,
    max_arguments: usize,
    otel: Option<Otel>,
    principals: Principals,
    detail: Detail,
    runs_unrecorded: bool,
}

/// Why a layer cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The audit log cannot be opened.
    #[error(transparent)]
    Audit(#[from] OpenError),
    /// The key of the digests cannot be used.
    #[error("the key that `audit.digest_key` names cannot be used: {0}")]
    DigestKey(#[source] KeyError),
    /// The signing key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// `otel` was given without all of its parts.
    #[error(transparent)]
    Otel(#[from] IncompleteOtel),
    /// The policy is not one.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Sec0Options {
    /// Options with this policy. The audit directory is `.sec0` in the current directory, the key
    /// the policy's `signing.key_ref`, else `keys/ed25519.key` in the audit directory.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
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
            otel: None,
            principals: Principals::default(),
            detail: Detail::default(),
            runs_unrecorded: false,
        }
    }

    /// Reads the policy, and opens the keys that it names, of signatures and of digests. A program
    /// that has others reads the policy itself and gives it to [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no policy (with file, line, column and the fix), or names a key
    /// that cannot be used.
    pub fn from_policy_file(path: impl AsRef<Path>) -> Result<Self, StartError> {
        let policy = Policy::from_file(path.as_ref())?;
        let mut options = Self::new(policy);
        if let Some(key_ref) = options.policy.key_ref() {
            options.signer = Some(Arc::new(LocalDevSigner::from_key_ref(key_ref)?));
        }
        options.digest_key = digest_key(&options.policy)?;
        Ok(options)
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

    /// The bound on the arguments of a call that holds whatever the policy says (16 MiB of
    /// canonical JSON).
    #[must_use]
    pub fn max_argument_bytes(mut self, bytes: usize) -> Self {
        self.max_arguments = bytes;
        self
    }

    /// Where telemetry is to go. Nothing is exported by this version, and a warning at start says
    /// so; `otel.environment` stands in each record as `env`. A layer does not start with a part of
    /// it missing.
    #[must_use]
    pub fn otel(mut self, otel: Otel) -> Self {
        self.otel = Some(otel);
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

    pub(super) fn start(mut self) -> Result<Shared, StartError> {
        let log = self.open_log()?;
        Ok(self.share(Some(log)))
    }

    pub(super) fn start_or_refuse(mut self) -> Shared {
        match self.open_log() {
            Ok(log) => self.share(Some(log)),
            Err(error) => {
                tracing::error!(%error, "the security layer cannot start; it refuses every call");
                self.share(None)
            }
        }
    }

    fn open_log(&mut self) -> Result<Log, StartError> {
        let environment = self.otel.as_ref().map(Otel::check).transpose()?;
        if environment.is_some() {
            tracing::warn!(
                "`otel` is set, but this version exports no telemetry; spans go to `tracing`"
            );
        }
        if self.digest_key.is_none() {
            self.digest_key = digest_key(&self.policy)?;
        }
        // The sink first: it checks the directory in which a key may be made.
        let (sink, dir): (Box<dyn AuditSink>, _) = if let Some(sink) = self.sink.take() {
            (sink, None)
        } else {
            let sink = FileSink::open_stream(&self.audit_dir, self.stream.clone())?;
            (Box::new(sink), Some(self.audit_dir.as_path()))
        };
        let signer = match self.signer.take() {
            Some(signer) => signer,
            None => Arc::new(open_key(self.policy.key_ref(), dir)?),
        };
        let mut site = Site::middleware(self.policy.tenant(), self.policy.retention().as_str());
        site.env = environment.map(Into::into);
        let signing = self.line_signing.unwrap_or(self.policy.line_signing());
        let mut options = LogOptions::new(site, signer, sink)
            .clock(Arc::clone(&self.clock))
            .line_signing(signing);
        if self.modes() != AuditModes::all(AuditMode::Batch) {
            options = options.journal();
        }
        if let Some(wait) = self.durable_within {
            options = options.durable_within(wait);
        }
        if let Some(days) = self.retain_days.or(self.policy.retain_days()) {
            options = options.retain_days(days);
        }
        options = self.former_keys.drain(..).fold(options, LogOptions::former_key);
        if let Some(files) = self.agent_copies {
            options = options.agent_copies(files);
        }
        let kept = self.policy.stores_raw_payloads().then(RawPayloads::default);
        if let Some(raw) = self.raw.take().or(kept) {
            options = options.raw_payloads(raw);
        }
        if let Some(calls) = self.queue {
            options = options.capacity(calls);
        }
        if let Some(deadline) = self.signing_deadline {
            options = options.sign_deadline(deadline);
        }
        Ok(Log::open(options)?)
    }

    /// The options' word, else the policy's.
    fn modes(&self) -> AuditModes {
        self.audit_mode.map_or(self.policy.audit_modes(), AuditModes::all)
    }

    fn share(self, log: Option<Log>) -> Shared {
        let modes = self.modes();
        let mut own = self.policy.own_files();
        // Without a current directory a relative one could not have been opened.
        own.extend(absolute(&self.audit_dir));
        let now = self.clock.monotonic();
        let rates = Rates::new(self.policy.rates().rules(), now);
        let circuits = Circuits::new(self.policy.breakers(), now);
        Shared {
            policy: Arc::new(self.policy.on_disk(&own, &LocalDisk)),
            log,
            modes,
            digest_key: self.digest_key,
            clock: self.clock,
            manner: self.manner,
            admission_wait: self.admission_wait,
            max_arguments: self.max_arguments,
            principals: self.principals,
            rates,
            circuits,
            detail: self.detail,
            runs_unrecorded: self.runs_unrecorded,
            frozen: OnceLock::new(),
            tampering_left: AtomicU32::new(Shared::MAX_TAMPERING),
        }
    }
}

/// The key that the policy's `audit.digest_key` names.
fn digest_key(policy: &Policy) -> Result<Option<DigestKey>, StartError> {
    let read = policy.digest_key_ref().map(read_digest_key);
    read.transpose().map_err(StartError::DigestKey)
}

/// The key that the policy names, else the one in the audit directory. There it is made when the
/// directory has none and no log either: a log that exists must go on under its own key.
fn open_key(key_ref: Option<&str>, audit_dir: Option<&Path>) -> Result<LocalDevSigner, KeyError> {
    let dir = match (key_ref, audit_dir) {
        (None, Some(dir)) => dir,
        // Without either this is the error that says so.
        (key_ref, _) => return LocalDevSigner::from_key_ref(key_ref.unwrap_or_default()),
    };
    let (keys, key) = (dir.join("keys"), dir.join("keys/ed25519.key"));
    // They may be older than the directory's being private.
    key_file::refuse_link(&keys)?;
    key_file::refuse_link(&key)?;
    if !key.exists() && !may_have_log(dir) {
        key_file::generate(&key)?;
    }
    let signer = LocalDevSigner::from_file(&key)?;
    key_file::complete(&key, signer.public_key())?;
    Ok(signer)
}

/// A directory of which it cannot be said counts as one with a log.
fn may_have_log(dir: &Path) -> bool {
    let is_day =
        |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("audit-");
    std::fs::read_dir(dir)
        .map_or(true, |mut entries| entries.any(|entry| entry.map_or(true, is_day)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use AuditMode::{Batch, Blocking, BlockingStrict};

    fn modes(audit: &str, mode: Option<AuditMode>) -> AuditModes {
        let text = format!(
            "tenant: acme\ndefault_retention: 30d\nsigning: {{enabled: true}}\n\
             tools: {{allowlist: []}}\nenforcement: {{}}\naudit: {audit}\n"
        );
        let mut options = Sec0Options::new(Policy::from_yaml(&text).unwrap());
        if let Some(mode) = mode {
            options = options.audit_mode(mode);
        }
        options.share(None).modes
    }

    #[test]
    fn an_audit_mode_of_the_options_wins_over_the_files_for_every_class() {
        assert_eq!(modes("{}", None), AuditModes { read: Batch, write: Blocking });
        let written = "{mode: {read: blocking, write: blocking-strict}}";
        assert_eq!(modes(written, None), AuditModes { read: Blocking, write: BlockingStrict });
        for mode in AuditMode::ALL {
            assert_eq!(modes(written, Some(mode)), AuditModes { read: mode, write: mode });
        }
    }
}
