//! What the other files say often: answers, questions, and what a request tells of its client.

use rmcp::model::{CallToolResult, ContentBlock, ErrorData, InputRequest, ProtocolVersion};
use rmcp::service::{RequestContext, RoleServer};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Display;

pub(crate) type Answer<T> = Result<T, ErrorData>;

/// A value of one of rmcp's types, written as it stands on the wire.
pub(crate) fn made<T: DeserializeOwned>(value: Value) -> Answer<T> {
    serde_json::from_value(value).map_err(internal)
}

pub(crate) fn internal(error: impl Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

/// The result of a tool that says one thing.
pub(crate) fn said(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

/// A form with one required field.
pub(crate) fn form(message: &str, field: &str, kind: &str) -> Value {
    json!({
        "mode": "form",
        "message": message,
        "requestedSchema": {
            "type": "object",
            "properties": { field: { "type": kind } },
            "required": [field],
        },
    })
}

/// A question for the human.
pub(crate) fn question(message: &str, field: &str, kind: &str) -> Answer<InputRequest> {
    made(json!({ "method": "elicitation/create", "params": form(message, field, kind) }))
}

/// Since this version a server asks its questions in results, and writes to the log only where the
/// request wants it.
pub(crate) fn asks_in_results(context: &RequestContext<RoleServer>) -> bool {
    let version = context.protocol_version();
    version.is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

/// Writes a line to the client's log, if it wants one.
#[expect(deprecated, reason = "earlier versions of the protocol have it")]
pub(crate) async fn log(context: &RequestContext<RoleServer>, line: &str) -> Answer<()> {
    if asks_in_results(context) && context.meta.log_level().is_none() {
        return Ok(());
    }
    let line = made(json!({ "level": "info", "logger": "fixture", "data": line }))?;
    context.peer.notify_logging_message(line).await.map_err(internal)
}
