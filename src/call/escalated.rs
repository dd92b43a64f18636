use std::fmt;

/// What has become of the question whether a call may be made, as its reply and its record say it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Escalated {
    /// The id of the escalation, in its spelling on the wire.
    pub id: Box<str>,
    /// How far it has come.
    pub status: EscalationStatus,
    /// Which rule decided; `None` while nothing has.
    pub finalization: Option<&'static str>,
    /// Why it could not be reported to where else it was to be reported.
    pub error: Option<Box<str>>,
}

/// How far an escalation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a reader of the log must know all of them")]
pub enum EscalationStatus {
    /// Nothing has decided it.
    Pending,
    /// The call may be made, once.
    Approved,
    /// It may not.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// Nothing has decided it while the call waited. It may still be decided.
    Timeout,
}

impl Escalated {
    /// The escalation `id` has come so far.
    pub fn new(id: impl fmt::Display, status: EscalationStatus) -> Self {
        Self { id: id.to_string().into(), status, finalization: None, error: None }
    }

    /// The same, decided by this rule.
    #[must_use]
    pub fn decided_by(mut self, rule: Option<&'static str>) -> Self {
        self.finalization = rule;
        self
    }

    /// The same, which could not be reported for this reason.
    #[must_use]
    pub fn with_error(mut self, error: Option<Box<str>>) -> Self {
        self.error = error;
        self
    }
}

impl EscalationStatus {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Timeout => "timeout",
        }
    }
}
