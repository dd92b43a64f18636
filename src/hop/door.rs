use super::handover::Handover;
use crate::approval::Connected;
use crate::call::{ApprovalToken, SpanIds};
use crate::identity::{ClaimName, Claimant, Origin, Said};
use crate::registry::{Live, Sight, Sighted, Snapshot};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The hop's own part of a call.
pub(super) struct HopDoor {
    /// Where the body waits.
    pub(super) handover: Arc<Handover>,
    /// The registry, which this hop is all of.
    pub(super) registry: Arc<Snapshot>,
    pub(super) node: Box<str>,
    pub(super) run: Box<str>,
    pub(super) parent: Option<Box<str>>,
    /// `x-agent-state`, where there are variables.
    pub(super) state: Option<String>,
    pub(super) cause: Option<SpanIds>,
    pub(super) idempotency_key: Option<Box<str>>,
    pub(super) approval: Option<ApprovalToken>,
    /// False in code that is not async.
    pub(super) may_wait: bool,
}

/// The node is the configuration's word and the run the program's; the rest may come from whoever
/// called the program. All of it goes the way of claims.
impl Claimant for HopDoor {
    fn claim(&self, name: ClaimName) -> Said<'_> {
        let text = |text: Option<&'_ str>| match text {
            Some(text) => Said::Text(Cow::Owned(text.to_owned())),
            None => Said::Nothing,
        };
        match name {
            ClaimName::NodeId => Said::Text(Cow::Borrowed(&self.node)),
            ClaimName::AgentRef => Said::Text(Cow::Borrowed(&self.run)),
            ClaimName::AgentParentRef => text(self.parent.as_deref()),
            ClaimName::AgentState => text(self.state.as_deref()),
            ClaimName::IdempotencyKey => text(self.idempotency_key.as_deref()),
            ClaimName::CauseTrace => {
                text(self.cause.map(|it| it.trace_hex().to_string()).as_deref())
            }
            ClaimName::CauseSpan => text(self.cause.map(|it| it.span_hex().to_string()).as_deref()),
            ClaimName::AuthContext | ClaimName::Authorization | ClaimName::Traceparent => {
                Said::Nothing
            }
        }
    }

    fn origin(&self) -> Origin {
        Origin::Local
    }

    fn take_approval_token(&mut self) -> Option<ApprovalToken> {
        self.approval.take()
    }
}

impl Sighted for HopDoor {
    fn sight(&self, _: &str) -> Sight<'_> {
        Sight::new(Some(&self.registry), Live::Owned)
    }
}

impl Connected for HopDoor {
    fn may_wait(&self) -> bool {
        self.may_wait
    }
}

/// Says nothing of what a caller sent.
impl fmt::Debug for HopDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HopDoor").field("node", &self.node).finish_non_exhaustive()
    }
}
