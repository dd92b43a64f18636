use super::agent_state::MAX_HEADER;
use super::carriage::Carriage;
use super::principal::Origin;
use super::verified::VerifiedPrincipal;
use crate::call::{ApprovalToken, Unusable};
use std::borrow::Cow;

/// A thing that a caller may say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimName {
    /// The run that started the run of the agent that calls.
    AgentParentRef,
    /// The run of the agent that calls.
    AgentRef,
    /// The agent's state, with node, run and parent once more.
    AgentState,
    /// Whom the caller says that it acts for.
    AuthContext,
    /// The credentials of the request, of which the scheme is a claim.
    Authorization,
    /// The span that caused the call.
    CauseSpan,
    /// The trace of that span.
    CauseTrace,
    /// The key under which a repeated call is the same call.
    IdempotencyKey,
    /// The node that calls.
    NodeId,
    /// Trace and span that caused the call, as W3C Trace Context has them.
    Traceparent,
}

impl ClaimName {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::AgentParentRef,
        Self::AgentRef,
        Self::AgentState,
        Self::AuthContext,
        Self::Authorization,
        Self::CauseSpan,
        Self::CauseTrace,
        Self::IdempotencyKey,
        Self::NodeId,
        Self::Traceparent,
    ];

    /// The HTTP header, in lower case.
    pub fn header(self) -> &'static str {
        match self {
            Self::AgentParentRef => "x-agent-parent-ref",
            Self::AgentRef => "x-agent-ref",
            Self::AgentState => "x-agent-state",
            Self::AuthContext => "x-auth-context",
            Self::Authorization => "authorization",
            Self::CauseSpan => "x-cause-span",
            Self::CauseTrace => "x-cause-trace",
            Self::IdempotencyKey => "x-idempotency-key",
            Self::NodeId => "x-node-id",
            Self::Traceparent => "traceparent",
        }
    }

    /// The key in `_meta`; credentials have none.
    pub fn meta(self) -> Option<&'static str> {
        Some(match self {
            Self::AgentParentRef => "sec0/agentParentRef",
            Self::AgentRef => "sec0/agentRef",
            Self::AgentState => "sec0/agentState",
            Self::AuthContext => "sec0/authContext",
            Self::Authorization => return None,
            Self::CauseSpan => "sec0/causeSpan",
            Self::CauseTrace => "sec0/causeTrace",
            Self::IdempotencyKey => "sec0/idempotencyKey",
            Self::NodeId => "sec0/nodeId",
            Self::Traceparent => "traceparent",
        })
    }

    /// The most bytes that are looked at.
    pub(super) fn max_len(self) -> usize {
        match self {
            Self::AgentState => MAX_HEADER,
            Self::AuthContext => 4 * 1024,
            Self::Authorization => 16 * 1024,
            Self::AgentParentRef
            | Self::AgentRef
            | Self::CauseSpan
            | Self::CauseTrace
            | Self::IdempotencyKey
            | Self::NodeId
            | Self::Traceparent => 1024,
        }
    }
}

/// What a door found where a claim would stand.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a door has these three things to say")]
pub enum Said<'a> {
    /// Nothing.
    Nothing,
    /// A text.
    Text(Cow<'a, str>),
    /// Something that is no one text.
    Unusable(Unusable),
}

/// The door's part of a call that can be asked what the caller said, and where it came from.
pub trait Claimant {
    /// What the caller said, raw. A door looks in one place at a time: where an HTTP header stands,
    /// `_meta` is not looked at, whatever the header says.
    fn claim(&self, name: ClaimName) -> Said<'_>;

    /// Where the call came from.
    fn origin(&self) -> Origin;

    /// The caller whom the program's own authentication has verified, for doors that know one.
    /// Never made from what the caller said.
    fn verified(&self) -> Option<&VerifiedPrincipal> {
        None
    }

    /// The `tracestate` that goes with a `traceparent`, raw; where a header was sent several times,
    /// all of it, joined by commas.
    fn tracestate(&self) -> Said<'_> {
        Said::Nothing
    }

    /// How the request came, for telemetry.
    fn carriage(&self) -> Carriage {
        Carriage::default()
    }

    /// Takes out the grant that the caller presents, and every other place where one may stand: who
    /// asks the door afterwards finds none. `None` where the caller sent nothing. What stands among
    /// the arguments is not the door's.
    fn take_approval_token(&mut self) -> Option<ApprovalToken> {
        None
    }
}
