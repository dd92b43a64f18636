use super::error::AgentStateError;
use super::ids::{NodeId, RunId, trim};
use super::state::AgentState;

/// The headers of a request that speak of the agent, as they were sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the protocol has these four")]
pub struct AgentHeaders<'a> {
    /// `x-node-id`.
    pub node_id: Option<&'a str>,
    /// `x-agent-ref`.
    pub run_id: Option<&'a str>,
    /// `x-agent-parent-ref`.
    pub parent_ref: Option<&'a str>,
    /// `x-agent-state`.
    pub state: Option<&'a str>,
}

impl AgentState {
    /// The state that a request carries: what is encoded, and what the plain headers say. Without
    /// an encoded state it is made of the plain headers. A blank header is none.
    ///
    /// # Errors
    ///
    /// There are no headers or no node among them, the encoded state cannot be read, or it and the
    /// plain headers say different things.
    pub fn extract(headers: Option<&AgentHeaders<'_>>) -> Result<Self, AgentStateError> {
        let headers = headers.ok_or(AgentStateError::NoHeaders)?;
        let node = given(headers.node_id).ok_or(AgentStateError::NoNodeId)?;
        let node = NodeId::new(node)?;
        let run = given(headers.run_id).map(RunId::new).transpose()?;
        let parent = given(headers.parent_ref).map(RunId::new).transpose()?;
        let encoded = match given(headers.state) {
            Some(state) => Self::decode(state)?,
            None => Self::new(node.clone()),
        };
        encoded.reconcile(Some(&node), run.as_ref(), parent.as_ref())
    }

    /// Holds the state against what the plain headers say. What it names must be there too, and be
    /// the same; what it does not name is taken over.
    ///
    /// # Errors
    ///
    /// A header is missing, or says something else.
    pub fn reconcile(
        mut self,
        node: Option<&NodeId>,
        run: Option<&RunId>,
        parent: Option<&RunId>,
    ) -> Result<Self, AgentStateError> {
        if *node.ok_or(AgentStateError::NoNodeId)? != self.node_id {
            return Err(AgentStateError::OtherNode);
        }
        agree(&mut self.run_id, run, AgentStateError::NoRunHeader, AgentStateError::OtherRun)?;
        let (missing, other) = (AgentStateError::NoParentHeader, AgentStateError::OtherParent);
        agree(&mut self.parent_ref, parent, missing, other)?;
        Ok(self)
    }

    /// The headers that carry this state, by name.
    ///
    /// # Errors
    ///
    /// It cannot be [encoded](Self::encode).
    pub fn to_headers(&self) -> Result<Vec<(&'static str, String)>, AgentStateError> {
        let state = self.encode()?;
        let mut headers = vec![("x-node-id", self.node_id.to_string())];
        headers.extend(self.run_id.iter().map(|run| ("x-agent-ref", run.to_string())));
        let parent = self.parent_ref.iter();
        headers.extend(parent.map(|parent| ("x-agent-parent-ref", parent.to_string())));
        headers.push(("x-agent-state", state));
        Ok(headers)
    }
}

fn agree(
    encoded: &mut Option<RunId>,
    header: Option<&RunId>,
    missing: AgentStateError,
    other: AgentStateError,
) -> Result<(), AgentStateError> {
    match (encoded.as_ref(), header) {
        (Some(_), None) => return Err(missing),
        (Some(encoded), Some(header)) if encoded != header => return Err(other),
        (Some(_) | None, _) => {}
    }
    *encoded = header.cloned();
    Ok(())
}

/// The text of a header that is there and not blank.
fn given(header: Option<&str>) -> Option<&str> {
    header.map(trim).filter(|text| !text.is_empty())
}
