use crate::approval::{ApprovalSet, Member, Strategy, Terms, TimeoutAction};
use crate::call::ToolRef;
use crate::policy::{self, ApprovalStrategy, EscalationTerms, Policy};

/// How long an approval may be given and used where the policy asks and says nothing more.
const USUAL_TTL: u64 = 3600;

/// The terms by which a call of this tool is decided, with the people as they are in the policy.
///
/// Where the policy asks and names no terms there are no people either, and the call is refused.
pub(super) fn terms(policy: &Policy, tool: ToolRef<'_>) -> Terms {
    let Some(terms) = policy.terms(tool) else { return nobody() };
    Terms {
        strategy: match terms.strategy {
            ApprovalStrategy::AutoAllow => Strategy::AutoAllow,
            ApprovalStrategy::SingleApprover => Strategy::SingleApprover,
            ApprovalStrategy::HumanQuorum => Strategy::HumanQuorum,
        },
        min_approvals: terms.min_approvals,
        min_rejections: terms.min_rejections,
        required_roles: terms.required_roles.clone(),
        veto_roles: terms.veto_roles.clone(),
        timeout_action: match terms.timeout_action {
            policy::TimeoutAction::AutoApprove => TimeoutAction::AutoApprove,
            policy::TimeoutAction::AutoReject => TimeoutAction::AutoReject,
        },
        ttl_seconds: seconds(terms),
        allow_unattended: terms.allow_unattended,
        approval_set_id: terms.approval_set_id.clone(),
        approval_set: policy.approvers(terms).map(people),
    }
}

/// Whole seconds, and at least one: an approval that could never be used would only look like one.
fn seconds(terms: &EscalationTerms) -> u64 {
    terms.ttl.as_secs().max(1)
}

fn people(set: &policy::ApprovalSet) -> ApprovalSet {
    let members = set.members.iter().map(|member| Member {
        id: member.id.clone(),
        roles: member.roles.clone(),
        public_key: member.public_key,
        principals: member.principals.clone(),
    });
    ApprovalSet { members: members.collect() }
}

fn nobody() -> Terms {
    Terms {
        strategy: Strategy::SingleApprover,
        min_approvals: 1,
        min_rejections: 1,
        required_roles: Vec::new(),
        veto_roles: Vec::new(),
        timeout_action: TimeoutAction::AutoReject,
        ttl_seconds: USUAL_TTL,
        allow_unattended: false,
        approval_set_id: None,
        approval_set: None,
    }
}
