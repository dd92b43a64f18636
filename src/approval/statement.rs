use super::escalation::Escalation;
use super::form;
use super::id::EscalationId;
use super::words::Choice;
use crate::canonical::{self, CanonicalError, Limits};
use crate::clock::Timestamp;
use crate::digest::Digest;
use serde::Serialize;

/// The first line of every statement. A line of the log begins with `{` and the second line of a
/// checkpoint is a number, so a signature of one kind is never one of another.
pub const FIRST_LINE: &str = "sec0/approval/v1\n";

/// What an approver signs: the decision on one escalation, and under which name and note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement<'a> {
    pub(super) approver: &'a str,
    #[serde(rename = "decision")]
    pub(super) choice: Choice,
    pub(super) escalation_id: EscalationId,
    #[serde(with = "form::digest")]
    pub(super) escalation_sha256: Digest,
    /// Of the note's text, which may be empty.
    #[serde(with = "form::digest")]
    pub(super) note_sha256: Digest,
    #[serde(rename = "ts_ms", with = "form::millis")]
    pub(super) at: Timestamp,
}

impl<'a> Statement<'a> {
    /// What `approver` says of `escalation` at this time.
    pub fn new(
        escalation: &Escalation,
        approver: &'a str,
        choice: Choice,
        at: Timestamp,
        note: &str,
    ) -> Self {
        Self {
            approver,
            choice,
            escalation_id: escalation.id(),
            escalation_sha256: escalation.digest(),
            note_sha256: Digest::of(note.as_bytes()),
            at,
        }
    }

    /// The bytes that are signed: [`FIRST_LINE`], and the rest in the form of RFC 8785.
    ///
    /// # Errors
    ///
    /// The approver's name is longer than any statement.
    pub fn bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        let mut bytes = FIRST_LINE.as_bytes().to_vec();
        canonical::append(&mut bytes, self, Limits::default())?;
        Ok(bytes)
    }
}
