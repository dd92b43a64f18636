use super::escalation::Escalation;
use super::moment::Moment;
use super::set::{ApprovalSet, Member};
use super::terms::Terms;
use super::vote::{Cast, Vote};
use super::words::{Choice, Finalization, Status, Strategy, TimeoutAction};
use crate::call::Severity;
use std::fmt;

/// What is to be decided, and by whose rules.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "who decides has to say by which terms")]
pub struct Case<'a> {
    /// The call that waits.
    pub escalation: &'a Escalation,
    /// The terms of the *policy*. Those of the escalation come from a store; only a reader of the
    /// signed log may put them here.
    pub terms: &'a Terms,
    /// How grave the call is as it is judged now. What the escalation says counts, too.
    pub severity: Severity,
}

/// What has happened to an escalation.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "a history without its end could be gone on with")]
pub struct History<'a> {
    /// The votes, in the order in which they were taken.
    pub casts: &'a [Cast],
    /// How the store has it that the escalation ended. An end without approval stays; an approval
    /// is never believed, and worked out again.
    pub ended: Option<Finalization>,
}

/// What votes and time come to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What has become of the escalation.
    pub status: Status,
    /// Which rule decided; `None` while nothing has.
    pub finalization: Option<Finalization>,
    /// Who has approved, in order.
    pub approvals: Vec<Box<str>>,
    /// Who has rejected, in order.
    pub rejections: Vec<Box<str>>,
    /// For each vote, why it does not count; `None` where it does.
    pub uncounted: Vec<Option<Uncounted>>,
}

/// Why a vote does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Uncounted {
    /// It is about another escalation, or about this one as it no longer stands.
    OtherEscalation,
    /// The set has no such member.
    UnknownApprover,
    /// The member's key did not sign it.
    BadSignature,
    /// The member has voted before.
    Repeated,
    /// It approves a call of the member's own.
    OwnCall,
    /// It was signed or taken when the time was up.
    Late,
    /// The escalation was decided before.
    Decided,
    /// As many votes are kept as may be.
    TooMany,
}

/// Works out what has become of an escalation. The same history always comes to the same.
///
/// - An approver has one vote: the first that counts. Votes after the one that decides change
///   nothing.
/// - A member does not approve calls of his own, and may reject them.
/// - Votes count while there is time, by the wall clock when they were taken and by the time that
///   was signed. Where time would approve, a rejection counts however late it is: what came first
///   cannot be told from clocks that step, and then the answer is no.
/// - Time approves only where `allow_unattended` is set, the call is not critical, the whole time
///   was measured (see [`Moment`]), and there are people who could have approved the call.
pub fn tally(case: &Case<'_>, history: &History<'_>, moment: Moment) -> Verdict {
    let Case { escalation, terms, .. } = *case;
    let mut verdict = Verdict {
        status: Status::Pending,
        finalization: None,
        approvals: Vec::new(),
        rejections: Vec::new(),
        uncounted: Vec::with_capacity(history.casts.len()),
    };
    let ended = history.ended.filter(|ended| ended.status() != Status::Approved);
    if let Some(at_once) = ended.or_else(|| case.at_once()) {
        verdict.finish(at_once);
    }
    let set = terms.approval_set.as_ref();
    for cast in history.casts {
        let why_not = match set {
            _ if verdict.status.is_final() => Some(Uncounted::Decided),
            Some(set) => case.count(set, cast, &mut verdict),
            None => Some(Uncounted::UnknownApprover),
        };
        verdict.uncounted.push(why_not);
    }
    if !verdict.status.is_final() {
        let by_time = if case.time_approves() {
            let is_over = moment.has_measured(terms.ttl());
            is_over.then_some(Finalization::TimedOutApproved)
        } else {
            let is_over = moment.is_past(escalation, terms.ttl());
            is_over.then_some(Finalization::TimedOutRejected)
        };
        if let Some(by_time) = by_time {
            verdict.finish(by_time);
        }
    }
    verdict
}

impl<'a> Case<'a> {
    /// The case for whoever knows no better than the escalation how grave the call is.
    pub fn new(escalation: &'a Escalation, terms: &'a Terms) -> Self {
        Self { escalation, terms, severity: escalation.severity() }
    }

    /// What is decided before anybody votes.
    fn at_once(&self) -> Option<Finalization> {
        if self.terms.strategy == Strategy::AutoAllow {
            return Some(if self.may_be_unattended() {
                Finalization::AutoAllowed
            } else {
                Finalization::UnattendedRefused
            });
        }
        let is_somebody =
            self.terms.approval_set.as_ref().is_some_and(|set| !set.members.is_empty());
        (!is_somebody).then_some(Finalization::NoApproversConfigured)
    }

    fn may_be_unattended(&self) -> bool {
        self.terms.may_be_unattended(self.severity.max(self.escalation.severity()))
    }

    /// True where the call is approved when nobody decides: where the policy says so, for a call that
    /// may run unattended, and has people who could have approved it.
    pub fn time_approves(&self) -> bool {
        self.terms.timeout_action == TimeoutAction::AutoApprove
            && self.may_be_unattended()
            && self.terms.is_attainable(&self.escalation.binding().principal)
    }

    /// Counts a vote, and decides if that was enough; or says why it does not count.
    fn count(&self, set: &ApprovalSet, cast: &Cast, verdict: &mut Verdict) -> Option<Uncounted> {
        let vote = &cast.vote;
        let member = match self.why_not(set, cast, verdict) {
            Ok(member) => member,
            Err(why) => return Some(why),
        };
        let terms = self.terms;
        match vote.choice() {
            Choice::Approve => {
                verdict.approvals.push(member.id.clone());
                let approvals = verdict.approvals.iter();
                let members: Vec<_> = approvals.filter_map(|id| set.member(id)).collect();
                if terms.suffices(&members) {
                    verdict.finish(match terms.strategy {
                        Strategy::HumanQuorum => Finalization::QuorumReached,
                        Strategy::SingleApprover | Strategy::AutoAllow => {
                            Finalization::ApprovedByApprover
                        }
                    });
                }
            }
            Choice::Reject => {
                verdict.rejections.push(member.id.clone());
                if member.has_any(&terms.veto_roles) {
                    verdict.finish(Finalization::Vetoed);
                } else if verdict.rejections.len() >= terms.rejections() {
                    verdict.finish(match terms.strategy {
                        Strategy::HumanQuorum => Finalization::RejectedByQuorum,
                        Strategy::SingleApprover | Strategy::AutoAllow => {
                            Finalization::RejectedByApprover
                        }
                    });
                }
            }
        }
        None
    }

    /// The member whose vote counts. The signature comes last, since it is the dearest to look at.
    fn why_not<'s>(
        &self,
        set: &'s ApprovalSet,
        cast: &Cast,
        verdict: &Verdict,
    ) -> Result<&'s Member, Uncounted> {
        let vote = &cast.vote;
        if !vote.is_about(self.escalation) {
            return Err(Uncounted::OtherEscalation);
        }
        let member = set.member(vote.approver()).ok_or(Uncounted::UnknownApprover)?;
        // Two names with one key are one approver: a policy with such a set is refused, but the
        // count does not lean on that.
        let is_member =
            |id: &str| set.member(id).is_some_and(|other| other.public_key == member.public_key);
        if verdict.approvals.iter().chain(&verdict.rejections).any(|id| is_member(id)) {
            return Err(Uncounted::Repeated);
        }
        let choice = vote.choice();
        if choice == Choice::Approve && member.is(&self.escalation.binding().principal) {
            return Err(Uncounted::OwnCall);
        }
        if self.is_late(vote, cast) && !(choice == Choice::Reject && self.time_approves()) {
            return Err(Uncounted::Late);
        }
        if vote.is_signed_by(&member.public_key) {
            Ok(member)
        } else {
            Err(Uncounted::BadSignature)
        }
    }

    fn is_late(&self, vote: &Vote, cast: &Cast) -> bool {
        vote.at().max(cast.taken_at) >= self.escalation.expires_at()
    }
}

impl Verdict {
    fn finish(&mut self, by: Finalization) {
        self.status = by.status();
        self.finalization = Some(by);
    }
}

impl Uncounted {
    /// What to tell the approver.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherEscalation => "the vote is about another escalation",
            Self::UnknownApprover => "the approval set of the policy has no such member",
            Self::BadSignature => "the key of this member did not sign the vote",
            Self::Repeated => "this member has voted before, and the first vote stays",
            Self::OwnCall => "this member cannot approve a call of their own; somebody else has to",
            Self::Late => "the time in which the call could be decided is up",
            Self::Decided => "the call was decided before, and a decision is final",
            Self::TooMany => "the escalation has as many votes as are kept",
        }
    }
}

impl fmt::Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
