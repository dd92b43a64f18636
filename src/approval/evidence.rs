use super::escalation::{Escalation, NotAnEscalation};
use super::id::EscalationId;
use super::moment::Moment;
use super::tally::{Case, History, Verdict, tally};
use super::vote::{Cast, NotAVote};
use super::words::{Finalization, Status};
use crate::digest::Digest;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Follows the approvals in a log from line to line: whether every vote was signed by a member of
/// the set that its escalation was created with, and whether every decision follows from the votes
/// before it.
///
/// A line may stand twice, word for word: a program that ends before it knows that its lines are
/// durable writes them again at its next start. The second says nothing new.
///
/// A log whose oldest days are gone may begin behind a creation. What is about such an escalation
/// cannot be checked, and is counted: see [`Evidence::unchecked`].
#[derive(Debug, Default)]
pub struct Evidence {
    all: BTreeMap<EscalationId, Followed>,
    unchecked: u64,
}

/// How far an escalation has been followed.
#[derive(Debug)]
enum Followed {
    Open(Box<Kept>),
    /// What comes later changes nothing. The digests are those of the escalation and the decision.
    Decided(Digest, Digest),
}

#[derive(Debug)]
struct Kept {
    escalation: Escalation,
    casts: Vec<Cast>,
}

/// What a line about an approval has wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceFault {
    /// Its escalation is none.
    #[error("its escalation does not read: {0}")]
    Escalation(#[from] NotAnEscalation),
    /// Its vote is none.
    #[error("its vote does not read: {0}")]
    Vote(#[from] NotAVote),
    /// Its decision is none.
    #[error("its decision is not in the form that sec0 writes")]
    Decision,
    /// The id of the line is none, or another one than that of what it is about.
    #[error("`escalation_id` is not that of what the line is about")]
    OtherId,
    /// A kind of line that this version does not know.
    #[error("this version of sec0 knows no such event about an approval")]
    UnknownEvent,
    /// Another escalation with this id was created before.
    #[error("another escalation was created under this id before")]
    CreatedTwice,
    /// The vote is not a member's, not signed by him, or about something else.
    #[error("the vote is not one of a member of the escalation's approval set over it")]
    NotAMembers,
    /// The decision is not what the votes come to.
    #[error("the decision does not follow from the escalation and the votes before it")]
    DoesNotFollow,
    /// The escalation was decided before, otherwise.
    #[error("the escalation was decided before, and otherwise")]
    DecidedTwice,
}

/// A decision as the log has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    approvals: Vec<Box<str>>,
    finalization_reason: Finalization,
    rejections: Vec<Box<str>>,
    status: Status,
}

impl Evidence {
    /// Takes the value of `escalation` of a line `event: approval_created`.
    ///
    /// # Errors
    ///
    /// It is none, or another one was there before under its id.
    pub fn created(&mut self, escalation: &str) -> Result<(), EvidenceFault> {
        let escalation = Escalation::parse(escalation)?;
        let kept = Box::new(Kept { casts: Vec::new(), escalation });
        let digest = kept.escalation.digest();
        let before = match self.all.entry(kept.escalation.id()) {
            Entry::Vacant(place) => {
                place.insert(Followed::Open(kept));
                return Ok(());
            }
            Entry::Occupied(before) => before,
        };
        let was = match before.get() {
            Followed::Open(before) => before.escalation.digest(),
            Followed::Decided(escalation, _) => *escalation,
        };
        if was == digest { Ok(()) } else { Err(EvidenceFault::CreatedTwice) }
    }

    /// Takes the value of `cast` of a line `event: approval_vote`.
    ///
    /// # Errors
    ///
    /// It is none, or none of the escalation's people signed it.
    pub fn vote(&mut self, cast: &str) -> Result<(), EvidenceFault> {
        let Cast { vote, taken_at } = Cast::parse(cast)?;
        let Some(Followed::Open(kept)) = self.all.get_mut(&vote.escalation_id()) else {
            self.unchecked += 1;
            return Ok(());
        };
        let set = kept.escalation.terms().approval_set.as_ref();
        let member = set.and_then(|set| set.member(vote.approver()));
        let holds = member.is_some_and(|member| {
            vote.is_about(&kept.escalation) && vote.is_signed_by(&member.public_key)
        });
        if !holds {
            return Err(EvidenceFault::NotAMembers);
        }
        let cast = Cast { vote, taken_at };
        if !kept.casts.contains(&cast) {
            kept.casts.push(cast);
        }
        Ok(())
    }

    /// Takes the value of `decision` of a line `event: approval_decided` about the escalation `id`.
    ///
    /// How much time was measured is not in the log: where time may have decided, it is believed
    /// that it did.
    ///
    /// # Errors
    ///
    /// It is none, or does not follow from what was taken before.
    pub fn decided(&mut self, id: EscalationId, decision: &str) -> Result<(), EvidenceFault> {
        let digest = Digest::of(decision.as_bytes());
        let decision: Decision =
            serde_json::from_str(decision).map_err(|_says_no_more| EvidenceFault::Decision)?;
        let kept = match self.all.get(&id) {
            Some(Followed::Open(kept)) => kept,
            Some(Followed::Decided(_, before)) if *before == digest => return Ok(()),
            Some(Followed::Decided(..)) => return Err(EvidenceFault::DecidedTwice),
            None => {
                self.unchecked += 1;
                return Ok(());
            }
        };
        let terms = kept.escalation.terms();
        let by_time = matches!(
            decision.finalization_reason,
            Finalization::TimedOutApproved | Finalization::TimedOutRejected
        );
        let moment =
            Moment { wall: kept.escalation.created_at(), measured: by_time.then(|| terms.ttl()) };
        let history = History { casts: &kept.casts, ended: None };
        let verdict = tally(&Case::new(&kept.escalation, terms), &history, moment);
        if !decision.is(&verdict) {
            return Err(EvidenceFault::DoesNotFollow);
        }
        let followed = Followed::Decided(kept.escalation.digest(), digest);
        self.all.insert(id, followed);
        Ok(())
    }

    /// Takes one line about an approval: its `event`, its `escalation_id`, and the JSON of its member
    /// `escalation`, `cast` or `decision`.
    ///
    /// # Errors
    ///
    /// It does not hold, or its id is not that of what it is about.
    pub fn line(&mut self, event: &str, id: &str, about: &str) -> Result<(), EvidenceFault> {
        let id = id.parse().map_err(|_no_id| EvidenceFault::OtherId)?;
        match event {
            "approval_created" if Escalation::parse(about)?.id() == id => self.created(about),
            "approval_vote" if Cast::parse(about)?.vote.escalation_id() == id => self.vote(about),
            "approval_decided" => self.decided(id, about),
            "approval_created" | "approval_vote" => Err(EvidenceFault::OtherId),
            _ => Err(EvidenceFault::UnknownEvent),
        }
    }

    /// For a verifier of logs: takes the lines of one of them.
    #[expect(clippy::type_complexity, reason = "the verifier's name for it is a sibling's")]
    pub fn check() -> Box<dyn FnMut(&str, &str, &str) -> Result<(), String>> {
        let mut evidence = Self::default();
        Box::new(move |event, id, about| {
            evidence.line(event, id, about).map_err(|fault| fault.to_string())
        })
    }

    /// How many lines could not be checked: they are about escalations whose creation was not seen, or
    /// are votes on decided ones.
    pub fn unchecked(&self) -> u64 {
        self.unchecked
    }
}

impl Decision {
    fn is(&self, verdict: &Verdict) -> bool {
        verdict.finalization == Some(self.finalization_reason)
            && verdict.status == self.status
            && verdict.approvals == self.approvals
            && verdict.rejections == self.rejections
    }
}

/// As records have it; `finalization_reason` is null while nothing has decided.
impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut form = to.serialize_struct("Verdict", 4)?;
        form.serialize_field("approvals", &self.approvals)?;
        form.serialize_field("finalization_reason", &self.finalization)?;
        form.serialize_field("rejections", &self.rejections)?;
        form.serialize_field("status", &self.status)?;
        form.end()
    }
}
