use crate::call::Severity;
use std::fmt;
use std::time::Duration;

/// How a call is asked about: `human_escalation`, or an entry of its `tools`, with every field
/// resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EscalationTerms {
    /// Where they stand in the policy, such as `security.side_effects.human_escalation.tools[0]`.
    pub scope: Box<str>,
    /// How many decide.
    pub strategy: ApprovalStrategy,
    /// What becomes of a call that nobody decided on. For a reason of critical severity
    /// [`EscalationTerms::on_timeout`] says another.
    pub timeout_action: TimeoutAction,
    /// How many must approve; at least 1.
    pub min_approvals: u32,
    /// How many rejections refuse; at least 1.
    pub min_rejections: u32,
    /// The roles that must be among those who approve, each once.
    pub required_roles: Vec<Box<str>>,
    /// The roles of which one rejection refuses, each once.
    pub veto_roles: Vec<Box<str>>,
    /// The set of people who decide. One that is named is in the policy.
    pub approval_set_id: Option<Box<str>>,
    /// The member of the set as whom the user at the other end of the connection votes; `None` where
    /// that user is not asked.
    pub connected_user: Option<Box<str>>,
    /// How long a call is held for a decision; zero refuses it at once, with the id.
    pub wait: Duration,
    /// How long an approval may be given and used.
    pub ttl: Duration,
    /// Whether a call may run with nobody's approval.
    pub allow_unattended: bool,
}

/// How many decide: `approval_strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the three are fixed by the contract")]
pub enum ApprovalStrategy {
    /// Nobody: the call runs, and is recorded as such.
    AutoAllow,
    /// One person.
    SingleApprover,
    /// As many as `min_approvals` says.
    HumanQuorum,
}

/// What becomes of a call that nobody decided on: `timeout_action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the two are fixed by the contract")]
pub enum TimeoutAction {
    /// It may run.
    AutoApprove,
    /// It is refused.
    AutoReject,
}

impl EscalationTerms {
    /// What becomes of a call that nobody decided on: where it is asked about for a reason of
    /// critical severity, no silence approves it.
    pub fn on_timeout(&self, severity: Severity) -> TimeoutAction {
        if severity == Severity::Critical { TimeoutAction::AutoReject } else { self.timeout_action }
    }

    /// Whether a call may run by these terms although no person approved it.
    pub fn may_run_unattended(&self) -> bool {
        self.strategy == ApprovalStrategy::AutoAllow
            || self.timeout_action == TimeoutAction::AutoApprove
    }
}

impl ApprovalStrategy {
    pub(in crate::policy) const WORDS: &'static [&'static str] =
        &["auto_allow", "single_approver", "human_quorum"];

    /// The spelling in policies and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AutoAllow => "auto_allow",
            Self::SingleApprover => "single_approver",
            Self::HumanQuorum => "human_quorum",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let all = [Self::AutoAllow, Self::SingleApprover, Self::HumanQuorum];
        all.into_iter().find(|one| one.as_str() == text)
    }
}

impl TimeoutAction {
    /// The spelling in policies and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AutoApprove => "auto_approve",
            Self::AutoReject => "auto_reject",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::AutoApprove, Self::AutoReject].into_iter().find(|one| one.as_str() == text)
    }
}

impl fmt::Display for ApprovalStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for TimeoutAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
