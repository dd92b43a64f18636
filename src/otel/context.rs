use crate::call::SpanIds;
use http::{HeaderMap, HeaderValue};
use pin_project_lite::pin_project;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

thread_local! {
    static CURRENT: RefCell<Option<TraceContext>> = const { RefCell::new(None) };
}

/// The place of a call in its trace, as W3C Trace Context hands it on: what a handler sends along
/// when it calls somebody else. The ids are those of the call's record.
///
/// ```
/// use sec0::otel::TraceContext;
/// # use sec0::call::SpanIds;
/// # let context = TraceContext::new(SpanIds::new([1; 16], [2; 8]), true);
/// let mut headers = http::HeaderMap::new();
/// context.inject_headers(&mut headers);
/// assert_eq!(headers["traceparent"], "00-01010101010101010101010101010101-0202020202020202-01");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    ids: SpanIds,
    is_sampled: bool,
    /// What vendors have put in on the way here, handed on as it came.
    state: Option<Arc<str>>,
}

impl TraceContext {
    /// The most bytes of a `tracestate` that is handed on: a longer one is left out.
    pub const MAX_STATE: usize = 512;

    /// The place of the span with these ids. `is_sampled` says that the span is exported.
    pub fn new(ids: SpanIds, is_sampled: bool) -> Self {
        Self { ids, is_sampled, state: None }
    }

    /// The same, with the `tracestate` of its parent, if that can be handed on.
    #[must_use]
    pub fn with_state(mut self, state: &str) -> Self {
        let state = state.trim();
        let is_fit = state.len() <= Self::MAX_STATE
            && !state.is_empty()
            && state.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        self.state = is_fit.then(|| state.into());
        self
    }

    /// The place of the call whose handler runs here; `None` outside a call, and in a task that a
    /// handler has spawned: [`carry`](Self::carry) takes it there.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.try_borrow().ok()?.clone()).ok().flatten()
    }

    /// Trace and span: those of the call's record.
    pub fn ids(&self) -> SpanIds {
        self.ids
    }

    /// Whether the span is exported.
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// The `tracestate` to be handed on.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The `traceparent` header for calls that this call makes.
    pub fn traceparent(&self) -> String {
        self.to_string()
    }

    /// Puts `traceparent`, and `tracestate` where there is one, into the `_meta` of a request.
    pub fn inject(&self, meta: &mut Map<String, Value>) {
        meta.insert(TRACEPARENT.to_owned(), self.traceparent().into());
        match self.tracestate() {
            Some(state) => {
                meta.insert(TRACESTATE.to_owned(), state.into());
            }
            None => meta.retain(|key, _| key != TRACESTATE),
        }
    }

    /// Puts the same into the headers of an HTTP request.
    pub fn inject_headers(&self, headers: &mut HeaderMap) {
        let mut put = |name: &'static str, text: Option<&str>| {
            headers.remove(name);
            if let Some(Ok(value)) = text.map(HeaderValue::from_str) {
                headers.insert(name, value);
            }
        };
        put(TRACEPARENT, Some(&self.traceparent()));
        put(TRACESTATE, self.tracestate());
    }

    /// Runs `future` at this place: for tasks that a handler spawns.
    ///
    /// # Cancel safety
    ///
    /// As safe as `future` is.
    pub fn carry<F>(self, future: F) -> Carried<F> {
        Carried { future, place: Place::at(Some(self)) }
    }
}

/// Puts the place of the call whose handler runs here into the `_meta` of a request that the
/// handler makes. False outside a call: nothing is put in then.
pub fn inject(meta: &mut Map<String, Value>) -> bool {
    let context = TraceContext::current();
    context.as_ref().inspect(|context| context.inject(meta)).is_some()
}

/// The same for the headers of an HTTP request.
pub fn inject_headers(headers: &mut HeaderMap) -> bool {
    let context = TraceContext::current();
    context.as_ref().inspect(|context| context.inject_headers(headers)).is_some()
}

/// As the header `traceparent` has it.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (self.ids.trace_hex(), self.ids.span_hex());
        write!(f, "00-{trace}-{span}-{:02x}", u8::from(self.is_sampled))
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}

/// Keeps the place of a call while its future is not polled, and what was there while it is.
#[derive(Debug)]
pub(crate) struct Place(Option<TraceContext>);

impl Place {
    pub(crate) fn at(context: Option<TraceContext>) -> Self {
        Self(context)
    }

    /// This is the current place until the answer is dropped.
    pub(crate) fn enter(&mut self) -> Entered<'_> {
        self.swap();
        Entered(self)
    }

    fn swap(&mut self) {
        // Neither fails but at the end of a thread, and then nobody asks any more.
        let swapped = CURRENT.try_with(|current| {
            if let Ok(mut current) = current.try_borrow_mut() {
                std::mem::swap(&mut *current, &mut self.0);
            }
        });
        let (Ok(()) | Err(_)) = swapped;
    }
}

/// The place is the current one while this lives.
#[derive(Debug)]
pub(crate) struct Entered<'p>(&'p mut Place);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.swap();
    }
}

pin_project! {
    /// The future of [`TraceContext::carry`].
    #[derive(Debug)]
    pub struct Carried<F> {
        #[pin]
        future: F,
        place: Place,
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _here = this.place.enter();
        this.future.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::read_traceparent;

    fn context(span: u8) -> TraceContext {
        TraceContext::new(SpanIds::new([7; 16], [span; 8]), span == 1)
    }

    #[test]
    fn what_is_handed_on_is_what_a_receiver_reads() {
        for context in [context(1), context(2)] {
            let read = read_traceparent(&context.traceparent()).unwrap();
            assert_eq!((read.ids, read.is_sampled), (context.ids(), context.is_sampled()));
        }
        let mut meta = Map::from_iter([("tracestate".to_owned(), "old=1".into())]);
        context(1).inject(&mut meta);
        assert_eq!(meta.keys().collect::<Vec<_>>(), ["traceparent"]);
        let with_state = context(1).with_state(" a=1,b=2 ");
        with_state.inject(&mut meta);
        assert_eq!(meta["tracestate"], "a=1,b=2");
        let mut headers = HeaderMap::new();
        with_state.inject_headers(&mut headers);
        assert_eq!(headers["tracestate"], "a=1,b=2");
        assert_eq!(headers["traceparent"], with_state.traceparent().as_str());
    }

    #[test]
    fn a_state_that_is_too_long_or_no_header_is_left_out() {
        for state in ["", "a\nb", "a=\u{e9}", &"a".repeat(513)] {
            assert_eq!(context(1).with_state(state).tracestate(), None, "{state}");
        }
    }

    #[tokio::test]
    async fn each_future_has_its_own_place_across_its_waits() {
        assert_eq!(TraceContext::current(), None);
        assert!(!inject(&mut Map::new()) && !inject_headers(&mut HeaderMap::new()));
        let one = |span: u8| {
            context(span).carry(async move {
                for _ in 0..10 {
                    assert_eq!(TraceContext::current(), Some(context(span)));
                    tokio::task::yield_now().await;
                }
                let inner = context(span + 100).carry(async { TraceContext::current() });
                assert_eq!(inner.await, Some(context(span + 100)));
                TraceContext::current() == Some(context(span))
            })
        };
        assert_eq!(tokio::join!(one(1), one(2), one(3)), (true, true, true));
        assert_eq!(TraceContext::current(), None);
    }
}
