use super::answer::Details;
use crate::approval::words::Status;
use crate::clock::Timestamp;
use std::fmt;
use std::time::Duration;

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the contract has these four")]
pub enum ResolutionStatus {
    /// It was approved.
    Approved,
    /// It was rejected.
    Rejected,
    /// Nobody decided before it ended.
    Expired,
    /// Nobody decided before whoever waited had waited long enough; it may still be decided.
    Timeout,
}

/// What came of waiting.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "the contract has these")]
pub struct Resolution {
    /// The escalation.
    pub escalation_id: Box<str>,
    /// How it ended.
    pub status: ResolutionStatus,
    /// The escalation as it was read last; `None` where there was none.
    pub details: Option<Details>,
    /// How the wait went.
    pub metadata: ResolutionMetadata,
}

/// How a wait went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the contract has these")]
pub struct ResolutionMetadata {
    /// How often the escalation was read.
    pub attempts: u64,
    /// How many readings in a row had failed before the last one.
    pub retry_count: u32,
    /// When the wait began.
    pub started_at: Timestamp,
    /// When it ended.
    pub resolved_at: Timestamp,
    /// How long it took, measured.
    pub elapsed: Duration,
    /// The last status that was read, as the backend spells it.
    pub last_known_status: Option<Box<str>>,
    /// Which rule decided, where the backend says so.
    pub finalization_reason: Option<Box<str>>,
}

impl ResolutionStatus {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Timeout => "timeout",
        }
    }

    /// What a backend's word means, blanks and capitals aside; `None` for every word that does not
    /// end a wait, and `timeout` is one of those.
    pub fn of_backend(word: &str) -> Option<Self> {
        let word = word.trim();
        let found = Status::ALL.iter().find(|one| one.as_str().eq_ignore_ascii_case(word))?;
        match found {
            Status::Pending => None,
            Status::Approved => Some(Self::Approved),
            Status::Rejected => Some(Self::Rejected),
            Status::Expired => Some(Self::Expired),
        }
    }
}

impl fmt::Display for ResolutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
