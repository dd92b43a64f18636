//! What an event does to an escalation: from what is kept and what happens to what is to be kept
//! and the lines about it. Stores only load and save.

use super::moment::Moment;
use super::spend::{Unspendable, spendable};
use super::store::{Asking, Kept, LineAbout, Presentation};
use super::tally::{Case, History, Uncounted, Verdict, tally};
use super::vote::{Cast, Vote};
use super::words::{Finalization, Status};
use crate::canonical::{self, CanonicalError, Limits};
use crate::clock::Timestamp;
use serde::Serialize;
use std::sync::Arc;

/// The most votes that are kept of one escalation.
pub const MAX_VOTES: usize = 1000;

/// What an event changes. A store saves all of it at once, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a part left out would not be saved")]
pub struct Change {
    /// The vote that was taken.
    pub cast: Option<Cast>,
    /// The end that it came to.
    pub ended: Option<Finalization>,
    /// What the log gets, in order.
    pub lines: Vec<NewLine>,
}

/// A line for the log that has no number yet: see [`Line`](super::Line).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a part left out would not be recorded")]
pub struct NewLine {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub about: LineAbout,
    /// The value of the line's member about it, in the form of RFC 8785.
    pub body: Box<str>,
}

/// What came of a vote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store acts on both")]
pub struct Taken {
    /// Why the vote does not count; `None` where it does.
    pub why_not: Option<Uncounted>,
    /// What is to be saved. A vote that comes too late may still bring the end that time has made.
    pub change: Change,
}

/// Asks: what is kept at first, with the version 0, and its lines. What needs nobody's vote is
/// decided.
///
/// # Errors
///
/// A line cannot be written.
pub fn opened(asking: &Asking, now: Timestamp) -> Result<(Kept, Vec<NewLine>), CanonicalError> {
    let escalation = Arc::new(asking.escalation.clone());
    let body = escalation.canonical().into();
    let mut lines = vec![NewLine { at: now, about: LineAbout::Created, body }];
    let mut kept = Kept { escalation, casts: Vec::new(), ended: None, spent_at: None, version: 0 };
    if let Some(change) = settled(&kept, Moment::at(now))? {
        kept.apply(&change);
        lines.extend(change.lines);
    }
    Ok((kept, lines))
}

/// Votes, by the terms that the escalation was created with. A decision, once kept, stays.
///
/// # Errors
///
/// A line cannot be written.
pub fn voted(kept: &Kept, vote: Vote, now: Timestamp) -> Result<Taken, CanonicalError> {
    let not = |why| Taken { why_not: Some(why), change: Change::default() };
    if kept.ended.is_some() {
        return Ok(not(Uncounted::Decided));
    }
    if kept.casts.len() >= MAX_VOTES {
        return Ok(not(Uncounted::TooMany));
    }
    let cast = Cast { vote, taken_at: now };
    let mut casts = kept.casts.clone();
    casts.push(cast.clone());
    let verdict = judge(kept, &casts, Moment::at(now));
    if let Some(why) = verdict.uncounted.last().copied().flatten() {
        let change = settled(kept, Moment::at(now))?.unwrap_or_default();
        return Ok(Taken { why_not: Some(why), change });
    }
    let about = LineAbout::Voted;
    let mut lines = vec![NewLine { at: now, about, body: body(&cast)? }];
    lines.extend(decided(&verdict, now)?);
    let change = Change { cast: Some(cast), ended: verdict.finalization, lines };
    Ok(Taken { why_not: None, change })
}

/// Lets time decide. `None` where nothing changes.
///
/// # Errors
///
/// A line cannot be written.
pub fn settled(kept: &Kept, moment: Moment) -> Result<Option<Change>, CanonicalError> {
    if kept.ended.is_some() {
        return Ok(None);
    }
    let verdict = judge(kept, &kept.casts, moment);
    let Some(line) = decided(&verdict, moment.wall)? else { return Ok(None) };
    Ok(Some(Change { cast: None, ended: verdict.finalization, lines: vec![line] }))
}

/// Whether the grant permits what is presented; whoever is told so marks it spent at once.
///
/// # Errors
///
/// It does not, and why.
pub fn spent(
    kept: Option<&Kept>,
    presentation: &Presentation,
    moment: Moment,
) -> Result<Verdict, Unspendable> {
    let history = kept
        .map_or_else(History::default, |kept| History { casts: &kept.casts, ended: kept.ended });
    let is_spent = kept.is_some_and(|kept| kept.spent_at.is_some());
    let escalation = kept.map(|kept| &*kept.escalation);
    spendable(escalation, &history, &presentation.presented(), moment, is_spent)
}

impl Kept {
    /// From when on asking for the same call asks anew.
    ///
    /// What time approves can be used for as long again, and so it is there for as long.
    pub fn over_at(&self) -> Timestamp {
        let escalation = &*self.escalation;
        let is_by_votes = self.ended.is_some_and(|ended| {
            ended.status() == Status::Approved && ended != Finalization::TimedOutApproved
        });
        let end = escalation.expires_at().as_millis();
        if is_by_votes || !Case::new(escalation, escalation.terms()).time_approves() {
            return Timestamp::from_millis(end);
        }
        let ttl = end.saturating_sub(escalation.created_at().as_millis());
        Timestamp::from_millis(end.saturating_add(ttl))
    }

    /// True when whoever asks for the same call is given this one.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.spent_at.is_none() && self.status() != Status::Expired && now < self.over_at()
    }

    /// True when it can go before it is over, if there is no room: it permits nothing any more, and
    /// whoever asks for the same call asks anew, or is answered the same by nobody.
    ///
    /// What people have rejected is not: they would be asked again.
    pub fn is_done_with(&self) -> bool {
        let by_nobody = matches!(
            self.ended,
            Some(
                Finalization::UnattendedRefused
                    | Finalization::NoApproversConfigured
                    | Finalization::TimedOutRejected
            )
        );
        self.spent_at.is_some() || by_nobody
    }

    /// Takes the change, all but the version.
    pub fn apply(&mut self, change: &Change) {
        self.casts.extend(change.cast.clone());
        self.ended = self.ended.or(change.ended);
    }
}

fn judge(kept: &Kept, casts: &[Cast], moment: Moment) -> Verdict {
    let case = Case::new(&kept.escalation, kept.escalation.terms());
    tally(&case, &History { casts, ended: kept.ended }, moment)
}

fn decided(verdict: &Verdict, at: Timestamp) -> Result<Option<NewLine>, CanonicalError> {
    if verdict.finalization.is_none() {
        return Ok(None);
    }
    let about = LineAbout::Decided { granted: verdict.status == Status::Approved };
    Ok(Some(NewLine { at, about, body: body(verdict)? }))
}

fn body<T: Serialize>(value: &T) -> Result<Box<str>, CanonicalError> {
    let mut bytes = Vec::new();
    canonical::append(&mut bytes, value, Limits::default())?;
    let text = String::from_utf8(bytes).map_err(|_json_is_text| CanonicalError::TooLong)?;
    Ok(text.into())
}
