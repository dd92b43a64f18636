use super::caller::span_context;
use crate::call::{Found, Seen, Status as CallStatus, ToolVersion};
use crate::identity::Traceparent;
use crate::otel::context::TraceContext;
use crate::otel::live::{Began, Detail};
use crate::otel::told::Told;
use opentelemetry::trace::{Link, SpanId, SpanKind, Status};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The span of a call that has ended.
pub(super) fn span(
    began: &Began,
    detail: &mut Detail,
    told: &Told<'_>,
    scope: &InstrumentationScope,
    took: Duration,
) -> SpanData {
    #[expect(clippy::disallowed_methods, reason = "a span shows the time of the machine it ran on")]
    let end_time = SystemTime::now();
    let is_joined = |caller: &Traceparent| caller.ids.trace_id == began.ids.trace_id;
    let parent = detail.caller.filter(is_joined);
    let mut links = SpanLinks::default();
    if let Some(caller) = detail.caller.filter(|caller| !is_joined(caller)) {
        links.links.push(Link::with_context(span_context(caller, None, true)));
    }
    // What is exported is sampled, whatever was decided when the call began.
    let own = Traceparent { ids: began.ids, is_sampled: true };
    SpanData {
        span_context: span_context(own, detail.state.as_deref(), false),
        parent_span_id: parent
            .map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.ids.span_id)),
        parent_span_is_remote: parent.is_some(),
        span_kind: if began.work.is_served() { SpanKind::Server } else { SpanKind::Internal },
        name: format!("{} {}", began.work.operation(), detail.tool).into(),
        start_time: end_time.checked_sub(took).unwrap_or(end_time),
        end_time,
        attributes: attributes(began, detail, told),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: status(told),
        instrumentation_scope: scope.clone(),
    }
}

fn status(told: &Told<'_>) -> Status {
    match (told.status, told.refusal) {
        (CallStatus::Ok, _) => Status::Ok,
        (_, Some(refusal)) => Status::error(refusal.code().as_str()),
        (status, None) => Status::error(status.as_str()),
    }
}

fn attributes(began: &Began, detail: &mut Detail, told: &Told<'_>) -> Vec<KeyValue> {
    let mut put = Attributes(Vec::with_capacity(24));
    let operation =
        if began.work.is_served() { "mcp.method.name" } else { "gen_ai.operation.name" };
    put.fixed(operation, began.work.operation());
    put.text("gen_ai.tool.name", &detail.tool);
    put.text("sec0.server.name", detail.server.name());
    put.text("sec0.server.version", detail.server.version());
    put.maybe("jsonrpc.request.id", detail.carriage.request_id.as_deref());
    put.maybe("mcp.session.id", detail.carriage.session_id.as_deref());
    put.maybe("mcp.protocol.version", detail.carriage.protocol_version.as_deref());
    if let Some(transport) = detail.carriage.transport {
        put.fixed("network.transport", transport);
    }
    put.maybe("error.type", told.error_type().as_deref());
    put.fixed("sec0.outcome", told.status.as_str());
    if let Some(refusal) = told.refusal {
        put.fixed("sec0.denial.code", refusal.code().as_str());
        put.flag("sec0.executed", refusal.executed());
    }
    if let Some(seen) = told.seen {
        of_record(&mut put, seen);
    }
    let (arguments, result) = (detail.arguments.take(), detail.result.take());
    put.maybe("gen_ai.tool.call.arguments", arguments.as_deref());
    put.maybe("gen_ai.tool.call.result", result.as_deref());
    put.0
}

/// What the record of the call says, too.
fn of_record(put: &mut Attributes, seen: &Seen) {
    put.fixed("sec0.decision", seen.decision.as_str());
    put.maybe("sec0.tool.version", seen.version.as_ref().map(ToolVersion::as_str));
    if let Some(operation) = seen.operation {
        put.fixed("sec0.op", operation.op.as_str());
        put.flag("sec0.side_effect", operation.side_effect);
    }
    if !seen.reasons.is_empty() {
        let reasons = seen.reasons.iter().map(Found::as_str);
        let reasons: Vec<StringValue> = reasons.map(|reason| reason.to_owned().into()).collect();
        put.0.push(KeyValue::new("sec0.reasons", Value::Array(Array::String(reasons))));
    }
    if let Some(ran) = seen.ran {
        put.0.push(KeyValue::new("sec0.handler.duration", ran.as_secs_f64()));
    }
    if !seen.waited.is_zero() {
        put.0.push(KeyValue::new("sec0.approval.waited", seen.waited.as_secs_f64()));
    }
    if seen.retries > 0 {
        put.0.push(KeyValue::new("sec0.retries", i64::from(seen.retries)));
    }
    if let Some(dedupe) = seen.dedupe {
        put.fixed("sec0.dedupe", dedupe.as_str());
    }
}

struct Attributes(Vec<KeyValue>);

impl Attributes {
    fn fixed(&mut self, key: &'static str, value: &'static str) {
        self.0.push(KeyValue::new(key, value));
    }

    fn flag(&mut self, key: &'static str, value: bool) {
        self.0.push(KeyValue::new(key, value));
    }

    fn text(&mut self, key: &'static str, value: &str) {
        self.0.push(KeyValue::new(key, value.to_owned()));
    }

    fn maybe(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }
}

/// The part of a span that is known when its call begins.
pub(super) fn state_of(context: &TraceContext) -> Option<Arc<str>> {
    context.tracestate().map(Into::into)
}
