use super::approvals::Approvals;
use super::keeper::Keeper;
use super::keeping::Keeping;
use super::lists::Lists;
use super::lock::{Finding, LockGate};
use super::regime::Regime;
use super::reloading::Reloading;
use super::reporting::Reporting;
use crate::audit::{Capture, Event, Health, Lapse, Log};
use crate::call::{
    AuditMode, AuditModes, Code, Facts, Reason, Refusal, Retry, ServerIdent, SpanIds,
};
use crate::clock::Clock;
use crate::digest::DigestKey;
use crate::identity::{Detail, Origin, Principal};
use crate::otel::Telemetry;
use crate::policy::Policy;
use crate::registry::{Manner, Snapshot};
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What the steps of one layer, all its clones and all their sessions have in common.
#[derive(Debug)]
pub(super) struct Shared {
    /// Ends before the log does: it puts lines there.
    pub(super) keeper: Option<Arc<Keeper>>,
    /// Where approvals are; `None` where they could not be opened, and then what needs one is
    /// refused.
    pub(super) approvals: Option<Arc<Approvals>>,
    /// Who else is told of escalations.
    pub(super) reporting: Option<Reporting>,
    /// The policy that judges the calls that enter now.
    pub(super) regime: ArcSwap<Regime>,
    /// Where newer ones come from; `None` where the policy is the one of the start.
    pub(super) reloading: Option<Reloading>,
    /// The audit log; `None` when it could not be opened, and then nothing runs.
    pub(super) log: Option<Log>,
    /// When the record of a call is durable: the options' word, else the policy's.
    pub(super) modes: AuditModes,
    /// The key of the digests; `None` where they have none.
    pub(super) digest_key: Option<DigestKey>,
    pub(super) clock: Arc<dyn Clock>,
    /// Who is told of calls.
    pub(super) telemetry: Telemetry,
    /// Log and approvals are another layer's, which tells how they stand.
    pub(super) is_beside: bool,
    pub(super) manner: Manner,
    /// Calls run also while they cannot be recorded; they are counted.
    pub(super) runs_unrecorded: bool,
    /// Where idempotency keys are; `None` where they are only recorded.
    pub(super) dedupe: Option<Arc<Keeping>>,
    /// How long a call waits for room in the log.
    pub(super) admission_wait: Duration,
    /// The bound on the arguments that holds whatever the policy says, in bytes.
    pub(super) max_arguments: usize,
    pub(super) principals: Principals,
    /// What of the claims is recorded beyond the usual.
    pub(super) detail: Detail,
    pub(super) frozen: OnceLock<Arc<Snapshot>>,
    /// The server whose tools these are.
    pub(super) frozen_of: OnceLock<Arc<ServerIdent>>,
    /// The lock file; `None` where nobody asked for the comparison.
    pub(super) gate: Option<LockGate>,
    /// How many lines about a changed registry may still be written: whoever lists tools in a loop
    /// must not fill the log.
    pub(super) tampering_left: AtomicU32,
    /// What lists of tools leave out.
    pub(super) lists: Lists,
}

/// The principals of doors that verify nobody, made once.
#[derive(Debug, Clone)]
pub(super) struct Principals {
    local: Principal,
    http: Principal,
}

impl Default for Principals {
    fn default() -> Self {
        Self { local: Principal::local(), http: Principal::anonymous_http() }
    }
}

impl Principals {
    /// For a transport that others than the local user can reach.
    pub(super) fn of_strangers() -> Self {
        Self { local: Principal::anonymous_remote(), ..Self::default() }
    }

    pub(super) fn of(&self, origin: Origin) -> &Principal {
        match origin {
            Origin::Http => &self.http,
            Origin::Local => &self.local,
        }
    }
}

impl Shared {
    /// What a server shares that stands beside this one: the log, approvals, keys and clocks are the
    /// same, the frozen registry is its own, and so is the policy, which is not reloaded.
    pub(super) fn beside(&self, policy: Policy) -> Self {
        Self {
            keeper: self.keeper.clone(),
            approvals: self.approvals.clone(),
            reporting: self.reporting.clone(),
            regime: ArcSwap::from_pointee(
                self.regime.load().beside(policy, self.clock.monotonic()),
            ),
            reloading: None,
            log: self.log.clone(),
            modes: self.modes,
            digest_key: self.digest_key.clone(),
            telemetry: self.telemetry.clone(),
            is_beside: true,
            clock: Arc::clone(&self.clock),
            manner: self.manner.clone(),
            runs_unrecorded: self.runs_unrecorded,
            dedupe: self.dedupe.clone(),
            admission_wait: self.admission_wait,
            max_arguments: self.max_arguments,
            principals: self.principals.clone(),
            detail: self.detail,
            frozen: OnceLock::new(),
            frozen_of: OnceLock::new(),
            gate: None,
            tampering_left: AtomicU32::new(Self::MAX_TAMPERING),
            lists: Lists::default(),
        }
    }

    /// The most lines about a changed registry that one layer writes.
    pub(super) const MAX_TAMPERING: u32 = 100;

    /// How durable the record of this call has to be.
    pub(super) fn mode(&self, facts: &Facts) -> AuditMode {
        self.modes.of(facts.operation.map(|operation| operation.side_effect))
    }

    /// What takes payloads, where they are to be kept.
    pub(super) fn capture(&self) -> Option<&Capture> {
        self.log.as_ref()?.capture()
    }

    /// Takes leave to write one more line about a changed registry.
    pub(super) fn has_tampering_left(&self) -> bool {
        let take = |left: u32| left.checked_sub(1);
        self.tampering_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// What the comparison of the frozen tools with the lock file came to; `None` while nothing is
    /// frozen, and where there is no lock file to be compared with.
    pub(super) fn finding(&self, server: &Arc<ServerIdent>) -> Option<&Finding> {
        let frozen = self.frozen.get()?;
        self.frozen_of.get_or_init(|| Arc::clone(server));
        let gate = self.gate.as_ref()?;
        Some(gate.finding(frozen, server, |finding| self.tell(finding, frozen, server)))
    }

    /// One line of the log, and one for the operator, that the server is not the locked one.
    fn tell(&self, finding: &Finding, frozen: &Snapshot, server: &Arc<ServerIdent>) {
        match (&finding.refused, &finding.drift) {
            (Some(refused), _) => {
                tracing::error!(server = server.name(), %refused, "the server is refused; none of its tools is called");
            }
            (None, Some(drift)) => {
                tracing::warn!(server = server.name(), %drift, "the server is not the one in its lock file");
            }
            (None, None) => {}
        }
        if let Some(log) = &self.log {
            let mut lapse = Lapse::new(finding.rule(), Arc::clone(server), frozen.digest());
            if let Some((drift, locked)) = finding.drift.as_ref().zip(finding.locked) {
                lapse.locked = Some(locked);
                lapse.is_other_server = drift.server.is_some();
                lapse.is_other_binary = drift.binary.is_some();
                for change in &drift.tools {
                    lapse.count(change.kind(), change.name());
                }
            }
            log.event(Event::registry_drift(self.clock.wall(), SpanIds::default(), lapse));
        }
    }

    /// The log, when a call may rely on it now.
    ///
    /// # Errors
    ///
    /// The refusal for a log that cannot be written. It is not recorded, since it cannot be: the
    /// log counts it, and says so in one line when it works again.
    pub(super) fn working_log(&self) -> Result<&Log, Refusal> {
        let Some(log) = &self.log else {
            // It will not work until the program is started anew.
            return Err(unavailable(Code::AuditUnavailable).with_retry(Retry::Never));
        };
        match unhealthy(log) {
            None => Ok(log),
            // It is counted when it has run.
            Some(_) if self.runs_unrecorded => Ok(log),
            Some(refusal) => {
                log.refused();
                Err(refusal)
            }
        }
    }
}

/// The refusal that the log's state asks for; `None` while it works.
pub(super) fn unhealthy(log: &Log) -> Option<Refusal> {
    match log.health() {
        Health::Working => None,
        Health::SigningFailed => Some(unavailable(Code::SigningFailed)),
        Health::Unavailable => Some(unavailable(Code::AuditUnavailable)),
    }
}

/// The refusal of a call that cannot be recorded.
pub(super) fn unavailable(code: Code) -> Refusal {
    Refusal::new(Reason::MissingAuditSignature).with_code(code).with_retry(Retry::Soon)
}
