use super::approvals::{Approvals, answered};
use super::connected::{Answering, FOR_THE_USER, Granted};
use super::report::Report;
use super::shared::Shared;
use crate::approval::{
    Asked, Asking, Caller, Escalation, EscalationId, Finalization, Kept, Opened, Presentation,
    Reach, Round, Said, Shown, Spent, Status, StoreError, Unspendable, Waiting,
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
    /// The member as whom the connected user votes; `None` where the policy names none.
    pub(super) user: Option<Box<str>>,
    /// The way to that user.
    pub(super) reach: Option<Reach>,
    /// What the call brings from the round before.
    pub(super) round: Option<Round>,
    /// What others are told, where there are any.
    pub(super) report: Option<Report>,
}

/// What came of waiting for a decision.
enum Came {
    /// Somebody has decided, or something about the escalation has changed.
    Changed(Kept),
    /// The connected user has answered.
    Said(Said),
    /// The call is not held any longer.
    TimeOut,
}

impl Seek {
    /// Ends when the call may be made, or is refused.
    pub(super) async fn run(self) -> Result<Granted, Refusal> {
        let cancel = self.cancel.clone();
        let sought = match cancel.run_until_cancelled(self.seek()).await {
            Some(sought) => sought,
            None => Err(Refusal::new(Reason::Cancelled)),
        };
        self.watch.goes_on(self.shared.clock.monotonic());
        sought
    }

    async fn seek(&self) -> Result<Granted, Refusal> {
        // The client of a next round may send the token of the first one along.
        if let Some(round) = &self.round {
            return self.go_on(round).await;
        }
        match &self.token {
            Some(Ok(id)) => self.present(*id).await,
            Some(Err(why)) => Err(invalid(*why)),
            None => self.ask().await,
        }
    }

    /// Spends the grant that the call presents.
    async fn present(&self, id: EscalationId) -> Result<Granted, Refusal> {
        self.spend(id).await?.map_err(|why| self.refused(id, why))
    }

    /// Why the grant does not permit the call, as far as the caller may know.
    pub(super) fn refused(&self, id: EscalationId, why: Unspendable) -> Refusal {
        match why {
            Unspendable::NotApproved(status) => {
                self.with(Refusal::new(why.reason()), Escalated::new(id, said(status)))
            }
            Unspendable::Expired => {
                let escalated = Escalated::new(id, EscalationStatus::Expired);
                self.with(Refusal::new(why.reason()), escalated)
            }
            Unspendable::Unknown
            | Unspendable::OtherPrincipal
            | Unspendable::OtherTool
            | Unspendable::OtherArguments
            | Unspendable::OtherPolicy
            | Unspendable::Spent => invalid(why),
        }
    }

    /// Goes on when the connected user was asked about it.
    pub(super) async fn after_asking(&self, kept: Kept) -> Result<Granted, Refusal> {
        let (id, until) = (kept.escalation.id(), Instant::now() + self.wait);
        let opened = Opened { kept, is_new: false };
        self.decided(opened, until, true).await?.map_err(|why| self.refused(id, why))
    }

    async fn ask(&self) -> Result<Granted, Refusal> {
        let until = Instant::now() + self.wait;
        for _ in 0..ANEW {
            let opened = self.opened().await?;
            let id = opened.kept.escalation.id();
            match self.decided(opened, until, false).await? {
                Ok(granted) => return Ok(granted),
                // Another call like this one was faster.
                Err(Unspendable::Spent) => {}
                // It asked for this very call, so there is nothing to be kept from its caller.
                Err(why @ Unspendable::OtherPolicy) => {
                    let escalated = Escalated::new(id, EscalationStatus::Approved);
                    return Err(self.with(Refusal::new(why.reason()), escalated));
                }
                Err(why) => return Err(self.refused(id, why)),
            }
        }
        Err(invalid(Unspendable::Spent).with_retry(Retry::Soon))
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
        let opened = self.approvals.ask(asking).await;
        let (opened, recorded) = opened.map_err(|error| unavailable(&error))?;
        self.watch.escalated(escalated(&opened.kept));
        self.lacks_nothing(recorded)?;
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
        // The user is asked once about one escalation.
        mut was_asked: bool,
    ) -> Result<Result<Granted, Unspendable>, Refusal> {
        let Opened { mut kept, .. } = opened;
        let id = kept.escalation.id();
        let mut asking: Option<Answering> = None;
        let (mut until, mut at_most) = (until, self.wait);
        loop {
            let escalated = escalated(&kept);
            self.watch.escalated(escalated.clone());
            let refusal = match kept.status() {
                Status::Approved if was_asked || self.may_go_on(&kept) => {
                    return self.spend(id).await;
                }
                // It is presented by whoever was told the id.
                Status::Approved => Refusal::new(self.required.clone()).with_retry(Retry::Soon),
                Status::Rejected if kept.ended == Some(Finalization::NoApproversConfigured) => {
                    self.refusal(Reason::NoApproversConfigured)
                }
                Status::Rejected => self.refusal(Reason::ApprovalRejected),
                Status::Expired => self.refusal(Reason::ApprovalExpired),
                Status::Pending => {
                    if !was_asked && let Some(asks) = self.ask_next_round(&kept).await {
                        return Err(asks);
                    }
                    if !was_asked && let Some(asked) = self.ask_user(&kept) {
                        was_asked = true;
                        asking = Some(asked);
                        if self.wait.is_zero() {
                            at_most = self.left(&kept).min(FOR_THE_USER);
                            until = Instant::now() + at_most;
                        }
                    }
                    if self.wait.is_zero() && asking.is_none() {
                        let refusal = Refusal::new(self.required.clone());
                        return Err(self.with(refusal.with_retry(Retry::Soon), escalated));
                    }
                    match self.wait(&kept, (until, at_most), &mut asking).await? {
                        Came::Changed(changed) => kept = changed,
                        // The end of a connection cancels the call, too; which is seen first is chance.
                        Came::Said(Said::Gone) => return Err(Refusal::new(Reason::Cancelled)),
                        Came::Said(said) => {
                            if let Some(changed) = self.cast(&kept, said).await? {
                                kept = changed;
                            }
                        }
                        Came::TimeOut => {
                            let escalated = Escalated::new(id, EscalationStatus::Timeout);
                            let refusal = Refusal::new(self.required.clone());
                            return Err(self.with(refusal.with_retry(Retry::Soon), escalated));
                        }
                    }
                    continue;
                }
            };
            return Err(self.with(refusal, escalated));
        }
    }

    /// True where the call itself may use the approval: it was held for it, or nobody had to look.
    fn may_go_on(&self, kept: &Kept) -> bool {
        !self.wait.is_zero() || kept.ended == Some(Finalization::AutoAllowed)
    }

    /// Holds the call until something changes, time decides, or it is not held any longer.
    async fn wait(
        &self,
        kept: &Kept,
        (until, at_most): (Instant, Duration),
        asking: &mut Option<Answering>,
    ) -> Result<Came, Refusal> {
        let id = kept.escalation.id();
        // Who is held takes room in the log, and that must not run out for others.
        let Some(_held) = self.approvals.hold(&self.presentation.binding.principal) else {
            return Ok(Came::TimeOut);
        };
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
                said = told(asking), if asking.is_some() => {
                    *asking = None;
                    return Ok(Came::Said(said.unwrap_or(Said::Nothing)));
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
                _ = told(&mut telling), if telling.is_some() => telling = None,
                () = sleep_until(tells), if self.caller.is_some() && telling.is_none() => {
                    tells = Instant::now() + TOLD;
                    let left = until.saturating_duration_since(Instant::now());
                    let waiting = Waiting { waited: at_most.saturating_sub(left), at_most };
                    telling = self.caller.as_ref().map(|caller| caller.tell(waiting));
                }
            }
        }
    }

    /// How long until time decides.
    pub(super) fn left(&self, kept: &Kept) -> Duration {
        let moment = self.approvals.moment(kept.escalation.id());
        let ttl = kept.escalation.terms().ttl();
        let measured = moment.measured.map(|measured| ttl.saturating_sub(measured));
        let millis = kept.escalation.expires_at().as_millis();
        let by_wall = millis.saturating_sub(moment.wall.as_millis());
        let by_wall = Duration::from_millis(u64::try_from(by_wall).unwrap_or(0));
        measured.map_or(by_wall, |measured| measured.min(by_wall))
    }

    /// Whether the policy that judged this call is still the one that judges those that enter now.
    pub(super) fn is_todays_policy(&self) -> bool {
        self.shared.regime.load().policy.digest() == self.presentation.binding.policy
    }

    /// Spends the grant for this call, if today's policy is still the one that asked.
    async fn spend(&self, id: EscalationId) -> Result<Result<Granted, Unspendable>, Refusal> {
        if !self.is_todays_policy() {
            return Ok(Err(Unspendable::OtherPolicy));
        }
        if self.approvals.has_spent(id) {
            return Ok(Err(Unspendable::Spent));
        }
        let store = self.approvals.store();
        let presentation = Arc::clone(&self.presentation);
        let spent = answered(store.spend(id, presentation, self.approvals.moment(id))).await;
        let spent = spent.map_err(|error| unavailable(&error))?;
        let Spent { kept, verdict } = match spent {
            Ok(spent) => spent,
            Err(why) => return Ok(Err(why)),
        };
        if !self.approvals.spent(&kept.escalation) {
            tracing::error!(
                "the store of approvals was changed by somebody else; a grant is refused"
            );
            return Ok(Err(Unspendable::Unknown));
        }
        let rule = verdict.finalization.map(Finalization::as_str);
        self.watch.escalated(Escalated::new(id, EscalationStatus::Approved).decided_by(rule));
        // The votes stand in the log before the call that they permit.
        self.recorded().await?;
        if self.approvals.is_damaged(id) {
            return Err(unavailable(&StoreError::Failed("a line about it is damaged".into())));
        }
        Ok(Ok(Granted { escalation: id, until: kept.over_at(), restored: None }))
    }

    /// The log has what has happened, or the call is refused.
    async fn recorded(&self) -> Result<(), Refusal> {
        self.lacks_nothing(self.approvals.recorded().await)
    }

    fn lacks_nothing(&self, recorded: Result<(), StoreError>) -> Result<(), Refusal> {
        match recorded {
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
    pub(super) fn with(&self, refusal: Refusal, escalated: Escalated) -> Refusal {
        self.watch.escalated(escalated.clone());
        refusal.with_escalation(Some(escalated))
    }
}

/// Between two looks at whether time is up, where the clocks do not agree.
const SOON: Duration = Duration::from_millis(100);

type Telling = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What comes of something that may be under way.
async fn told<T>(under_way: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> Option<T> {
    match under_way {
        Some(under_way) => Some(under_way.await),
        None => None,
    }
}

pub(super) fn random() -> Result<[u8; 16], Refusal> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        tracing::error!(%error, "the system gave no random number; the call is refused");
        Refusal::new(Reason::ApprovalUnavailable).with_retry(Retry::Soon)
    })?;
    Ok(bits)
}

/// A grant that is none for this call: the record says why, and the caller is not told.
pub(super) fn invalid(why: Unspendable) -> Refusal {
    Refusal::new(Reason::ApprovalInvalid).recorded_as(why.reason())
}

pub(super) fn unavailable(error: &StoreError) -> Refusal {
    tracing::error!(%error, "an approval could not be looked up; the call is refused");
    Refusal::new(Reason::ApprovalUnavailable).with_retry(Retry::Soon)
}

fn escalated(kept: &Kept) -> Escalated {
    let escalated = Escalated::new(kept.escalation.id(), said(kept.status()));
    escalated.decided_by(kept.ended.map(Finalization::as_str))
}

pub(super) fn said(status: Status) -> EscalationStatus {
    match status {
        Status::Pending => EscalationStatus::Pending,
        Status::Approved => EscalationStatus::Approved,
        Status::Rejected => EscalationStatus::Rejected,
        Status::Expired => EscalationStatus::Expired,
    }
}
