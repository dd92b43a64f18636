use super::binding::Binding;
use super::escalation::Escalation;
use super::moment::Moment;
use super::tally::{Case, History, Verdict, tally};
use super::terms::Terms;
use super::words::{Finalization, Status};
use crate::call::{Reason, Severity};

/// The call that presents a grant, as it is judged now.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a part left out would not be compared")]
pub struct Presented<'a> {
    /// The call.
    pub binding: &'a Binding,
    /// The terms that today's policy has for it.
    pub terms: &'a Terms,
    /// How grave it is.
    pub severity: Severity,
}

/// Why a grant does not permit a call. The record has the reason; the caller is told
/// `approval_invalid` and no more, so that a token found or guessed says nothing of what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Unspendable {
    /// There is no such escalation.
    Unknown,
    /// It is another caller's, or another tenant's.
    OtherPrincipal,
    /// It is for another server, tool or version, or the tool's definition has changed.
    OtherTool,
    /// The arguments are others.
    OtherArguments,
    /// The policy has changed, or the stored terms are not those of the policy.
    OtherPolicy,
    /// It has been spent.
    Spent,
    /// It was approved, and the time in which it could be used is up.
    Expired,
    /// It was not approved: this is what has become of it.
    NotApproved(Status),
}

/// Whether `escalation`, with this history, permits the call that is presented: the decision is
/// worked out from the votes, by the terms of today's policy. `is_spent` is what the store says of
/// an earlier use; whoever acts on the answer marks it spent in the same transaction.
///
/// What votes approved can be used until the escalation expires, what time approved for as long
/// again.
///
/// # Errors
///
/// It does not, and why: the first thing that is wrong, in the order of [`Unspendable`].
pub fn spendable(
    escalation: Option<&Escalation>,
    history: &History<'_>,
    presented: &Presented<'_>,
    moment: Moment,
    is_spent: bool,
) -> Result<Verdict, Unspendable> {
    let escalation = escalation.ok_or(Unspendable::Unknown)?;
    is_for(escalation, presented)?;
    if is_spent {
        return Err(Unspendable::Spent);
    }
    let Presented { terms, severity, .. } = *presented;
    let verdict = tally(&Case { escalation, terms, severity }, history, moment);
    if verdict.status != Status::Approved {
        return Err(Unspendable::NotApproved(verdict.status));
    }
    let times = if verdict.finalization == Some(Finalization::TimedOutApproved) { 2 } else { 1 };
    if moment.is_past(escalation, terms.ttl().saturating_mul(times)) {
        return Err(Unspendable::Expired);
    }
    Ok(verdict)
}

/// Whether it is for this call, and asked by this policy.
fn is_for(escalation: &Escalation, presented: &Presented<'_>) -> Result<(), Unspendable> {
    let Binding { tenant, server, tool, definition, arguments, principal, policy } =
        escalation.binding();
    let now = presented.binding;
    if (tenant, principal) != (&now.tenant, &now.principal) {
        return Err(Unspendable::OtherPrincipal);
    }
    if (server, tool, definition) != (&now.server, &now.tool, &now.definition) {
        return Err(Unspendable::OtherTool);
    }
    if *arguments != now.arguments {
        return Err(Unspendable::OtherArguments);
    }
    if *policy != now.policy || escalation.terms() != presented.terms {
        return Err(Unspendable::OtherPolicy);
    }
    Ok(())
}

impl Unspendable {
    /// The reason in the record.
    pub fn reason(self) -> Reason {
        match self {
            Self::Unknown => Reason::ApprovalUnknown,
            Self::OtherPrincipal => Reason::ApprovalOtherPrincipal,
            Self::OtherTool => Reason::ApprovalOtherTool,
            Self::OtherArguments => Reason::ApprovalOtherArguments,
            Self::OtherPolicy => Reason::ApprovalOtherPolicy,
            Self::Spent => Reason::ApprovalSpent,
            Self::Expired | Self::NotApproved(Status::Expired) => Reason::ApprovalExpired,
            Self::NotApproved(Status::Rejected) => Reason::ApprovalRejected,
            Self::NotApproved(Status::Pending | Status::Approved) => Reason::ApprovalPending,
        }
    }
}
