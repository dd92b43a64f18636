use super::telemetry::Pipeline;
use super::told::Told;
use crate::call::{ServerIdent, SpanIds, Work};
use crate::identity::{Carriage, Traceparent};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

/// One call, from its beginning until telemetry was told of its end.
///
/// INVARIANT: the pipeline hears of each call once, by [`Live::end`] or by `drop`.
#[derive(Debug)]
pub(crate) struct Live {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) began: Began,
}

/// What is known of a call when it begins.
#[derive(Debug)]
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only the export reads it"))]
pub(super) struct Began {
    pub(super) at: Instant,
    pub(super) work: Work,
    pub(super) ids: SpanIds,
    /// Whether its span is exported if it ends well.
    pub(super) is_sampled: bool,
    /// What its span has; `None` where there will be none.
    pub(super) detail: Option<Box<Detail>>,
    pub(super) has_ended: bool,
}

/// What the span of a call has from its beginning.
#[derive(Debug)]
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only the export reads it"))]
pub(super) struct Detail {
    pub(super) server: Arc<ServerIdent>,
    pub(super) tool: Cow<'static, str>,
    /// The span that caused the call, as the caller says.
    pub(super) caller: Option<Traceparent>,
    pub(super) state: Option<Arc<str>>,
    pub(super) carriage: Carriage,
    pub(super) arguments: Option<String>,
    pub(super) result: Option<String>,
}

impl Live {
    /// How many bytes of the result are to be told.
    pub(crate) fn result_room(&self) -> Option<usize> {
        self.began.detail.as_ref().and_then(|_| self.pipeline.result_room())
    }

    /// Keeps the result, up to that.
    pub(crate) fn keep_result(&mut self, result: &impl serde::Serialize, max: usize) {
        if let Some(detail) = &mut self.began.detail {
            detail.result = super::text::bounded_json(result, max);
        }
    }

    /// The call has ended.
    pub(crate) fn end(mut self, told: &Told<'_>) {
        self.tell(told);
    }

    fn tell(&mut self, told: &Told<'_>) {
        if !std::mem::replace(&mut self.began.has_ended, true) {
            self.pipeline.end(&mut self.began, told);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.tell(&Told::of_dropped());
    }
}
