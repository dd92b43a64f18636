use super::{round, user};
use crate::call::{
    AsksBack, Dedupe, End, Found, Lasting, Outcome, Reason, Refusal, Reply, Retry, SpanIds,
};
use crate::registry::{Denials, Drift, Manner};
use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, CallToolResult, ContentBlock, CreateTaskResult, ErrorCode,
    InputRequiredResult, MetaObject,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// What an rmcp handler gives back.
pub type ToolReply = Result<CallToolResponse, ErrorData>;

/// The key in `_meta` of a denied call's result.
pub const DENIAL_META: &str = "sec0/denial";

/// The key in `_meta` of a successful call's result.
pub const TRACE_META: &str = "sec0/trace";

/// The key in `_meta` of the result of a call that had side effects and an idempotency key: `first`
/// or `replay`.
pub const DEDUPE_META: &str = "sec0/dedupe";

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

    fn asks_back(&self) -> Option<AsksBack<'_>> {
        match self {
            Ok(CallToolResponse::InputRequired(result)) => {
                Some(AsksBack { state: result.request_state.as_deref() })
            }
            Ok(_) | Err(_) => None,
        }
    }

    fn lasting(&self) -> Lasting {
        let kept = match self {
            Ok(CallToolResponse::Complete(result)) => written(COMPLETE, result),
            // The task goes on: a repeat is told of the same one.
            Ok(CallToolResponse::Task(result)) => written(TASK, result),
            // The same call comes again, with what it was asked for.
            Ok(CallToolResponse::InputRequired(_)) => return Lasting::Open,
            Ok(_) | Err(_) => None,
        };
        let is_whole = |bytes: &Vec<u8>| {
            Self::from_lasting(bytes).is_some_and(|again| match &again {
                Ok(CallToolResponse::Complete(again)) => {
                    written(COMPLETE, again).as_ref() == Some(bytes)
                }
                Ok(CallToolResponse::Task(again)) => written(TASK, again).as_ref() == Some(bytes),
                Ok(_) | Err(_) => false,
            })
        };
        // What is given back must be what was said.
        kept.filter(is_whole).map_or(Lasting::Unfit, Lasting::Final)
    }

    fn from_lasting(bytes: &[u8]) -> Option<Self> {
        let (kind, json) = bytes.split_first()?;
        match *kind {
            COMPLETE => Some(Ok(CallToolResponse::Complete(read(json)?))),
            TASK => Some(Ok(CallToolResponse::Task(read(json)?))),
            _ => None,
        }
    }
}

/// The first byte of what is stored: the kind of result. JSON follows.
const COMPLETE: u8 = b'c';
const TASK: u8 = b't';

fn written(kind: u8, result: &impl Serialize) -> Option<Vec<u8>> {
    let mut bytes = vec![kind];
    match serde_json::to_writer(&mut bytes, result) {
        Ok(()) => Some(bytes),
        Err(error) => {
            tracing::warn!(%error, "a result cannot be stored for a repeat");
            None
        }
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    match serde_json::from_slice(json) {
        Ok(result) => Some(result),
        Err(error) => {
            tracing::warn!(%error, "a result cannot be read back for a repeat");
            None
        }
    }
}

/// The answer on the wire.
pub(super) fn answer(outcome: Outcome<ToolReply>, manner: &Manner) -> ToolReply {
    match outcome.end {
        End::Replied(Ok(CallToolResponse::Complete(mut result))) => {
            if !manner.hide_trace {
                stamp(&mut result.meta, TRACE_META, trace(outcome.span));
            }
            stamp_dedupe(&mut result.meta, outcome.dedupe);
            Ok(result.into())
        }
        End::Replied(Ok(CallToolResponse::Task(mut result))) => {
            stamp_dedupe(&mut result.meta, outcome.dedupe);
            Ok(CallToolResponse::Task(result))
        }
        End::Replied(Ok(CallToolResponse::InputRequired(mut result))) => {
            if let Some(state) = outcome.next_round {
                result.request_state = Some(state.into());
            }
            Ok(result.into())
        }
        End::Replied(reply) => reply,
        End::Refused(refusal) if refusal.reason() == Reason::UnknownTool => {
            Err(ErrorData::invalid_params("tool not found", None))
        }
        End::Refused(refusal) if refusal.reason() == Reason::Cancelled => {
            Err(ErrorData::internal_error("the call was cancelled before the tool ran", None))
        }
        End::Refused(refusal) if let Some(asks) = asks(&refusal, outcome.span) => Ok(asks.into()),
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

/// The answer to whoever asks a server for anything about tools that is not the one in its lock
/// file. Which tools differ is for the operator.
pub(super) fn server_refused() -> ErrorData {
    let data = json!({ "code": "REGISTRY_FROZEN" });
    let message = "REGISTRY_FROZEN: the server is not the one in its lock file";
    ErrorData::new(REGISTRY_FROZEN, message, Some(data))
}

fn stamp(meta: &mut Option<MetaObject>, key: &str, value: Value) {
    meta.get_or_insert_with(MetaObject::new).0.insert(key.to_owned(), value);
}

fn stamp_dedupe(meta: &mut Option<MetaObject>, dedupe: Option<Dedupe>) {
    if let Some(dedupe) = dedupe {
        stamp(meta, DEDUPE_META, dedupe.as_str().into());
    }
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

/// The question that a refusal asks, for the user of the client. The refusal comes along.
fn asks(refusal: &Refusal, span: SpanIds) -> Option<InputRequiredResult> {
    let question = refusal.question()?;
    let requests = round::asked(user::form(&question.text)?);
    let mut meta = MetaObject::new();
    meta.0.insert(DENIAL_META.to_owned(), denial(refusal, span));
    Some(InputRequiredResult::new(Some(requests), Some(question.state.to_string())).with_meta(meta))
}

fn denial(refusal: &Refusal, span: SpanIds) -> Value {
    let reasons: Vec<_> = refusal.reasons().iter().map(Found::as_str).collect();
    let mut denial = json!({
        "code": refusal.code().as_str(),
        "reason": refusal.found().as_str(),
        "reasons": reasons,
        "executed": refusal.executed(),
        "retryable": refusal.retry() != Retry::Never,
        "trace_id": span.trace_hex().to_string(),
        "span_id": span.span_hex().to_string(),
    });
    if let Value::Object(denial) = &mut denial {
        if let Retry::After(wait) = refusal.retry() {
            let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            denial.insert("retry_after_ms".to_owned(), millis.into());
        }
        if let Some(escalation) = refusal.escalation() {
            denial.insert("escalation_id".to_owned(), (&*escalation.id).into());
            denial.insert("escalation_status".to_owned(), escalation.status.as_str().into());
        }
    }
    denial
}
