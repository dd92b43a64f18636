use crate::approval::{EscalationId, Said};
use crate::clock::Timestamp;
use crate::policy::Policy;
use crate::sign::PublicKey;
use std::pin::Pin;
use std::time::Duration;

/// The longest that a call is held for nothing but the answer of the connected user.
pub(super) const FOR_THE_USER: Duration = Duration::from_mins(10);

/// What the connected user will say.
pub(super) type Answering = Pin<Box<dyn Future<Output = Said> + Send>>;

/// That a call may be made, by which escalation.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) escalation: EscalationId,
    /// From when on it is over.
    pub(super) until: Timestamp,
    /// The tool's own state, which the handler gets back.
    pub(super) restored: Option<Box<str>>,
}

/// Says where the policy names a connected user for whom this layer cannot sign.
pub(super) fn tell_of_other_keys(policy: &Policy, own: &PublicKey) {
    for terms in policy.all_terms() {
        let Some(name) = &terms.connected_user else { continue };
        let member = policy.approvers(terms).and_then(|set| set.member(name));
        if member.is_some_and(|member| member.public_key != *own) {
            tracing::error!(
                scope = &*terms.scope,
                connected_user = &**name,
                %own,
                "the `public_key` of the connected user is not the key of this server, so that user is not asked"
            );
        }
    }
}
