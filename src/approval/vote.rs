use super::escalation::{Escalation, MAX_EXACT};
use super::form;
use super::id::EscalationId;
use super::statement::Statement;
use super::words::Choice;
use crate::canonical::{self, Limits};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::sign::{PublicKey, Signature, verify};
use serde::{Deserialize, Serialize};

/// The most bytes of a note.
pub const MAX_NOTE: usize = 1024;

const MAX_VOTE: usize = 16 * 1024;
const MAX_APPROVER: usize = 128;

/// A statement with its signature: evidence that can be checked as long as the escalation and the
/// approver's public key are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    approver: Box<str>,
    #[serde(rename = "decision")]
    choice: Choice,
    escalation_id: EscalationId,
    #[serde(with = "form::digest")]
    escalation_sha256: Digest,
    note: Box<str>,
    #[serde(with = "form::signature")]
    sig: Signature,
    #[serde(rename = "ts_ms", with = "form::millis")]
    at: Timestamp,
}

/// A vote, and when the store took it. The order in which votes were taken is the order in which
/// they count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a store keeps both parts")]
pub struct Cast {
    /// The vote.
    pub vote: Vote,
    /// When it was taken, on the wall clock of the machine with the store.
    #[serde(rename = "taken_at_ms", with = "form::millis")]
    pub taken_at: Timestamp,
}

/// Why something is no vote. It never holds a part of what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAVote {
    /// The name of the approver.
    #[error("the name of an approver has 1 to {MAX_APPROVER} bytes")]
    Approver,
    /// The note.
    #[error("the note has more than {MAX_NOTE} bytes; shorten it")]
    Note,
    /// The time.
    #[error("the time of the vote is none that JSON can write exactly; set the clock")]
    Time,
    /// The whole.
    #[error("the vote has more than {MAX_VOTE} bytes")]
    TooLong,
    /// No JSON, or other members.
    #[error("the vote is not in the form that sec0 writes, at line {line}, column {column}")]
    Form {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// Another text for the same value.
    #[error("the vote is not in its canonical form")]
    NotCanonical,
}

impl Cast {
    /// Reads the canonical form, as records have it.
    ///
    /// # Errors
    ///
    /// It is anything else.
    pub fn parse(text: &str) -> Result<Self, NotAVote> {
        if text.len() > MAX_VOTE {
            return Err(NotAVote::TooLong);
        }
        let cast: Self = serde_json::from_str(text)
            .map_err(|error| NotAVote::Form { line: error.line(), column: error.column() })?;
        cast.vote.is_within_bounds()?;
        if canonical_of(&cast)? == text { Ok(cast) } else { Err(NotAVote::NotCanonical) }
    }
}

impl Vote {
    /// The vote that is `statement` with the note whose digest it holds, signed so. Whether the
    /// signature holds is seen by [`Vote::is_signed_by`].
    ///
    /// # Errors
    ///
    /// The name or the note is too long, there is no name, or the time cannot be written.
    pub fn new(statement: &Statement<'_>, note: &str, sig: Signature) -> Result<Self, NotAVote> {
        let vote = Self {
            approver: statement.approver.into(),
            choice: statement.choice,
            escalation_id: statement.escalation_id,
            escalation_sha256: statement.escalation_sha256,
            note: note.into(),
            sig,
            at: statement.at,
        };
        vote.is_within_bounds().map(|()| vote)
    }

    /// Reads the canonical form.
    ///
    /// # Errors
    ///
    /// It is anything but the text that [`Vote::canonical`] gives.
    pub fn parse(text: &str) -> Result<Self, NotAVote> {
        if text.len() > MAX_VOTE {
            return Err(NotAVote::TooLong);
        }
        let vote: Self = serde_json::from_str(text)
            .map_err(|error| NotAVote::Form { line: error.line(), column: error.column() })?;
        vote.is_within_bounds()?;
        if vote.canonical()? == text { Ok(vote) } else { Err(NotAVote::NotCanonical) }
    }

    /// The form of RFC 8785: what stores keep and records hold.
    ///
    /// # Errors
    ///
    /// It is too long, which a vote that could be made is not.
    pub fn canonical(&self) -> Result<String, NotAVote> {
        canonical_of(self)
    }

    /// Who says that he votes.
    pub fn approver(&self) -> &str {
        &self.approver
    }

    /// What he says.
    pub fn choice(&self) -> Choice {
        self.choice
    }

    /// On which escalation.
    pub fn escalation_id(&self) -> EscalationId {
        self.escalation_id
    }

    /// In which words besides.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// When, as he says.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// True when it is about `escalation` exactly as it stands here.
    pub fn is_about(&self, escalation: &Escalation) -> bool {
        self.escalation_id == escalation.id() && self.escalation_sha256 == escalation.digest()
    }

    /// True when whoever has `key` signed exactly this.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let statement = Statement {
            approver: &self.approver,
            choice: self.choice,
            escalation_id: self.escalation_id,
            escalation_sha256: self.escalation_sha256,
            note_sha256: Digest::of(self.note.as_bytes()),
            at: self.at,
        };
        statement.bytes().is_ok_and(|bytes| verify(key, &bytes, &self.sig).is_ok())
    }

    fn is_within_bounds(&self) -> Result<(), NotAVote> {
        if !(1..=MAX_APPROVER).contains(&self.approver.len()) {
            return Err(NotAVote::Approver);
        }
        if self.note.len() > MAX_NOTE {
            return Err(NotAVote::Note);
        }
        // Written inexactly it would be another time than the one that was signed.
        if !(0..=MAX_EXACT).contains(&self.at.as_millis()) {
            return Err(NotAVote::Time);
        }
        Ok(())
    }
}

fn canonical_of<T: Serialize>(value: &T) -> Result<String, NotAVote> {
    let mut bytes = Vec::new();
    let limits = Limits { max_len: MAX_VOTE, ..Limits::default() };
    canonical::append(&mut bytes, value, limits).map_err(|_only_length| NotAVote::TooLong)?;
    String::from_utf8(bytes).map_err(|_json_is_text| NotAVote::NotCanonical)
}
