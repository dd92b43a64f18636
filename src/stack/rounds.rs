use super::approvals::{Approvals, answered};
use super::connected::Granted;
use super::seek::{Seek, invalid, random, said, unavailable};
use crate::approval::{
    EscalationId, Finalization, History, Kept, NextRound, Presentation, Reach, Round, RoundAbout,
    RoundId, StoreError, TakenRound, Unspendable, spendable,
};
use crate::call::{Escalated, EscalationStatus, Question, Reason, Refusal, Retry};
use crate::clock::Timestamp;
use std::sync::Arc;

impl Seek {
    /// Asks the connected user with the answer to this round, where that one may vote and the client
    /// asks so: the refusal that asks. `None` leaves the question to others.
    pub(super) async fn ask_next_round(&self, kept: &Kept) -> Option<Refusal> {
        if !matches!(self.reach, Some(Reach::NextRound)) {
            return None;
        }
        self.voter(kept)?;
        let (id, until) = (kept.escalation.id(), kept.escalation.expires_at());
        let now = self.shared.clock.wall();
        let about = RoundAbout::Approval;
        let expected = expect(&self.approvals, &self.presentation, (id, until), about, now).await;
        let round = match expected {
            Ok(round) => round,
            Err(error) => {
                tracing::warn!(%error, "the connected user is not asked: the next round of the call cannot be kept");
                return None;
            }
        };
        let refusal = Refusal::new(self.required.clone()).with_retry(Retry::Soon);
        let refusal = self.with(refusal, Escalated::new(id, said(kept.status())));
        let (text, state) = (self.question(kept), round.to_string().into());
        Some(refusal.with_question(Some(Question { text, state })))
    }

    /// Goes on where the round before has ended.
    pub(super) async fn go_on(&self, round: &Round) -> Result<Granted, Refusal> {
        let Some(id) = round.id else { return Err(invalid(Unspendable::Unknown)) };
        let call = self.presentation.binding.call_key();
        let call = call.map_err(|_too_long| Refusal::new(Reason::ApprovalUnavailable))?;
        let store = self.approvals.store();
        let taken = answered(store.take_round(id, call, self.shared.clock.wall())).await;
        match taken.map_err(|error| unavailable(&error))? {
            TakenRound::This(id, RoundAbout::Approval) => {
                let kept = self.kept(id).await?;
                let kept = self.cast(&kept, round.said.clone()).await?.unwrap_or(kept);
                self.after_asking(kept).await
            }
            TakenRound::This(id, RoundAbout::Tool(state)) => self.resume(id, state).await,
            TakenRound::OtherCall(id) => {
                let kept = self.kept(id).await?;
                // Why it is another one is for the record.
                match self.permits(&kept) {
                    Err(why) => Err(invalid(why)),
                    Ok(_) => Err(invalid(Unspendable::Unknown)),
                }
            }
            TakenRound::None => Err(invalid(Unspendable::Unknown)),
        }
    }

    async fn kept(&self, id: EscalationId) -> Result<Kept, Refusal> {
        let kept = answered(self.approvals.store().read(id)).await;
        let kept = kept.map_err(|error| unavailable(&error))?;
        let kept = kept.ok_or_else(|| invalid(Unspendable::Unknown))?;
        // A restart may lie between the rounds.
        self.approvals.learn(&kept.escalation);
        Ok(kept)
    }

    /// The next round of a call that was approved and has run: by its votes, not by what the store
    /// says of them.
    async fn resume(&self, id: EscalationId, state: Option<Box<str>>) -> Result<Granted, Refusal> {
        let kept = self.kept(id).await?;
        if !self.is_todays_policy() {
            return Err(invalid(Unspendable::OtherPolicy));
        }
        if kept.spent_at.is_none() {
            return Err(invalid(Unspendable::Unknown));
        }
        let rule = self.permits(&kept).map_err(|why| self.refused(id, why))?;
        self.watch.escalated(Escalated::new(id, EscalationStatus::Approved).decided_by(rule));
        Ok(Granted { escalation: id, until: kept.over_at(), restored: state })
    }

    /// Which rule permits the call, had nobody spent the grant.
    fn permits(&self, kept: &Kept) -> Result<Option<&'static str>, Unspendable> {
        let history = History { casts: &kept.casts, ended: kept.ended };
        let presented = self.presentation.presented();
        let moment = self.approvals.moment(kept.escalation.id());
        let verdict = spendable(Some(&kept.escalation), &history, &presented, moment, false)?;
        Ok(verdict.finalization.map(Finalization::as_str))
    }
}

/// Keeps what the tool of an approved call has asked the client, where it did: the state with which
/// the next round passes without another question.
pub(super) async fn keep_round(
    (approvals, presentation): (Arc<Approvals>, Arc<Presentation>),
    granted: Granted,
    state: Option<Box<str>>,
    now: Timestamp,
) -> Option<RoundId> {
    let Granted { escalation, until, .. } = granted;
    if state.as_ref().is_some_and(|state| state.len() > NextRound::MAX_STATE) || now >= until {
        tracing::debug!("the next round of an approved call will be asked about anew");
        return None;
    }
    let about = RoundAbout::Tool(state);
    match expect(&approvals, &presentation, (escalation, until), about, now).await {
        Ok(round) => Some(round),
        Err(error) => {
            tracing::warn!(%error, "the next round of an approved call will be asked about anew");
            None
        }
    }
}

async fn expect(
    approvals: &Approvals,
    presentation: &Presentation,
    (escalation, until): (EscalationId, Timestamp),
    about: RoundAbout,
    now: Timestamp,
) -> Result<RoundId, StoreError> {
    let failed = |text: &str| StoreError::Failed(text.into());
    let bits = random().map_err(|_told| failed("there is no random number"))?;
    let binding = &presentation.binding;
    let call = binding.call_key().map_err(|error| failed(&error.to_string()))?;
    let id = RoundId::from_random(bits);
    let next = NextRound { call, share: binding.share(), escalation, until, about };
    answered(approvals.store().expect_round(id, Arc::new(next), now)).await?;
    Ok(id)
}
