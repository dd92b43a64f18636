//! Programs that export their own `tracing` spans with `tracing-opentelemetry`.

use super::caller::Caller;
use crate::call::SpanIds;
use crate::otel::context::TraceContext;
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetrySpanExt, SetParentError};

/// False where the program cannot be exporting this span.
pub(in crate::otel) fn may_be_at(span: &Span) -> bool {
    !span.is_disabled()
}

/// The place that the program's own export gives the span of a call; `None` where it exports none.
pub(in crate::otel) fn place(span: &Span, caller: Option<&Caller>) -> Option<TraceContext> {
    if span.is_disabled() {
        return None;
    }
    if let Some(caller) = caller {
        let parent = Context::new().with_remote_span_context(caller.context());
        if let Err(SetParentError::LayerNotFound) = span.set_parent(parent) {
            return None;
        }
    }
    let context = span.context();
    let own = context.span().span_context().clone();
    let ids = SpanIds::new(own.trace_id().to_bytes(), own.span_id().to_bytes());
    let place = TraceContext::new(ids, own.is_sampled()).with_state(&own.trace_state().header());
    own.is_valid().then_some(place)
}
