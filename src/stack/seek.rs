use super::approvals::{Approvals, answered};
use super::report::Report;
use super::shared::Shared;
use crate::approval::{
    Asked, Asking, Caller, Escalation, EscalationId, Finalization, Kept, Opened, Presentation,
    Shown, Spent, Status, StoreError, Unspendable, Waiting,
};
use crate::call::{
    Arguments, Escalated, EscalationStatus, Found, Reason, Refusal, Retry, TrailWatch,
};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How often a caller hears that its call still waits.
const TOLD: Duration = Duration::from_secs(5);

/// How often a call asks anew when somebody else has spent the grant that both waited for.
const ANEW: usize = 3;

/// A call that needs an approval, on its way to one.
pub(super) struct Seek {
    pub(super) shared: Arc<Shared>,
    pub(super) approvals: Arc<Approvals>,
    pub(super) presentation: Arc<Presentation>,
    /// What approvers are shown, with secrets masked.
    pub(super) arguments: Option<Arguments>,
    pub(super) reasons: Vec<Box<str>>,
    pub(super) rules: Vec<Box<str>>,
    /// What the caller is told where nothing has decided: the rule that asks is in it.
    pub(super) required: Found,
    /// The grant that the call presents; an error is one that cannot be any.
    pub(super) token: Option<Result<EscalationId, Unspendable>>,
    /// How long the call is held.
    pub(super) wait: Duration,
    pub(super) cancel: CancellationToken,
    pub(super) watch: TrailWatch,
    pub(super) caller: Option<Arc<dyn Caller>>,
    /// What others are told, where there are any.
    pub(super) report: Option<Report>,
}

/// What came of waiting for a decision.
enum Came {
    /// Somebody has decided, or something about the escalation has changed.
    Changed(Kept),
    /// The call is not held any longer.
    TimeOut,
}

impl Seek {
    /// Ends when the call may be made, or is refused.
    pub(super) async fn run(self) -> Result<(), Refusal> {
        let cancel = self.cancel.clone();
        let sought = match cancel.run_until_cancelled(self.seek()).await {
            Some(sought) => sought,
            None => Err(Refusal::new(Reason::Cancelled)),
        };
        self.watch.goes_on(self.shared.clock.monotonic());
        sought
    }

    async fn seek(&self) -> Result<(), Refusal> {
        match &self.token {
            Some(Ok(id)) => self.present(*id).await,
            Some(Err(why)) => Err(invalid(*why)),
            None => self.ask().await,
        }
    }

    /// Spends the grant that the call presents.
    async fn present(&self, id: EscalationId) -> Result<(), Refusal> {
        match self.spend(id).await? {
            Ok(()) => Ok(()),
            Err(Unspendable::NotApproved(status)) => {
                let escalated = Escalated::new(id, said(status));
                let refusal = Refusal::new(Unspendable::NotApproved(status).reason());
                Err(self.with(refusal, escalated))
            }
            Err(why @ Unspendable::Expired) => {
                let escalated = Escalated::new(id, EscalationStatus::Expired);
                Err(self.with(Refusal::new(why.reason()), escalated))
            }
            Err(why) => Err(invalid(why)),
        }
    }

    async fn ask(&self) -> Result<(), Refusal> {
        let until = Instant::now() + self.wait;
        for _ in 0..ANEW {
            let opened = self.opened().await?;
            match self.decided(opened, until).await? {
                Ok(()) => return Ok(()),
                // Another call like this one was faster.
                Err(Unspendable::Spent) => {}
                Err(why) => return Err(Refusal::new(why.reason())),
            }
        }
        Err(Refusal::new(Reason::ApprovalSpent))
    }

    /// Asks, or finds what was asked.
    async fn opened(&self) -> Result<Opened, Refusal> {
        let Presentation { binding, terms, severity } = &*self.presentation;
        let shown = Shown::of(self.arguments.as_ref(), random()?);
        let escalation = Escalation::new(Asked {
            id: EscalationId::from_random(random()?),
            binding: binding.clone(),
            terms: terms.clone(),
            reasons: self.reasons.clone(),
            rules: self.rules.clone(),
            severity: *severity,
            created_at: self.shared.clock.wall(),
            shown: shown.digest(),
        });
        let escalation = escalation.map_err(|error| {
            tracing::error!(%error, "a call cannot be asked about; it is refused");
            Refusal::new(Reason::ApprovalUnavailable)
        })?;
        let stream = self.approvals.stream().into();
        let asking = Asking { escalation, shown, stream };
        let now = self.shared.clock.wall();
        let opened = answered(self.approvals.store().ask(Arc::new(asking), now)).await;
        let opened = opened.map_err(|error| unavailable(&error))?;
        // Its age is measured from now on.
        self.approvals.learn(&opened.kept.escalation);
        self.watch.escalated(escalated(&opened.kept));
        self.recorded().await?;
        if let Some(report) = self.report.as_ref().filter(|_| opened.is_new) {
            self.watch.not_reported(report.send(&opened.kept.escalation).await);
        }
        Ok(opened)
    }

    /// Waits for a decision, and spends the grant if it is one.
    async fn decided(
        &self,
        opened: Opened,
        until: Instant,
    ) -> Result<Result<(), Unspendable>, Refusal> {
        let Opened { mut kept, .. } = opened;
        let id = kept.escalation.id();
        loop {
            let escalated = escalated(&kept);
            self.watch.escalated(escalated.clone());
            let refusal = match kept.status() {
                Status::Approved if self.may_go_on(&kept) => return self.spend(id).await,
                // It is presented by whoever was told the id.
                Status::Approved => Refusal::new(self.required.clone()).with_retry(Retry::Soon),
                Status::Rejected if kept.ended == Some(Finalization::NoApproversConfigured) => {
                    self.refusal(Reason::NoApproversConfigured)
                }
                Status::Rejected => self.refusal(Reason::ApprovalRejected),
                Status::Expired => self.refusal(Reason::ApprovalExpired),
                Status::Pending if self.wait.is_zero() => {
                    Refusal::new(self.required.clone()).with_retry(Retry::Soon)
                }
                Status::Pending => match self.wait(&kept, until).await? {
                    Came::Changed(changed) => {
                        kept = changed;
                        continue;
                    }
                    Came::TimeOut => {
                        let escalated = Escalated::new(id, EscalationStatus::Timeout);
                        let refusal = Refusal::new(self.required.clone());
                        return Err(self.with(refusal.with_retry(Retry::Soon), escalated));
                    }
                },
            };
            return Err(self.with(refusal, escalated));
        }
    }

    /// True where the call itself may use the approval: it was held for it, or nobody had to look.
    fn may_go_on(&self, kept: &Kept) -> bool {
        !self.wait.is_zero() || kept.ended == Some(Finalization::AutoAllowed)
    }

    /// Holds the call until something changes, time decides, or it is not held any longer.
    async fn wait(&self, kept: &Kept, until: Instant) -> Result<Came, Refusal> {
        let id = kept.escalation.id();
        let began = Instant::now();
        self.watch.waits(self.shared.clock.monotonic());
        let mut changed = self.approvals.store().changed(id, kept.version);
        let mut expires = began + self.left(kept);
        let mut tells = began;
        let mut telling: Option<Telling> = None;
        loop {
            tokio::select! {
                biased;
                changed = &mut changed => {
                    return changed.map(Came::Changed).map_err(|error| unavailable(&error));
                }
                () = sleep_until(expires.min(until)) => {
                    if Instant::now() < expires {
                        return Ok(Came::TimeOut);
                    }
                    let settled = self.approvals.store().settle(id, self.approvals.moment(id));
                    let settled = answered(settled).await.map_err(|error| unavailable(&error))?;
                    match settled {
                        Some(settled) if settled.version != kept.version => {
                            return Ok(Came::Changed(settled));
                        }
                        // The clocks do not agree that time is up.
                        Some(_) => expires = Instant::now() + self.left(kept).max(SOON),
                        None => return Err(invalid(Unspendable::Unknown)),
                    }
                }
                // One who does not listen holds nothing up.
                () = told(&mut telling), if telling.is_some() => telling = None,
                () = sleep_until(tells), if self.caller.is_some() && telling.is_none() => {
                    tells = Instant::now() + TOLD;
                    let left = until.saturating_duration_since(Instant::now());
                    let waited = self.wait.saturating_sub(left);
                    let waiting = Waiting { waited, at_most: self.wait };
                    telling = self.caller.as_ref().map(|caller| caller.tell(waiting));
                }
            }
        }
    }

    /// How long until time decides.
    fn left(&self, kept: &Kept) -> Duration {
        let id = kept.escalation.id();
        let moment = self.approvals.moment(id);
        let ttl = kept.escalation.terms().ttl();
        let measured = moment.measured.map(|measured| ttl.saturating_sub(measured));
        let millis = kept.escalation.expires_at().as_millis();
        let by_wall = millis.saturating_sub(moment.wall.as_millis());
        let by_wall = Duration::from_millis(u64::try_from(by_wall).unwrap_or(0));
        measured.map_or(by_wall, |measured| measured.min(by_wall))
    }

    /// Spends the grant for this call, if today's policy is still the one that asked.
    async fn spend(&self, id: EscalationId) -> Result<Result<(), Unspendable>, Refusal> {
        let today = self.shared.regime.load().policy.digest();
        if today != self.presentation.binding.policy {
            return Ok(Err(Unspendable::OtherPolicy));
        }
        let store = self.approvals.store();
        let presentation = Arc::clone(&self.presentation);
        let spent = answered(store.spend(id, presentation, self.approvals.moment(id))).await;
        let spent = spent.map_err(|error| unavailable(&error))?;
        let Spent { verdict, .. } = match spent {
            Ok(spent) => spent,
            Err(why) => return Ok(Err(why)),
        };
        let rule = verdict.finalization.map(Finalization::as_str);
        self.watch.escalated(Escalated::new(id, EscalationStatus::Approved).decided_by(rule));
        // The votes stand in the log before the call that they permit.
        self.recorded().await?;
        Ok(Ok(()))
    }

    /// The log has what has happened, or the call is refused.
    async fn recorded(&self) -> Result<(), Refusal> {
        match self.approvals.recorded().await {
            Err(_) if self.shared.runs_unrecorded => Ok(()),
            recorded => recorded.map_err(|error| unavailable(&error)),
        }
    }

    /// The refusal for this reason, with the rule that asked.
    fn refusal(&self, reason: Reason) -> Refusal {
        let found = Found::from(reason);
        Refusal::new(self.required.rule().map_or(found.clone(), |rule| found.by(rule)))
    }

    /// The refusal and the record, with how far the question has come.
    fn with(&self, refusal: Refusal, escalated: Escalated) -> Refusal {
        self.watch.escalated(escalated.clone());
        refusal.with_escalation(Some(escalated))
    }
}

/// Between two looks at whether time is up, where the clocks do not agree.
const SOON: Duration = Duration::from_millis(100);

type Telling = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn told(telling: &mut Option<Telling>) {
    if let Some(telling) = telling {
        telling.await;
    }
}

fn random() -> Result<[u8; 16], Refusal> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        tracing::error!(%error, "the system gave no random number; the call is refused");
        Refusal::new(Reason::ApprovalUnavailable).with_retry(Retry::Soon)
    })?;
    Ok(bits)
}

/// A grant that is none for this call: the record says why, and the caller is not told.
fn invalid(why: Unspendable) -> Refusal {
    Refusal::new(Reason::ApprovalInvalid).recorded_as(why.reason())
}

fn unavailable(error: &StoreError) -> Refusal {
    tracing::error!(%error, "an approval could not be looked up; the call is refused");
    Refusal::new(Reason::ApprovalUnavailable).with_retry(Retry::Soon)
}

fn escalated(kept: &Kept) -> Escalated {
    let escalated = Escalated::new(kept.escalation.id(), said(kept.status()));
    escalated.decided_by(kept.ended.map(Finalization::as_str))
}

fn said(status: Status) -> EscalationStatus {
    match status {
        Status::Pending => EscalationStatus::Pending,
        Status::Approved => EscalationStatus::Approved,
        Status::Rejected => EscalationStatus::Rejected,
        Status::Expired => EscalationStatus::Expired,
    }
}
