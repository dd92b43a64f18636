use super::automaton::MAX_VOTES;
use super::escalation::{Escalation, NotAnEscalation};
use super::id::EscalationId;
use super::moment::Moment;
use super::tally::{Case, History, Verdict, tally};
use super::vote::{Cast, NotAVote};
use super::words::{Finalization, Status};
use crate::digest::Digest;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{BTreeMap, VecDeque};

/// Follows the approvals in a log from line to line: whether every vote was signed by a member of
/// the set that its escalation was created with, and whether every decision follows from the votes
/// before it.
///
/// A line may stand twice, word for word: a program that ends before it knows that its lines are
/// durable writes them again at its next start. The second says nothing new.
///
/// A log whose oldest days are gone may begin behind a creation. What is about such an escalation
/// cannot be checked, and is counted: see [`Evidence::unchecked`]. So is what comes late about one of
/// very many that nothing decides: 16,384 of them or 64 MiB are kept in memory, the newest, and of
/// 262,144 others what they were.
#[derive(Debug)]
pub struct Evidence {
    all: BTreeMap<EscalationId, Followed>,
    /// Those that are followed, in the order of their creation, and what they take.
    open: BTreeMap<u64, EscalationId>,
    bytes: usize,
    /// The others, in the order in which that came to be.
    closed: VecDeque<EscalationId>,
    created: u64,
    unchecked: u64,
    bounds: Bounds,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    open: usize,
    bytes: usize,
    closed: usize,
}

/// How far an escalation has been followed.
#[derive(Debug)]
enum Followed {
    Open(Box<Kept>),
    /// What comes later changes nothing. The digests are those of the escalation and the decision.
    Decided(Digest, Digest),
    /// It was given up to make room: this escalation it was.
    GivenUp(Digest),
}

#[derive(Debug)]
struct Kept {
    escalation: Escalation,
    casts: Vec<Cast>,
    number: u64,
    bytes: usize,
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

impl Default for Evidence {
    fn default() -> Self {
        Self::within(Bounds { open: 16_384, bytes: 64 << 20, closed: 262_144 })
    }
}

impl Evidence {
    fn within(bounds: Bounds) -> Self {
        Self {
            all: BTreeMap::new(),
            open: BTreeMap::new(),
            bytes: 0,
            closed: VecDeque::new(),
            created: 0,
            unchecked: 0,
            bounds,
        }
    }

    #[cfg(test)]
    pub(super) fn of_at_most(open: usize, bytes: usize, closed: usize) -> Self {
        Self::within(Bounds { open, bytes, closed })
    }

    /// Takes the value of `escalation` of a line `event: approval_created`.
    ///
    /// # Errors
    ///
    /// It is none, or another one was there before under its id.
    pub fn created(&mut self, escalation: &str) -> Result<(), EvidenceFault> {
        let escalation = Escalation::parse(escalation)?;
        let (id, digest) = (escalation.id(), escalation.digest());
        let was = match self.all.get(&id) {
            None => {
                let bytes = escalation.canonical().len();
                let number = self.created;
                let kept = Kept { casts: Vec::new(), escalation, number, bytes };
                self.created += 1;
                self.bytes += bytes;
                self.open.insert(number, id);
                self.all.insert(id, Followed::Open(Box::new(kept)));
                self.make_room();
                return Ok(());
            }
            Some(Followed::Open(before)) => before.escalation.digest(),
            Some(Followed::Decided(escalation, _) | Followed::GivenUp(escalation)) => *escalation,
        };
        if was == digest { Ok(()) } else { Err(EvidenceFault::CreatedTwice) }
    }

    /// Takes the value of `cast` of a line `event: approval_vote`.
    ///
    /// # Errors
    ///
    /// It is none, or none of the escalation's people signed it.
    pub fn vote(&mut self, cast: &str) -> Result<(), EvidenceFault> {
        let bytes = cast.len();
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
        if kept.casts.contains(&cast) {
            return Ok(());
        }
        // A store takes no more.
        if kept.casts.len() >= MAX_VOTES {
            self.unchecked += 1;
            return Ok(());
        }
        kept.casts.push(cast);
        kept.bytes += bytes;
        self.bytes += bytes;
        self.make_room();
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
            Some(Followed::GivenUp(_)) | None => {
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
        self.close(id, followed);
        Ok(())
    }

    /// Gives up the oldest of those that nothing has decided, until the rest fits.
    fn make_room(&mut self) {
        while self.open.len() > self.bounds.open || self.bytes > self.bounds.bytes {
            let Some((_, id)) = self.open.first_key_value() else { return };
            let id = *id;
            let Some(Followed::Open(kept)) = self.all.get(&id) else { return };
            let followed = Followed::GivenUp(kept.escalation.digest());
            self.close(id, followed);
        }
    }

    /// Keeps no more of it than this, and nothing of the oldest beyond the bound.
    fn close(&mut self, id: EscalationId, followed: Followed) {
        if let Some(Followed::Open(kept)) = self.all.insert(id, followed) {
            self.open.remove(&kept.number);
            self.bytes = self.bytes.saturating_sub(kept.bytes);
        }
        self.closed.push_back(id);
        if self.closed.len() > self.bounds.closed
            && let Some(oldest) = self.closed.pop_front()
        {
            self.all.remove(&oldest);
        }
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

    /// For a verifier of logs: takes the lines of one of them, and says how many of them could not be
    /// checked so far.
    #[expect(clippy::type_complexity, reason = "the verifier's name for it is a sibling's")]
    pub fn check() -> Box<dyn FnMut(&str, &str, &str) -> Result<u64, String>> {
        let mut evidence = Self::default();
        Box::new(move |event, id, about| {
            evidence.line(event, id, about).map_err(|fault| fault.to_string())?;
            Ok(evidence.unchecked())
        })
    }

    /// How many lines could not be checked: they are about escalations whose creation was not seen or
    /// was too long ago, or are votes on decided ones.
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
