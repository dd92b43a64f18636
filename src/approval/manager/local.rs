use super::answer::{BackendAnswer, Details, Resolve};
use super::backend::EscalationResolver;
use crate::approval::id::EscalationId;
use crate::approval::store::{ApprovalStore, Kept};
use std::sync::Arc;

/// The escalations of a local store, to be read and waited for like those of any other backend.
///
/// Deciding needs a vote that an approver signs: `sec0 approvals approve` or `reject`. What is read
/// here is for people; whether a call may be made is worked out from the votes.
#[derive(Debug, Clone)]
pub struct LocalApprovals(Arc<dyn ApprovalStore>);

/// Why the local store takes no decision without a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a vote needs the key of an approver; vote with `sec0 approvals approve` or \
     `sec0 approvals reject`"
)]
struct NeedsAKey;

impl LocalApprovals {
    /// The escalations that `store` keeps.
    pub fn new(store: Arc<dyn ApprovalStore>) -> Self {
        Self(store)
    }
}

impl EscalationResolver for LocalApprovals {
    fn get<'a>(
        &'a self,
        id: &'a str,
        tenant: Option<&'a str>,
    ) -> BackendAnswer<'a, Option<Details>> {
        Box::pin(async move {
            // A text that is no id names no escalation.
            let Ok(id) = id.parse::<EscalationId>() else { return Ok(None) };
            let kept = self.0.read(id).await?;
            let is_theirs = |kept: &Kept| {
                tenant.is_none_or(|tenant| *tenant == *kept.escalation.binding().tenant)
            };
            Ok(kept.filter(is_theirs).map(|kept| details(&kept)))
        })
    }

    fn resolve(&self, decision: Resolve) -> Option<BackendAnswer<'_, Option<Details>>> {
        drop(decision);
        Some(Box::pin(async { Err(NeedsAKey.into()) }))
    }

    fn changed<'a>(&'a self, seen: &'a Details) -> Option<BackendAnswer<'a, ()>> {
        let (id, version) = (seen.id.parse().ok()?, seen.version?);
        let changed = self.0.changed(id, version);
        Some(Box::pin(async { Ok(changed.await.map(drop)?) }))
    }
}

fn details(kept: &Kept) -> Details {
    let escalation = &kept.escalation;
    Details {
        id: escalation.id().to_string().into(),
        status: kept.status().as_str().into(),
        expires_at: Some(escalation.expires_at()),
        created_at: Some(escalation.created_at()),
        finalization_reason: kept.ended.map(|ended| ended.as_str().into()),
        version: Some(kept.version),
        ..Details::default()
    }
}
