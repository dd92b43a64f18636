use super::set::{ApprovalSet, Member};
use super::words::{Strategy, TimeoutAction};
use crate::call::Severity;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// By which rules an escalation is decided: the part of the policy that was in force for its tool,
/// with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a rule left out would decide by default")]
pub struct Terms {
    /// How it is decided.
    pub strategy: Strategy,
    /// How many must approve; counted by `human_quorum` alone, and 0 is 1.
    pub min_approvals: u32,
    /// How many must reject; counted by `human_quorum` alone, and 0 is 1.
    pub min_rejections: u32,
    /// The roles that must be among those who approve, each.
    pub required_roles: Vec<Box<str>>,
    /// The roles of which one rejection is enough.
    pub veto_roles: Vec<Box<str>>,
    /// What becomes of it when nobody decides.
    pub timeout_action: TimeoutAction,
    /// How long an approval may be given and used.
    pub ttl_seconds: u64,
    /// Whether a call may be approved that nobody has looked at.
    pub allow_unattended: bool,
    /// The name of the set.
    pub approval_set_id: Option<Box<str>>,
    /// The set; `None` where the name leads to none.
    pub approval_set: Option<ApprovalSet>,
}

impl Terms {
    /// How long an approval may be given and used.
    pub fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_seconds)
    }

    /// Whether a call this grave may be approved without anybody.
    pub fn may_be_unattended(&self, severity: Severity) -> bool {
        self.allow_unattended && severity < Severity::Critical
    }

    /// How many must approve.
    pub fn approvals(&self) -> usize {
        self.threshold(self.min_approvals)
    }

    /// How many must reject.
    pub fn rejections(&self) -> usize {
        self.threshold(self.min_rejections)
    }

    fn threshold(&self, of_quorum: u32) -> usize {
        match self.strategy {
            Strategy::HumanQuorum => usize::try_from(of_quorum).unwrap_or(usize::MAX).max(1),
            Strategy::SingleApprover | Strategy::AutoAllow => 1,
        }
    }

    /// Whether the approvals of `members` are enough.
    pub(super) fn suffices(&self, members: &[&Member]) -> bool {
        members.len() >= self.approvals()
            && self
                .required_roles
                .iter()
                .all(|role| members.iter().any(|member| member.roles.contains(role)))
    }

    /// Whether the members could approve a call of `principal`, if all of them wanted to.
    pub(super) fn is_attainable(&self, principal: &str) -> bool {
        let members = self.approval_set.iter().flat_map(|set| &set.members);
        let others: Vec<_> = members.filter(|member| !member.is(principal)).collect();
        self.suffices(&others)
    }
}
