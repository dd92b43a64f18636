use super::binding::{Binding, CallKey};
use super::escalation::Escalation;
use super::id::EscalationId;
use super::moment::Moment;
use super::round::{NextRound, RoundId, TakenRound};
use super::shown::Shown;
use super::spend::{Presented, Unspendable};
use super::tally::{Uncounted, Verdict};
use super::terms::Terms;
use super::vote::{Cast, Vote};
use super::words::{Finalization, Status};
use crate::call::Severity;
use crate::clock::Timestamp;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// What a store answers, later.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Why a store cannot answer. A call that needs the answer is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It was closed.
    #[error("the store of approvals is closed")]
    Closed,
    /// The store itself failed.
    #[error("the store of approvals failed: {0}")]
    Failed(Box<str>),
    /// It holds as many escalations as it may.
    #[error("the store of approvals has no room; decide on what is pending, or let it expire")]
    Full,
    /// It did not answer in time.
    #[error("the store of approvals did not answer in time")]
    Slow,
}

/// Where escalations, votes and grants are kept.
///
/// A store keeps and orders; it is not believed. What it says of terms and status is for people to
/// read: whether a grant permits a call is worked out from the votes' signatures, by the terms that
/// whoever spends it brings along.
///
/// Each change of an escalation leaves a [`Line`] for the log in the same transaction, for the log
/// of the stream that asked, whichever process makes the change.
///
/// # Errors
///
/// A call that waits for an answer is refused when there is none: a store must rather fail than
/// guess.
pub trait ApprovalStore: fmt::Debug + Send + Sync {
    /// Keeps what is asked, or finds what was asked before: an escalation for the same call
    /// ([`Binding::call_key`]) that is neither spent nor over. It may be decided already: whoever was
    /// refused asks nobody else by asking again.
    ///
    /// What is decided with nobody's vote is decided here.
    ///
    /// # Cancel safety
    ///
    /// What is on its way is kept; the same call finds it again.
    fn ask(&self, asking: Arc<Asking>, now: Timestamp) -> Answer<Opened>;

    /// What is kept under this id; `None` where nothing is.
    fn read(&self, id: EscalationId) -> Answer<Option<Kept>>;

    /// Waits until the escalation has another version than `seen`. It never ends of itself where
    /// there is no such escalation, or nothing happens to it.
    ///
    /// # Cancel safety
    ///
    /// Dropping it stops the waiting.
    fn changed(&self, id: EscalationId, seen: u64) -> Answer<Kept>;

    /// Takes a vote, if it counts, and decides if it was enough: both by the terms that the
    /// escalation was created with. A vote that does not count is not kept.
    fn vote(&self, vote: Vote, now: Timestamp) -> Answer<Voted>;

    /// Looks whether time has decided, and keeps the end if it has. `None` where there is no such
    /// escalation.
    fn settle(&self, id: EscalationId, moment: Moment) -> Answer<Option<Kept>>;

    /// Spends the grant, if it permits what is presented: see [`spendable`](super::spendable). Of any
    /// number of callers in however many processes at most one is told so.
    ///
    /// # Cancel safety
    ///
    /// A grant that nobody was told of may be spent all the same.
    fn spend(
        &self,
        id: EscalationId,
        presentation: Arc<Presentation>,
        moment: Moment,
    ) -> Answer<Result<Spent, Unspendable>>;

    /// Keeps that this round may come. The most of them is [`NextRound::bounds`].
    fn expect_round(&self, id: RoundId, next: Arc<NextRound>, now: Timestamp) -> Answer<()>;

    /// Takes a round that may come, if it is for this call. Of any number of callers in however many
    /// processes at most one is given it.
    ///
    /// # Cancel safety
    ///
    /// A round that nobody was given may be taken all the same.
    fn take_round(&self, id: RoundId, call: CallKey, now: Timestamp) -> Answer<TakenRound>;

    /// The escalations of this stream that nothing has decided, and whose time is up by `now`: at most
    /// a hundred, in the order of [`Overdue`], behind the place `after`. Fewer are the last. One that
    /// cannot be read is left out, and said of in the program's own log.
    fn overdue(&self, stream: &str, after: Option<Overdue>, now: Timestamp) -> Answer<Vec<Kept>>;

    /// The lines that the log of this stream does not have yet, in order, behind the one with the
    /// number `after`: at most a hundred.
    fn lines(&self, stream: &str, after: u64) -> Answer<Vec<Line>>;

    /// The log of this stream has its lines up to this number for good.
    fn recorded(&self, stream: &str, up_to: u64) -> Answer<()>;

    /// Ends when another change than `seen` is the latest, by whichever process, and gives its number;
    /// 0 is before all of them. For whoever waits for lines: several layers may use one store, and each
    /// keeps its own number.
    fn stirred(&self, seen: u64) -> Answer<u64>;

    /// How many escalations nothing has decided; `None` where the store does not count them.
    fn pending(&self) -> Answer<Option<u64>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Whether what is kept survives the end of this process.
    fn is_durable(&self) -> bool;
}

/// What is asked, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store keeps all of it")]
pub struct Asking {
    /// The question.
    pub escalation: Escalation,
    /// What approvers are shown.
    pub shown: Shown,
    /// The stream of the log that records what becomes of it; empty for the one without a name.
    pub stream: Box<str>,
}

/// An escalation as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every store fills in all of it")]
pub struct Kept {
    /// The question.
    pub escalation: Arc<Escalation>,
    /// The votes, in the order in which they were taken.
    pub casts: Vec<Cast>,
    /// How it ended, as the store has it; `None` while nothing has decided.
    pub ended: Option<Finalization>,
    /// When its grant was spent.
    pub spent_at: Option<Timestamp>,
    /// Another number after each change.
    pub version: u64,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every store fills in all of it")]
pub struct Opened {
    /// The escalation: the one that was brought, or the one that was there.
    pub kept: Kept,
    /// True for the one that was brought.
    pub is_new: bool,
}

/// What came of a vote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever votes is told each in its own words")]
pub enum Voted {
    /// It counts.
    Counted(Kept),
    /// It does not, and was not kept.
    Not(Uncounted),
    /// There is no such escalation.
    NotFound,
}

/// A call that presents a grant, for a store to hold on to: [`Presented`] with its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a part left out would not be compared")]
pub struct Presentation {
    /// The call.
    pub binding: Binding,
    /// The terms that today's policy has for it.
    pub terms: Terms,
    /// How grave it is.
    pub severity: Severity,
}

/// A grant that was spent just now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every store fills in all of it")]
pub struct Spent {
    /// The escalation behind it.
    pub kept: Kept,
    /// What permitted the call.
    pub verdict: Verdict,
}

/// One line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every store fills in all of it")]
pub struct Line {
    /// Its number among all lines of the store: they grow.
    pub number: u64,
    /// What it is about.
    pub id: EscalationId,
    /// When that happened.
    pub at: Timestamp,
    /// What happened.
    pub about: LineAbout,
    /// The value of the line's member about it, in the form of RFC 8785: the escalation, the cast, or
    /// the decision.
    pub body: Box<str>,
}

/// The place of an escalation among those whose time is up: when it was, then the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a store looks behind both")]
pub struct Overdue {
    /// When its time was up.
    pub since: Timestamp,
    /// Which one it is.
    pub id: EscalationId,
}

/// What a line for the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the log has a line for each")]
pub enum LineAbout {
    /// `approval_created`.
    Created,
    /// `approval_vote`.
    Voted,
    /// `approval_decided`.
    Decided {
        /// True where the call may be made.
        granted: bool,
    },
}

impl Kept {
    /// Its place among those whose time is up.
    pub fn overdue(&self) -> Overdue {
        Overdue { since: self.escalation.expires_at(), id: self.escalation.id() }
    }

    /// What has become of it, as the store has it.
    pub fn status(&self) -> Status {
        self.ended.map_or(Status::Pending, Finalization::status)
    }
}

impl Asking {
    /// How many bytes it takes in a store, before anybody votes.
    pub fn bytes(&self) -> u64 {
        let len = self.escalation.canonical().len().saturating_add(self.shown.text.len());
        u64::try_from(len).unwrap_or(u64::MAX)
    }
}

impl Presentation {
    /// Its parts, to be judged.
    pub fn presented(&self) -> Presented<'_> {
        Presented { binding: &self.binding, terms: &self.terms, severity: self.severity }
    }
}
