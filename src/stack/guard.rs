use super::regime::Regime;
use super::shared::{Shared, unavailable, unhealthy};
use crate::audit::{Capture, Direction, Durable, RawContext, Slot};
use crate::call::{
    AuditMode, Code, Decision, End, Facts, Outcome, Reason, Refusal, Reply, Seen, Status,
    TrailKeeper,
};
use crate::canonical::{self, Limits};
use crate::digest::{DigestKey, Fingerprint};
use crate::limit::Deadline;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Holds the certainty of a record from entry to end: whatever happens to the call, dropping this
/// writes it.
///
/// INVARIANT: the facts are taken exactly once, by [`Guard::finish`] or by `drop`.
#[derive(Debug)]
pub(super) struct Guard {
    shared: Arc<Shared>,
    regime: Arc<Regime>,
    keeper: TrailKeeper,
    /// The room for the record; `None` while the call waits for it.
    slot: Option<Slot>,
    cancel: CancellationToken,
    entered: Instant,
    deadline: Option<Deadline>,
}

impl Guard {
    pub(super) fn new(
        shared: &Arc<Shared>,
        regime: &Arc<Regime>,
        keeper: TrailKeeper,
        cancel: CancellationToken,
    ) -> Self {
        let entered = shared.clock.monotonic();
        let deadline = regime.policy.max_duration().map(|max| Deadline::new(entered, max));
        let regime = Arc::clone(regime);
        Self { shared: Arc::clone(shared), regime, keeper, slot: None, cancel, entered, deadline }
    }

    pub(super) fn entered(&self) -> Instant {
        self.entered
    }

    pub(super) fn admit(&mut self, slot: Slot) {
        self.slot = Some(slot);
    }

    /// The refusal that the log's state asks for; `None` while it works, or where calls run all the
    /// same.
    pub(super) fn log_refusal(&self) -> Option<Refusal> {
        if self.shared.runs_unrecorded {
            return None;
        }
        self.shared.log.as_ref().and_then(unhealthy)
    }

    /// True when the call runs though the log cannot be written.
    pub(super) fn is_unrecorded(&self) -> bool {
        self.shared.runs_unrecorded && self.shared.log.as_ref().and_then(unhealthy).is_some()
    }

    /// Closes the record with the call's end, and gives the answer that may leave: at once, or when
    /// the record is durable.
    pub(super) fn finish<R: Reply>(mut self, mut outcome: Outcome<R>) -> Finished<R> {
        let Some(mut facts) = self.keeper.take() else {
            // INVARIANT broken: there is no record, so there is no answer but this.
            outcome.end = End::Refused(unavailable(Code::AuditUnavailable).after_execution());
            return Finished::Now(outcome);
        };
        let now = self.shared.clock.monotonic();
        let late = self.deadline.is_some_and(|at| at.after(facts.waited_by(now)).passed(now));
        if late && !matches!(outcome.end, End::Refused(_)) {
            note_overtime(&mut facts);
        }
        // A reply is somebody else's code: it may panic while it is looked at, and the record is
        // written all the same.
        let (end, cancel, shared) = (outcome.end, &self.cancel, &*self.shared);
        let closed = catch_unwind(AssertUnwindSafe(|| close(&mut facts, end, cancel, shared)));
        outcome.end = closed.unwrap_or_else(|payload| {
            std::mem::forget(payload);
            facts.status = Status::Panicked;
            End::Panicked
        });
        shared.end_circuit(&self.regime, &facts);
        outcome.dedupe = facts.dedupe;
        outcome.next_round = facts.next_round.take();
        if let Some(refusal) = self.log_refusal() {
            outcome.end = withhold(&mut facts, outcome.end, refusal);
        }
        outcome.seen = self.shared.telemetry.is_on().then(|| Box::new(Seen::of(&facts)));
        match self.shared.mode(&facts) {
            AuditMode::BlockingStrict if !self.is_unrecorded() => self.push_durable(facts, outcome),
            AuditMode::Batch | AuditMode::Blocking | AuditMode::BlockingStrict => {
                self.push(facts);
                Finished::Now(outcome)
            }
        }
    }

    fn push_durable<R>(&mut self, facts: Box<Facts>, mut outcome: Outcome<R>) -> Finished<R> {
        let Some(log) = &self.shared.log else { return Finished::Now(outcome) };
        let instead = (!self.shared.runs_unrecorded).then(|| {
            unavailable(Code::AuditUnavailable)
                .with_reasons(facts.reasons.clone())
                .with_executed(facts.executed())
        });
        if let Ok(durable) = log.push_durable(self.slot.take(), facts) {
            return Finished::When { durable, outcome, instead };
        }
        outcome.end = replace(outcome.end, instead);
        Finished::Now(outcome)
    }

    fn push(&mut self, facts: Box<Facts>) {
        let Some(log) = &self.shared.log else { return };
        match self.slot.take() {
            Some(slot) => log.push(slot, facts),
            None if self.shared.runs_unrecorded => log.push_unplaced(facts),
            None => log.push_refused(facts),
        }
    }
}

/// The answer to a call whose record is closed.
pub(super) enum Finished<R> {
    /// It may leave.
    Now(Outcome<R>),
    /// It may leave when the record is durable; if that cannot be had, `instead` leaves.
    When { durable: Durable, outcome: Outcome<R>, instead: Option<Refusal> },
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(mut facts) = self.keeper.take() {
            if std::thread::panicking() {
                facts.status = Status::Panicked;
            }
            if let Some(started) = facts.started {
                facts.latency = self.shared.clock.monotonic().saturating_duration_since(started);
            }
            self.shared.end_circuit(&self.regime, &facts);
            self.push(facts);
        }
    }
}

/// Writes the end into the facts; completes a refusal with whether the handler had started.
fn close<R: Reply>(
    facts: &mut Facts,
    end: End<R>,
    cancel: &CancellationToken,
    shared: &Shared,
) -> End<R> {
    match end {
        End::Replied(reply) => {
            facts.status = match reply.failed() {
                _ if cancel.is_cancelled() => Status::Cancelled,
                true => Status::Error,
                false => Status::Ok,
            };
            let output = reply.body().and_then(|body| {
                let output = output_digest(&body, shared.digest_key.as_ref())?;
                keep(facts, &body, shared.capture());
                Some(output)
            });
            facts.output_sha256 = output.and_then(Fingerprint::sha256);
            if let Some(keyed) = &mut facts.keyed {
                keyed.output = output.and_then(Fingerprint::hmac);
            }
            facts.task_id = reply.task_id().map(Into::into);
            End::Replied(reply)
        }
        End::Panicked => {
            facts.status = Status::Panicked;
            End::Panicked
        }
        End::Refused(refusal) => End::Refused(refuse(facts, refusal)),
    }
}

/// Keeps the reply as it is, where that is asked for. It has a digest, so its depth is bounded.
fn keep(facts: &mut Facts, body: &impl serde::Serialize, capture: Option<&Capture>) {
    let Some(capture) = capture else { return };
    let context = RawContext::new(Direction::Output, &facts.server, &facts.tool);
    if let Some(payload) = capture.take(body, &context) {
        facts.payloads.get_or_insert_default().output = Some(payload);
    }
}

/// The reply's digest. A reply is in memory already, so only its depth is bounded: one that is
/// nested deeper than a reader of JSON will follow has no digest.
fn output_digest(body: &impl serde::Serialize, key: Option<&DigestKey>) -> Option<Fingerprint> {
    let limits = Limits { max_len: usize::MAX, ..Limits::default() };
    match canonical::fingerprint(body, limits, key) {
        Ok((_len, output)) => Some(output),
        Err(error) => {
            tracing::warn!(%error, "the reply has no digest in its record");
            None
        }
    }
}

fn refuse(facts: &mut Facts, refusal: Refusal) -> Refusal {
    let told = facts.reasons.clone();
    let recorded = refusal.for_record();
    for found in refusal.reasons() {
        // What the caller is told in its place is not the record's reason.
        let found = if found == refusal.found() { &recorded } else { found };
        facts.found(found.clone());
    }
    let refusal = refusal.with_found_before(told).with_executed(facts.executed());
    facts.refused_for = Some(recorded);
    facts.decision = Decision::Deny;
    facts.status = refusal.status();
    refusal
}

/// A call that took too long where that does not refuse.
fn note_overtime(facts: &mut Facts) {
    facts.found(Reason::DurationTooLong);
    if facts.decision == Decision::Allow {
        facts.decision = Decision::WouldDeny;
    }
}

/// Keeps a reply back because its record cannot be written now. What happened stays in the facts.
fn withhold<R>(facts: &mut Facts, end: End<R>, refusal: Refusal) -> End<R> {
    if let End::Refused(earlier) = end {
        return End::Refused(earlier);
    }
    facts.found(refusal.reason());
    facts.refused_for = Some(refusal.found().clone());
    let refusal = refusal.with_reasons(facts.reasons.clone());
    End::Refused(refusal.with_executed(facts.executed()))
}

/// Puts a refusal in the place of an answer that is none already.
pub(super) fn replace<R>(end: End<R>, instead: Option<Refusal>) -> End<R> {
    match (end, instead) {
        (End::Replied(_) | End::Panicked, Some(instead)) => End::Refused(instead),
        (end, _) => end,
    }
}
