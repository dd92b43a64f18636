use crate::identity::{ClaimName, Claimant, Said, Traceparent, read_traceparent};
use crate::otel::context::TraceContext;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use std::str::FromStr;
use std::sync::Arc;

/// The span that caused a call, as the caller says.
#[derive(Debug, Clone)]
pub(in crate::otel) struct Caller {
    pub(in crate::otel) parent: Traceparent,
    pub(in crate::otel) state: Option<Arc<str>>,
}

impl Caller {
    /// `None` where there is no `traceparent` that is valid.
    pub(in crate::otel) fn of(door: &impl Claimant) -> Option<Self> {
        let Said::Text(text) = door.claim(ClaimName::Traceparent) else { return None };
        let parent = (text.len() <= 256).then(|| read_traceparent(&text)).flatten()?;
        let state = match door.tracestate() {
            // Bounded and checked where it is handed on, so there.
            Said::Text(state) => {
                let carried = TraceContext::new(parent.ids, false).with_state(&state);
                carried.tracestate().map(Into::into)
            }
            Said::Nothing | Said::Unusable(_) => None,
        };
        Some(Self { parent, state })
    }

    /// The same, as OpenTelemetry has it.
    pub(super) fn context(&self) -> SpanContext {
        span_context(self.parent, self.state.as_deref(), true)
    }
}

pub(super) fn span_context(span: Traceparent, state: Option<&str>, is_remote: bool) -> SpanContext {
    let flags = if span.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    // A state that is none is worth nothing to anybody.
    let state = state.and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    SpanContext::new(
        TraceId::from_bytes(span.ids.trace_id),
        SpanId::from_bytes(span.ids.span_id),
        flags,
        is_remote,
        state,
    )
}
