use super::bounds::{MAX_DEPTH, MAX_ENTRIES, MAX_HEADER};
use super::error::AgentStateError;
use super::ids::{NodeId, RunId};
use super::scope::Scope;
use crate::identity::json::{JsonSize, TooLarge};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The variables of each scope.
pub type Variables = BTreeMap<Scope, Map<String, Value>>;

/// What an agent says of itself and its run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AgentState {
    /// The node that calls.
    pub node_id: NodeId,
    /// The run in which it calls.
    pub run_id: Option<RunId>,
    /// The run that started this one.
    pub parent_ref: Option<RunId>,
    /// What the agent wants others to know. May hold secrets.
    pub variables: Variables,
    /// Anything else. May hold secrets.
    pub metadata: Option<Map<String, Value>>,
}

impl AgentState {
    /// The state of a node outside any run, without variables.
    pub fn new(node_id: NodeId) -> Self {
        let variables = Variables::new();
        Self { node_id, run_id: None, parent_ref: None, variables, metadata: None }
    }

    /// The run.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn require_run(&self) -> Result<&RunId, AgentStateError> {
        self.run_id.as_ref().ok_or(AgentStateError::NoRun)
    }

    /// Sets one variable.
    ///
    /// # Errors
    ///
    /// The value has no JSON.
    pub fn set<T>(&mut self, scope: Scope, name: &str, value: &T) -> Result<(), AgentStateError>
    where
        T: Serialize + ?Sized,
    {
        let value =
            serde_json::to_value(value).map_err(|_error| AgentStateError::NotSerializable)?;
        self.merge(scope, Map::from_iter([(name.to_owned(), value)]));
        Ok(())
    }

    /// Puts variables into a scope; those of the same name are replaced as a whole.
    pub fn merge(&mut self, scope: Scope, variables: Map<String, Value>) {
        self.variables.entry(scope).or_default().extend(variables);
    }

    /// The text of `x-agent-state`.
    ///
    /// # Errors
    ///
    /// It would be longer, deeper or have more entries than [`decode`](Self::decode) takes.
    pub fn encode(&self) -> Result<String, AgentStateError> {
        let wire = Wire {
            version: 1,
            node_id: self.node_id.as_str(),
            run_id: self.run_id.as_ref().map(RunId::as_str),
            parent_ref: self.parent_ref.as_ref().map(RunId::as_str),
            variables: &self.variables,
            metadata: self.metadata.as_ref(),
        };
        let json = serde_json::to_vec(&wire).map_err(|_error| AgentStateError::NotSerializable)?;
        let length = base64::encoded_len(json.len(), false);
        if length.is_none_or(|length| length > MAX_HEADER) {
            return Err(AgentStateError::TooLong);
        }
        let value = serde_json::to_value(&wire);
        check_size(&value.map_err(|_error| AgentStateError::NotSerializable)?)?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }
}

/// The members in the order in which the TypeScript SDK writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    version: u8,
    node_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_ref: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variables: &'a Variables,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Map<String, Value>>,
}

/// Refuses a state that is nested too deeply or has too many entries.
pub(super) fn check_size(state: &Value) -> Result<(), AgentStateError> {
    let bound = JsonSize { depth: MAX_DEPTH, entries: MAX_ENTRIES };
    bound.check(state).map_err(|too| match too {
        TooLarge::Depth => AgentStateError::TooDeep,
        TooLarge::Entries => AgentStateError::TooMany,
    })
}
