use super::bounds::MAX_HEADER;
use super::error::AgentStateError;
use super::ids::{NodeId, RunId, trim};
use super::state::{AgentState, Variables, check_size};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

impl AgentState {
    /// Reads the text of `x-agent-state`. Names are normalised; a run or a parent that is null or
    /// blank is none.
    ///
    /// # Errors
    ///
    /// It is no state, or one beyond the bounds.
    pub fn decode(header: &str) -> Result<Self, AgentStateError> {
        let header = trim(header);
        if header.len() > MAX_HEADER {
            return Err(AgentStateError::TooLong);
        }
        let json = URL_SAFE_NO_PAD.decode(header).map_err(|_error| AgentStateError::NotBase64)?;
        let value: Value =
            serde_json::from_slice(&json).map_err(|_error| AgentStateError::NotJson)?;
        check_size(&value)?;
        let Value::Object(mut members) = value else { return Err(AgentStateError::NotAnObject) };
        let node_id = NodeId::new(&text(&mut members, "nodeId")?.unwrap_or_default())?;
        let run_id = run(&mut members, "runId")?;
        let alias = run(&mut members, "ref")?;
        Ok(Self {
            node_id,
            run_id: run_id.or(alias),
            parent_ref: run(&mut members, "parentRef")?,
            variables: variables(object(members.remove("variables"), "variables")?)?,
            metadata: object(members.remove("metadata"), "metadata")?,
        })
    }
}

fn text(
    members: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, AgentStateError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(AgentStateError::WrongType(name))
        }
    }
}

fn run(
    members: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<RunId>, AgentStateError> {
    let given = text(members, name)?.filter(|text| !trim(text).is_empty());
    given.map(|text| RunId::new(&text)).transpose()
}

fn object(
    value: Option<Value>,
    name: &'static str,
) -> Result<Option<Map<String, Value>>, AgentStateError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(AgentStateError::WrongType(name))
        }
    }
}

fn variables(given: Option<Map<String, Value>>) -> Result<Variables, AgentStateError> {
    let mut read = Variables::new();
    for (scope, value) in given.unwrap_or_default() {
        let scope = scope.parse()?;
        let members = object(Some(value), "variables")?.unwrap_or_default();
        read.entry(scope).or_default().extend(members);
    }
    Ok(read)
}
