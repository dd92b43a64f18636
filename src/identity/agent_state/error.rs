use super::bounds::{MAX_DEPTH, MAX_ENTRIES, MAX_HEADER};
use crate::call::Unusable;

/// Why an agent's state cannot be read, believed to be of one piece, or written.
///
/// The messages are those of the TypeScript SDK, but for the last four.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentStateError {
    /// There are no headers at all to read from.
    #[error("[sec0-agent-state] Headers are required to extract agent state.")]
    NoHeaders,
    /// `x-node-id` is missing.
    #[error("[sec0-agent-state] Missing required header \"x-node-id\".")]
    NoNodeId,
    /// The state names another node than its header.
    #[error("[sec0-agent-state] Node ID header mismatch with encoded state.")]
    OtherNode,
    /// The state has a run, and the header that must repeat it is missing.
    #[error(
        "[sec0-agent-state] Missing required header \"x-agent-ref\" while encoded state includes a runId."
    )]
    NoRunHeader,
    /// The state names another run than its header.
    #[error("[sec0-agent-state] Agent runId header mismatch with encoded state.")]
    OtherRun,
    /// The state has a parent, and the header that must repeat it is missing.
    #[error(
        "[sec0-agent-state] Missing required header \"x-agent-parent-ref\" while encoded state includes a parent ref."
    )]
    NoParentHeader,
    /// The state names another parent than its header.
    #[error("[sec0-agent-state] Agent parent ref header mismatch with encoded state.")]
    OtherParent,
    /// The header is no unpadded base64url.
    #[error("[sec0-agent-state] Failed to decode agent state header.")]
    NotBase64,
    /// What is encoded is no JSON.
    #[error("[sec0-agent-state] Failed to parse agent state header JSON.")]
    NotJson,
    /// The JSON is no object.
    #[error("[sec0-agent-state] Agent state header must contain a JSON object.")]
    NotAnObject,
    /// A run is needed, and neither the header nor the state has one.
    #[error("[sec0-agent-state] Agent runId is required and fallbacks are not permitted.")]
    NoRun,
    /// A scope that there is not; at most 64 characters of it.
    #[error("[sec0-agent-state] Unknown agent variable scope: {0}")]
    UnknownScope(String),
    /// Nothing is left of the node's name when it is normalised.
    #[error("[sec0-agent-state] Node ID cannot be empty.")]
    EmptyNodeId,
    /// Nothing is left of the run's name when it is normalised.
    #[error("[sec0-agent-state] Agent runId cannot be empty.")]
    EmptyRunId,
    /// A value has no JSON.
    #[error("[sec0-agent-state] Value must be JSON serializable.")]
    NotSerializable,
    /// A member has another type than it should; the name of the member.
    #[error("[sec0-agent-state] The member `{0}` of the agent state is of the wrong type.")]
    WrongType(&'static str),
    /// The encoded state is longer than [`MAX_HEADER`].
    #[error("[sec0-agent-state] The agent state header is longer than {MAX_HEADER} bytes.")]
    TooLong,
    /// The JSON is nested deeper than [`MAX_DEPTH`].
    #[error("[sec0-agent-state] The agent state is nested deeper than {MAX_DEPTH} levels.")]
    TooDeep,
    /// The JSON has more members and items than [`MAX_ENTRIES`].
    #[error("[sec0-agent-state] The agent state has more than {MAX_ENTRIES} entries.")]
    TooMany,
}

impl AgentStateError {
    /// How the record of a call says it.
    pub fn unusable(&self) -> Unusable {
        match self {
            Self::NoHeaders
            | Self::NoNodeId
            | Self::OtherNode
            | Self::NoRunHeader
            | Self::OtherRun
            | Self::NoParentHeader
            | Self::OtherParent
            | Self::NoRun => Unusable::Inconsistent,
            Self::TooLong => Unusable::TooLong,
            Self::NotBase64
            | Self::NotJson
            | Self::NotAnObject
            | Self::UnknownScope(_)
            | Self::EmptyNodeId
            | Self::EmptyRunId
            | Self::NotSerializable
            | Self::WrongType(_)
            | Self::TooDeep
            | Self::TooMany => Unusable::Malformed,
        }
    }
}
