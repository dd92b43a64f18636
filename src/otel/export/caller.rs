use crate::call::Call;
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
    /// It is a span of this program, which the door vouches for.
    pub(in crate::otel) is_own: bool,
}

impl Caller {
    /// `None` where there is no `traceparent` that is valid, and the door goes on with no trace.
    pub(in crate::otel) fn of<X: Claimant>(call: &Call<X>) -> Option<Self> {
        let door = &call.door;
        let Said::Text(text) = door.claim(ClaimName::Traceparent) else {
            return Self::within(call);
        };
        let parent = (text.len() <= 256).then(|| read_traceparent(&text)).flatten()?;
        let state = match door.tracestate() {
            // Bounded and checked where it is handed on, so there.
            Said::Text(state) => {
                let carried = TraceContext::new(parent.ids, false).with_state(&state);
                carried.tracestate().map(Into::into)
            }
            Said::Nothing | Said::Unusable(_) => None,
        };
        Some(Self { parent, state, is_own: false })
    }

    /// The cause, where it lies in the trace that the door goes on with.
    fn within<X: Claimant>(call: &Call<X>) -> Option<Self> {
        let text = |name| match call.door.claim(name) {
            Said::Text(text) => Some(text),
            Said::Nothing | Said::Unusable(_) => None,
        };
        let (trace, span) = (text(ClaimName::CauseTrace)?, text(ClaimName::CauseSpan)?);
        let parent = read_traceparent(&format!("00-{trace}-{span}-00"))?;
        let is_own = parent.ids.trace_id == call.span.trace_id;
        is_own.then_some(Self { parent, state: None, is_own })
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
