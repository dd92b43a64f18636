use crate::call::{End, Outcome, Reason, Refusal, Reply, Retry, SpanIds};
use crate::registry::{Denials, Drift, Manner};
use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, CreateTaskResult, ErrorCode,
    InputRequiredResult, MetaObject,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What an rmcp handler gives back.
pub type ToolReply = Result<CallToolResponse, ErrorData>;

/// The key in `_meta` of a denied call's result.
pub const DENIAL_META: &str = "sec0/denial";

/// The key in `_meta` of a successful call's result.
pub const TRACE_META: &str = "sec0/trace";

/// The JSON-RPC code for a changed tool list. Outside the ranges that the specifications reserve.
pub const REGISTRY_FROZEN: ErrorCode = ErrorCode(-31050);

/// The JSON-RPC code for a denial, where the options ask for errors.
pub const DENIED: ErrorCode = ErrorCode(-31051);

/// What the output digest covers: the result as the handler made it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Body<'a> {
    /// A result.
    Complete(&'a CallToolResult),
    /// A question back to the client.
    InputRequired(&'a InputRequiredResult),
    /// A task.
    Task(&'a CreateTaskResult),
}

impl Reply for ToolReply {
    type Body<'a> = Body<'a>;

    fn body(&self) -> Option<Body<'_>> {
        match self {
            Ok(CallToolResponse::Complete(result)) => Some(Body::Complete(result)),
            Ok(CallToolResponse::InputRequired(result)) => Some(Body::InputRequired(result)),
            Ok(CallToolResponse::Task(result)) => Some(Body::Task(result)),
            // A kind of response that rmcp learns later has no digest until this file knows it.
            Ok(_) | Err(_) => None,
        }
    }

    fn failed(&self) -> bool {
        match self {
            Ok(CallToolResponse::Complete(result)) => result.is_error == Some(true),
            Ok(_) => false,
            Err(_) => true,
        }
    }

    fn is_worth_another_try(&self) -> bool {
        match self {
            Ok(CallToolResponse::Complete(result)) => result.is_error == Some(true),
            Ok(_) => false,
            // The other codes say that the request is wrong, and it would be so again.
            Err(error) => error.code == ErrorCode::INTERNAL_ERROR,
        }
    }

    fn task_id(&self) -> Option<&str> {
        match self {
            Ok(CallToolResponse::Task(result)) => Some(&result.task.task_id),
            Ok(_) | Err(_) => None,
        }
    }
}

/// The answer on the wire.
pub(super) fn answer(outcome: Outcome<ToolReply>, manner: &Manner) -> ToolReply {
    match outcome.end {
        End::Replied(Ok(CallToolResponse::Complete(result))) if !manner.hide_trace => {
            Ok(stamped(result, outcome.span).into())
        }
        End::Replied(reply) => reply,
        End::Refused(refusal) if refusal.reason() == Reason::UnknownTool => {
            Err(ErrorData::invalid_params("tool not found", None))
        }
        End::Refused(refusal) if refusal.reason() == Reason::Cancelled => {
            Err(ErrorData::internal_error("the call was cancelled before the tool ran", None))
        }
        End::Refused(refusal) => denied(&refusal, outcome.span, manner.denials),
        End::Panicked => Err(ErrorData::internal_error(
            "the call ended in a panic; its record says so",
            Some(trace(outcome.span)),
        )),
    }
}

/// The answer to `tools/list` when the tools are not those that were frozen.
pub(super) fn list_refused(drift: &Drift) -> ErrorData {
    let data = json!({ "code": "REGISTRY_FROZEN" });
    ErrorData::new(REGISTRY_FROZEN, format!("REGISTRY_FROZEN: {drift}"), Some(data))
}

fn stamped(mut result: CallToolResult, span: SpanIds) -> CallToolResult {
    let meta = result.meta.get_or_insert_with(MetaObject::new);
    meta.0.insert(TRACE_META.to_owned(), trace(span));
    result
}

fn trace(span: SpanIds) -> Value {
    let mut ids = Map::new();
    ids.insert("trace_id".to_owned(), Value::String(span.trace_hex().to_string()));
    ids.insert("span_id".to_owned(), Value::String(span.span_hex().to_string()));
    Value::Object(ids)
}

fn denied(refusal: &Refusal, span: SpanIds, denials: Denials) -> ToolReply {
    let text = refusal.to_string();
    let denial = denial(refusal, span);
    if denials == Denials::AsError {
        return Err(ErrorData::new(DENIED, text, Some(denial)));
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    let mut meta = MetaObject::new();
    meta.0.insert(DENIAL_META.to_owned(), denial);
    result.meta = Some(meta);
    Ok(result.into())
}

fn denial(refusal: &Refusal, span: SpanIds) -> Value {
    let reasons: Vec<_> = refusal.reasons().iter().map(|reason| reason.as_str()).collect();
    let mut denial = json!({
        "code": refusal.code().as_str(),
        "reason": refusal.reason().as_str(),
        "reasons": reasons,
        "executed": refusal.executed(),
        "retryable": refusal.retry() != Retry::Never,
        "trace_id": span.trace_hex().to_string(),
        "span_id": span.span_hex().to_string(),
    });
    if let (Retry::After(wait), Value::Object(denial)) = (refusal.retry(), &mut denial) {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        denial.insert("retry_after_ms".to_owned(), millis.into());
    }
    denial
}
