use super::claimed::Claimed;
use super::dedupe::Dedupe;
use super::escalated::Escalated;
use super::found::{Cited, Found, keep};
use super::hop::HopIdent;
use super::name::{ServerIdent, ToolVersion};
use super::operation::Operation;
use super::outcome::Status;
use super::payload::Payloads;
use super::span::SpanIds;
use crate::clock::Timestamp;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the policy said, as the record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a reader of the log must know all of them")]
pub enum Decision {
    /// Nothing was found against the call.
    Allow,
    /// It was refused, or it ended before anything permitted it.
    Deny,
    /// Something was found that did not refuse.
    WouldDeny,
}

impl Decision {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::WouldDeny => "would_deny",
        }
    }
}

/// Digests that are taken under a key, in place of those of SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyedDigests {
    /// Which key.
    pub key_id: [u8; 8],
    /// HMAC-SHA-256 of the canonical arguments; `None` where there are none or they were too
    /// large.
    pub input: Option<[u8; 32]>,
    /// HMAC-SHA-256 of the canonical reply.
    pub output: Option<[u8; 32]>,
}

impl KeyedDigests {
    /// None yet, under the key with this id.
    pub fn under(key_id: [u8; 8]) -> Self {
        Self { key_id, input: None, output: None }
    }
}

/// What is known of one call: put in by the step that found it, read once for the record.
///
/// What a caller merely says is under `claimed`; everything else was seen by a step.
#[derive(Debug)]
#[non_exhaustive]
pub struct Facts {
    /// Wall time of arrival: the record's `ts`.
    pub arrived: Timestamp,
    /// The ids of the call's span.
    pub span: SpanIds,
    /// The server that was asked.
    pub server: Arc<ServerIdent>,
    /// The hop that was run; `None` for tools of a server.
    pub hop: Option<Arc<HopIdent>>,
    /// The tool that was asked for, at a bounded length.
    pub tool: Cow<'static, str>,
    /// The version of the frozen tool.
    pub version: Option<ToolVersion>,
    /// What the call does; `None` while its tool is not known.
    pub operation: Option<Operation>,
    /// SHA-256 of the canonical arguments; `None` where there are none or they were too large,
    /// and where digests are keyed.
    pub input_sha256: Option<[u8; 32]>,
    /// SHA-256 of the canonical reply; `None` where there is none, and where digests are keyed.
    pub output_sha256: Option<[u8; 32]>,
    /// The digests of arguments and reply where they are keyed.
    pub keyed: Option<Box<KeyedDigests>>,
    /// Digest of the policy that judged.
    pub policy_sha256: [u8; 32],
    /// Digest of the frozen registry.
    pub registry_sha256: Option<[u8; 32]>,
    /// On whom calls are counted: verified, or the bucket that stands in for nobody.
    pub principal: Option<Arc<str>>,
    /// Whether the principal is one that somebody vouches for: the server's own authentication, or
    /// the system for the local user.
    pub principal_verified: bool,
    /// What the caller said of itself.
    pub claimed: Claimed,
    /// What became of the idempotency key; `None` where the call has none, or no side effect.
    pub dedupe: Option<Dedupe>,
    /// What the policy said.
    pub decision: Decision,
    /// What became of the question whether the call may be made; `None` where nobody was asked.
    pub escalation: Option<Box<Escalated>>,
    /// How long the call waited for somebody's decision: no part of its time limit.
    pub waited: Duration,
    /// Since when it waits for one.
    pub waiting_since: Option<Instant>,
    /// The JSON pointer of the first URL argument that the policy does not allow, at a bounded
    /// length.
    pub egress_violation_at: Option<Box<str>>,
    /// The same for path arguments.
    pub fs_violation_at: Option<Box<str>>,
    /// What was found against the call, in order, each once.
    pub reasons: Vec<Found>,
    /// The reason that decided a refusal.
    pub refused_for: Option<Found>,
    /// The rules of the policy that found something, in order.
    pub rules: Vec<Arc<Cited>>,
    /// How the call ended.
    pub status: Status,
    /// When the handler started; `None` while it has not.
    pub started: Option<Instant>,
    /// How long the handler ran.
    pub latency: Duration,
    /// The task that the reply announced.
    pub task_id: Option<Box<str>>,
    /// The number under which the tool's circuit is tried by this call; `None` where it is not.
    pub probe: Option<u64>,
    /// How often the handler was run again.
    pub retries: u32,
    /// The number of the call's intent in the journal; `None` where none was recorded.
    pub intent: Option<u64>,
    /// The state under which the tool's own is kept for the next round; `None` where it is not.
    pub next_round: Option<Box<str>>,
    /// Arguments and result as they were; `None` where they are not to be kept.
    pub payloads: Option<Box<Payloads>>,
}

impl Facts {
    /// What is known at entry. The decision is `deny` until a step permits the call, and the
    /// status `cancelled` until something ends it: that is what the record of a call that is
    /// dropped at this point has to say.
    pub fn at_entry(
        arrived: Timestamp,
        span: SpanIds,
        server: Arc<ServerIdent>,
        tool: Cow<'static, str>,
        policy_sha256: [u8; 32],
    ) -> Self {
        Self {
            arrived,
            span,
            server,
            hop: None,
            tool,
            version: None,
            operation: None,
            input_sha256: None,
            output_sha256: None,
            keyed: None,
            policy_sha256,
            registry_sha256: None,
            principal: None,
            principal_verified: false,
            claimed: Claimed::default(),
            dedupe: None,
            decision: Decision::Deny,
            escalation: None,
            waited: Duration::ZERO,
            waiting_since: None,
            egress_violation_at: None,
            fs_violation_at: None,
            reasons: Vec::new(),
            refused_for: None,
            rules: Vec::new(),
            status: Status::Cancelled,
            started: None,
            latency: Duration::ZERO,
            task_id: None,
            probe: None,
            retries: 0,
            intent: None,
            next_round: None,
            payloads: None,
        }
    }

    /// Keeps a reason, once, behind those found before.
    pub fn found(&mut self, reason: impl Into<Found>) {
        keep(&mut self.reasons, reason.into());
    }

    /// The policy lets the call go on: `allow`, or `would_deny` where something was found.
    pub fn permit(&mut self) {
        self.decision = if self.reasons.is_empty() { Decision::Allow } else { Decision::WouldDeny };
    }

    /// How long it has waited by `now` for somebody's decision.
    pub fn waited_by(&self, now: Instant) -> Duration {
        let waits = self.waiting_since.map(|since| now.saturating_duration_since(since));
        self.waited.saturating_add(waits.unwrap_or_default())
    }

    /// True when the handler has started.
    pub fn executed(&self) -> bool {
        self.started.is_some()
    }
}

/// The handle with which the steps note what they find.
///
/// It moves with the call and cannot be cloned; the store behind it is shared with the
/// [`TrailKeeper`] of `record`, which takes it once. What a step notes after that is lost on
/// purpose: the record is closed.
#[derive(Debug)]
pub struct Trail(Arc<Mutex<Option<Box<Facts>>>>);

/// The other end of a [`Trail`]: survives a call whose future is dropped.
#[derive(Debug)]
pub struct TrailKeeper(Arc<Mutex<Option<Box<Facts>>>>);

impl Trail {
    /// Opens a trail over what is known at entry.
    pub(crate) fn open(facts: Facts) -> (Self, TrailKeeper) {
        let store = Arc::new(Mutex::new(Some(Box::new(facts))));
        (Self(Arc::clone(&store)), TrailKeeper(store))
    }

    /// Notes or reads something; `None` when the record is closed already. For the steps alone:
    /// whoever could write here could rewrite a verdict.
    pub(crate) fn with<T>(&self, note: impl FnOnce(&mut Facts) -> T) -> Option<T> {
        self.0.lock().as_deref_mut().map(note)
    }

    /// For a step that has to know, when the call comes back, whether it has run.
    pub(crate) fn watch(&self) -> TrailWatch {
        TrailWatch(Arc::clone(&self.0))
    }
}

/// Sees from above how far a call has come, while its [`Trail`] is below.
#[derive(Debug)]
pub struct TrailWatch(Arc<Mutex<Option<Box<Facts>>>>);

impl TrailWatch {
    /// True when the handler has started. Of a call whose record is closed nothing is known, so it
    /// counts as started.
    pub(crate) fn has_started(&self) -> bool {
        self.0.lock().as_deref().is_none_or(Facts::executed)
    }

    /// How long the call has waited by `now` for somebody's decision.
    pub(crate) fn waited_by(&self, now: Instant) -> Duration {
        self.0.lock().as_deref().map_or(Duration::ZERO, |facts| facts.waited_by(now))
    }

    /// The call waits for somebody's decision from now on.
    pub(crate) fn waits(&self, now: Instant) {
        if let Some(facts) = self.0.lock().as_deref_mut() {
            facts.waiting_since.get_or_insert(now);
        }
    }

    /// It waits no longer.
    pub(crate) fn goes_on(&self, now: Instant) {
        if let Some(facts) = self.0.lock().as_deref_mut() {
            facts.waited = facts.waited_by(now);
            facts.waiting_since = None;
        }
    }

    /// The next round of the call goes on under this state.
    pub(crate) fn next_round(&self, state: Box<str>) {
        if let Some(facts) = self.0.lock().as_deref_mut() {
            facts.next_round = Some(state);
        }
    }

    /// How far the question has come. What went wrong before stays.
    pub(crate) fn escalated(&self, escalated: Escalated) {
        if let Some(facts) = self.0.lock().as_deref_mut() {
            let before = facts.escalation.take().and_then(|before| before.error);
            facts.escalation = Some(Box::new(escalated.with_error(before)));
        }
    }

    /// Why others were not told of it; `None` where they were.
    pub(crate) fn not_reported(&self, why: Option<Box<str>>) {
        if let Some(facts) = self.0.lock().as_deref_mut()
            && let Some(escalation) = &mut facts.escalation
        {
            escalation.error = why;
        }
    }
}

impl TrailKeeper {
    /// Takes the facts; `None` the second time.
    pub(crate) fn take(&self) -> Option<Box<Facts>> {
        self.0.lock().take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Reason;

    fn facts() -> Facts {
        let server = Arc::new(ServerIdent::new("demo", "1.0.0"));
        Facts::at_entry(Timestamp::default(), SpanIds::default(), server, "add".into(), [0; 32])
    }

    #[test]
    fn the_facts_are_taken_once_and_the_trail_goes_silent() {
        let (trail, keeper) = Trail::open(facts());
        assert_eq!(trail.with(|facts| facts.found(Reason::UnknownTool)), Some(()));
        assert_eq!(keeper.take().unwrap().reasons, [Reason::UnknownTool]);
        assert!(keeper.take().is_none());
        assert_eq!(trail.with(Facts::permit), None);
    }

    #[test]
    fn a_call_that_nothing_permitted_is_recorded_as_denied() {
        let mut facts = facts();
        assert_eq!(facts.decision, Decision::Deny);
        facts.permit();
        assert_eq!(facts.decision, Decision::Allow);
        facts.found(Reason::VersionUnpinned);
        facts.found(Reason::VersionUnpinned);
        facts.permit();
        assert_eq!((facts.decision, facts.reasons.len()), (Decision::WouldDeny, 1));
    }
}
