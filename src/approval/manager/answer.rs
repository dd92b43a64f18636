use crate::approval::words::Choice;
use crate::clock::Timestamp;
use std::error::Error;
use std::pin::Pin;

/// Why a backend has no answer, in its own words. They are shown, so they must hold no secret.
pub type BackendError = Box<dyn Error + Send + Sync>;

/// What a backend answers, later.
pub type BackendAnswer<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// An escalation that a backend has opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every backend fills in all of it")]
pub struct Created {
    /// Its name there; a blank one is none.
    pub id: Box<str>,
    /// What has become of it, in the backend's spelling.
    pub status: Box<str>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was opened.
    pub created_at: Option<Timestamp>,
    /// What the one who asked may be told.
    pub requester_status_message: Option<Box<str>>,
}

/// An escalation as a backend has it.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "every backend fills in all of it")]
pub struct Details {
    /// Its name there.
    pub id: Box<str>,
    /// `approved`, `rejected` and `expired` end a wait, in capitals too; every other word is not
    /// decided.
    pub status: Box<str>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was opened.
    pub created_at: Option<Timestamp>,
    /// When it was decided.
    pub resolved_at: Option<Timestamp>,
    /// What the one who asked may be told.
    pub requester_status_message: Option<Box<str>>,
    /// Which rule decided.
    pub finalization_reason: Option<Box<str>>,
    /// Whatever else the backend keeps.
    pub metadata: Option<serde_json::Value>,
    /// Another number after each change, where the backend counts them.
    pub version: Option<u64>,
}

/// A decision for a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "every backend must know all of it")]
pub struct Resolve {
    /// The escalation.
    pub id: Box<str>,
    /// What is decided.
    pub action: Choice,
    /// Why, for whoever reads it later.
    pub notes: Option<Box<str>>,
    /// On whose behalf; the manager fills in its own where there is none.
    pub tenant: Option<Box<str>>,
}
