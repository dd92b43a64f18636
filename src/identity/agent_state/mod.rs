//! What an agent says of its run: `x-agent-state`, and the plain headers beside it.
//!
//! The header is unpadded base64url of the JSON
//! `{version: 1, nodeId, runId?, parentRef?, variables?, metadata?}`, with the names, the
//! normalisation and the messages of the TypeScript SDK, and with bounds that it lacks. `version`
//! is written and not looked at. Members that are not known are passed over. Nothing here is
//! verified.
//!
//! ```
//! use sec0::identity::agent_state::{AgentHeaders, AgentState, NodeId, RunId, Scope};
//! # fn main() -> Result<(), sec0::identity::agent_state::AgentStateError> {
//! let mut state = AgentState::new(NodeId::new("Order Desk")?);
//! state.run_id = Some(RunId::new("run:42")?);
//! state.set(Scope::Agent, "objective", &"restock")?;
//! let encoded = state.encode()?;
//!
//! let headers = AgentHeaders {
//!     node_id: Some("order-desk"),
//!     run_id: Some("run:42"),
//!     state: Some(&encoded),
//!     ..AgentHeaders::default()
//! };
//! assert_eq!(AgentState::extract(Some(&headers))?, state);
//! # Ok(()) }
//! ```

mod bounds;
mod error;
mod ids;
mod scope;
mod state;
mod read;
mod headers;

#[cfg(test)]
mod tests;

pub use bounds::{MAX_DEPTH, MAX_ENTRIES, MAX_HEADER};
pub use error::AgentStateError;
pub use headers::AgentHeaders;
pub use ids::{NodeId, RunId};
pub use scope::Scope;
pub use state::{AgentState, Variables};
