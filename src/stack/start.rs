use super::approvals::Approvals;
use super::connected::tell_of_other_keys;
use super::keeper::Keeper;
use super::lists::Lists;
use super::lock::LockGate;
use super::options::Sec0Options;
use super::own_key::open_key;
use super::regime::Regime;
use super::reloading::{Reloading, grounded};
use super::shared::Shared;
use crate::approval::{self, MemoryApprovals};
use crate::audit::{AuditSink, FileSink, Log, LogOptions, OpenError, RawPayloads, Site};
use crate::call::{AuditMode, AuditModes, LockRule};
use crate::dedupe::StoreError;
use crate::digest::DigestKey;
use crate::otel::{Otel, OtelError, Telemetry};
use crate::policy::{Observability, Policy, PolicyError, PolicyFile};
use crate::registry::LockError;
use crate::sign::{KeyError, LocalDevSigner, read_digest_key};
use arc_swap::ArcSwap;
use std::io;
use std::path::{Path, absolute};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};

/// Why a layer cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The audit log cannot be opened.
    #[error(transparent)]
    Audit(#[from] OpenError),
    /// The store of approvals cannot be asked.
    #[error(transparent)]
    Approvals(#[from] approval::StoreError),
    /// The store of idempotency keys cannot be opened.
    #[error(transparent)]
    Dedupe(#[from] StoreError),
    /// The key of the digests cannot be used.
    #[error("the key that `audit.digest_key` names cannot be used: {0}")]
    DigestKey(#[source] KeyError),
    /// The signing key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The thread that looks after approvals could not be started.
    #[error("approvals cannot be looked after: {0}; allow this user more threads")]
    Keeper(#[source] io::Error),
    /// The policy requires a lock file, and it cannot be read.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// `otel` was given without all of its parts, or one is not what it has to be.
    #[error(transparent)]
    Otel(#[from] OtelError),
    /// The policy is not one.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The thread that looks for newer versions of the policy could not be started.
    #[error("the policy cannot be watched: {0}; allow this user more threads")]
    Watch(#[source] io::Error),
}

impl Sec0Options {
    /// Reads the policy, and opens the keys that it names, of signatures and of digests. A program
    /// that has others reads the policy itself and gives it to [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no policy (with file, line, column and the fix), or names a key
    /// that cannot be used.
    pub fn from_policy_file(path: impl AsRef<Path>) -> Result<Self, StartError> {
        Self::of_file(path.as_ref(), Policy::from_file(path.as_ref())?)
    }

    /// As [`from_policy_file`](Self::from_policy_file), and the file is looked at about once a
    /// second from then on: a newer version that is a policy judges the calls that enter after it,
    /// and one that is none, or changes what holds from start to end (`tenant`, `signing`, `audit`),
    /// is refused. Both leave a line in the log, `event: policy_reload`.
    ///
    /// # Errors
    ///
    /// As [`from_policy_file`](Self::from_policy_file).
    pub fn from_watched_policy_file(path: impl AsRef<Path>) -> Result<Self, StartError> {
        let (source, policy) = PolicyFile::open(path.as_ref())?;
        Ok(Self::of_file(path.as_ref(), policy)?.policy_source(source))
    }

    fn of_file(path: &Path, policy: Policy) -> Result<Self, StartError> {
        let mut options = Self::new(policy);
        options.policy_dir = path.parent().map(Path::to_owned).unwrap_or_default();
        if let Some(key_ref) = options.policy.key_ref() {
            options.signer = Some(Arc::new(LocalDevSigner::from_key_ref(key_ref)?));
        }
        options.digest_key = digest_key(&options.policy)?;
        Ok(options)
    }

    pub(super) fn start(mut self) -> Result<Shared, StartError> {
        let gate = self.lock_gate().map(LockGate::admit).transpose()?;
        let log = self.open_log()?;
        let approvals = self.open_approvals(&log)?;
        Ok(self.share(Some((log, approvals)), gate))
    }

    pub(super) fn start_or_refuse(mut self) -> Shared {
        let gate = self.lock_gate();
        let opened = self.open_log().and_then(|log| {
            let approvals = self.open_approvals(&log)?;
            Ok((log, approvals))
        });
        match opened {
            Ok(opened) => self.share(Some(opened), gate),
            Err(error) => {
                tracing::error!(%error, "the security layer cannot start; it refuses every call");
                self.share(None, gate)
            }
        }
    }

    /// What the server is held against, where the policy or the options ask for it.
    fn lock_gate(&self) -> Option<LockGate> {
        let rule = self.policy.lock_rule();
        let rule = rule.or(self.lock_file.is_some().then_some(LockRule::Warn))?;
        let beside = || self.policy_dir.join("sec0.lock");
        Some(LockGate::open(rule, &self.lock_file.clone().unwrap_or_else(beside)))
    }

    fn open_log(&mut self) -> Result<Log, StartError> {
        if self.telemetry.environment().is_none() {
            self.telemetry = telemetry(self.otel.take(), self.policy.observability())?;
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
        self.deduping.open(dir)?;
        let signer = match self.signer.take() {
            Some(signer) => signer,
            None => Arc::new(open_key(self.policy.key_ref(), dir)?),
        };
        self.signer = Some(Arc::clone(&signer));
        let mut site = Site::middleware(self.policy.tenant(), self.policy.retention().as_str());
        site.program = self.program.clone();
        if let Some(environment) = self.telemetry.environment() {
            site.program.env = Some(environment.into());
        }
        let signing = self.line_signing.unwrap_or(self.policy.line_signing());
        let mut options = LogOptions::new(site, signer, sink)
            .clock(Arc::clone(&self.clock))
            .sync_watch(self.telemetry.sync_watch())
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

    /// Opens what keeps approvals, and has the log record what it lacks of them.
    fn open_approvals(&mut self, log: &Log) -> Result<Approving, StartError> {
        let store = self.deduping.approvals.take();
        let store = store.unwrap_or_else(|| Arc::new(MemoryApprovals::default()));
        let (log, clock) = (log.clone(), Arc::clone(&self.clock));
        let signer = match &self.signer {
            Some(signer) => Arc::clone(signer),
            None => Arc::new(open_key(self.policy.key_ref(), Some(&self.audit_dir))?),
        };
        tell_of_other_keys(&self.policy, &signer.public_key());
        let approvals = Approvals::open(store, self.stream.writer(), log, clock, signer)?;
        let keeper = Keeper::start(&approvals).map_err(StartError::Keeper)?;
        Ok(Approving { approvals, keeper })
    }

    /// The options' word, else the policy's.
    fn modes(&self) -> AuditModes {
        self.audit_mode.map_or(self.policy.audit_modes(), AuditModes::all)
    }

    fn share(self, opened: Option<(Log, Approving)>, gate: Option<LockGate>) -> Shared {
        let (log, approving) = opened.unzip();
        let (approvals, keeper) =
            approving.map(|Approving { approvals, keeper }| (approvals, keeper)).unzip();
        let modes = self.modes();
        // Without a current directory a relative one could not have been opened.
        let own = [Some(self.audit_dir.as_path()), self.lock_file.as_deref()];
        let own: Vec<_> = own.into_iter().flatten().flat_map(absolute).collect();
        let regime = Regime::new(grounded(self.policy, &own), self.clock.monotonic());
        let every = self.reload_every;
        Shared {
            keeper: keeper.map(Arc::new),
            approvals,
            reporting: self.reporting,
            regime: ArcSwap::from_pointee(regime),
            reloading: self.source.map(|source| Reloading::new(source, every, own)),
            log,
            modes,
            digest_key: self.digest_key,
            clock: self.clock,
            telemetry: self.telemetry,
            is_beside: false,
            manner: self.manner,
            admission_wait: self.admission_wait,
            max_arguments: self.max_arguments,
            principals: self.principals,
            detail: self.detail,
            runs_unrecorded: self.runs_unrecorded,
            dedupe: self.deduping.share().map(Arc::new),
            frozen: OnceLock::new(),
            frozen_of: OnceLock::new(),
            gate,
            tampering_left: AtomicU32::new(Shared::MAX_TAMPERING),
            lists: Lists::default(),
        }
    }
}

/// Where approvals are, and the thread that looks after them.
struct Approving {
    approvals: Arc<Approvals>,
    keeper: Keeper,
}

/// The export that the options, or the policy, ask for.
fn telemetry(otel: Option<Otel>, says: &Observability) -> Result<Telemetry, OtelError> {
    let otel = match (otel, says.enabled()) {
        (Some(otel), Some(false)) => otel.off(),
        (Some(otel), _) => otel,
        (None, Some(true)) => Otel::new(),
        (None, _) => return Ok(Telemetry::off()),
    };
    let otel = otel.or(says.endpoint(), says.success_ratio(), says.error_ratio());
    Telemetry::start_own(&otel)
}

/// The key that the policy's `audit.digest_key` names.
fn digest_key(policy: &Policy) -> Result<Option<DigestKey>, StartError> {
    let read = policy.digest_key_ref().map(read_digest_key);
    read.transpose().map_err(StartError::DigestKey)
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
        options.share(None, None).modes
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
