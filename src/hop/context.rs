use super::app::Sec0App;
use super::run::RunParts;
use super::running::Running;
use crate::call::SpanIds;
use crate::config::HopType;
use crate::identity::agent_state::{AgentState, AgentStateError, NodeId, RunId, Scope};
use parking_lot::Mutex;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

tokio::task_local! {
    /// The app whose scope this is, and the hop that runs. It works in code that is not async, too.
    static CURRENT: Current;
}

/// Where code runs.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) app: Sec0App,
    pub(super) run: Arc<RunParts>,
    /// `None` outside any hop.
    pub(super) frame: Option<Arc<Frame>>,
}

/// A hop that runs.
pub(super) struct Frame {
    pub(super) running: Arc<Running>,
    /// The span of its record.
    pub(super) span: SpanIds,
    /// The span of the hop that called it, or what a caller said.
    pub(super) cause: Option<SpanIds>,
    pub(super) state: Mutex<AgentState>,
}

impl Current {
    /// Where this code runs; `None` outside every app.
    pub(super) fn get() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// The same, where it belongs to this app.
    pub(super) fn of(app: &Sec0App) -> Option<Self> {
        Self::get().filter(|current| current.app.is(app))
    }

    pub(super) fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    pub(super) fn sync_scope<T>(self, act: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, act)
    }
}

/// A hop that runs, as its body sees it.
///
/// Cheap to clone. It follows `await` points by itself; a task that is spawned takes it along with
/// [`scope`](Self::scope).
#[derive(Clone)]
pub struct HopContext {
    current: Current,
    frame: Arc<Frame>,
}

impl HopContext {
    /// The hop in which this code runs; `None` outside of any.
    pub fn current() -> Option<Self> {
        let current = Current::get()?;
        let frame = current.frame.clone()?;
        Some(Self { current, frame })
    }

    pub(super) fn new(current: Current, frame: Arc<Frame>) -> Self {
        Self { current, frame }
    }

    /// The app that runs it.
    pub fn app(&self) -> &Sec0App {
        &self.current.app
    }

    /// Its name in the configuration.
    pub fn key(&self) -> &str {
        &self.frame.running.hop.key
    }

    /// What it is.
    pub fn kind(&self) -> HopType {
        self.frame.running.hop.kind
    }

    /// The node that acts.
    pub fn node_id(&self) -> &NodeId {
        &self.frame.running.hop.node_id
    }

    /// The run: the same for all hops that follow from one another.
    pub fn run_id(&self) -> &RunId {
        &self.current.run.id
    }

    /// The span of its record.
    pub fn span(&self) -> SpanIds {
        self.frame.span
    }

    /// The span that caused it: of the hop around it, or what the caller of this process said;
    /// `None` where it is the first of its run.
    pub fn cause(&self) -> Option<SpanIds> {
        self.frame.cause
    }

    /// Runs a future in this hop: for tasks that are spawned.
    ///
    /// ```
    /// # async fn doc() -> Option<()> {
    /// let hop = sec0::hop::HopContext::current()?;
    /// tokio::spawn(hop.clone().scope(async move {
    ///     // `HopContext::current()` is the same hop here.
    /// }));
    /// # Some(()) }
    /// ```
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        self.current.scope(future)
    }

    /// Runs code that is not async in this hop: for threads that are started.
    pub fn scope_sync<T>(self, act: impl FnOnce() -> T) -> T {
        self.current.sync_scope(act)
    }

    /// Sets a variable of the agent's state, in the scope of this type of hop. It stands in the records
    /// of the hops that this one calls from now on, and goes along with
    /// [`headers`](Self::headers); do not put secrets there.
    ///
    /// # Errors
    ///
    /// The value has no JSON.
    pub fn set_state<T>(&self, name: &str, value: &T) -> Result<(), AgentStateError>
    where
        T: Serialize + ?Sized,
    {
        self.frame.state.lock().set(self.state_scope(), name, value)
    }

    /// `objective`: what the agent is to reach.
    ///
    /// # Errors
    ///
    /// Never; as [`set_state`](Self::set_state).
    pub fn objective(&self, text: &str) -> Result<(), AgentStateError> {
        self.set_state("objective", text)
    }

    /// The agent's state as it is now, with the variables of the hops around.
    pub fn snapshot(&self) -> AgentState {
        self.frame.state.lock().clone()
    }

    /// The headers that carry this hop to what it calls: node, run, state, the cause, and W3C Trace
    /// Context. Names are in lower case.
    ///
    /// # Errors
    ///
    /// The state is larger than a header may be.
    pub fn headers(&self) -> Result<Vec<(&'static str, String)>, AgentStateError> {
        let mut headers = self.snapshot().to_headers()?;
        let span = self.frame.span;
        headers.push(("traceparent", traceparent(span)));
        headers.push(("x-cause-trace", span.trace_hex().to_string()));
        headers.push(("x-cause-span", span.span_hex().to_string()));
        Ok(headers)
    }

    /// The same for the `_meta` of an MCP request, by its keys.
    ///
    /// # Errors
    ///
    /// As [`headers`](Self::headers).
    pub fn meta(&self) -> Result<serde_json::Map<String, serde_json::Value>, AgentStateError> {
        let named = |(header, value): (&str, String)| {
            let key = crate::identity::ClaimName::ALL
                .into_iter()
                .find(|name| name.header() == header)
                .and_then(crate::identity::ClaimName::meta)?;
            Some((key.to_owned(), value.into()))
        };
        Ok(self.headers()?.into_iter().filter_map(named).collect())
    }

    fn state_scope(&self) -> Scope {
        match self.kind() {
            HopType::Agent => Scope::Agent,
            HopType::Orchestrator => Scope::Orchestrator,
            HopType::Gateway => Scope::Gateway,
            HopType::Server | HopType::Middleware => Scope::Server,
            HopType::Tool | HopType::Skill => Scope::Tool,
        }
    }
}

impl fmt::Debug for HopContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HopContext")
            .field("key", &self.key())
            .field("run_id", self.run_id())
            .finish_non_exhaustive()
    }
}

/// W3C Trace Context: version 00, sampled.
fn traceparent(span: SpanIds) -> String {
    format!("00-{}-{}-01", span.trace_hex(), span.span_hex())
}
