use super::app::Sec0App;
use super::run::RunParts;
use super::running::Running;
use crate::call::SpanIds;
use crate::config::{Hop, HopType};
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
pub(super) enum Current {
    /// In the scope of an app, in no hop.
    Scope(Sec0App, Arc<RunParts>),
    /// In a hop.
    Hop(Arc<Frame>),
}

/// A hop that runs.
pub(super) struct Frame {
    pub(super) app: Sec0App,
    pub(super) run: Arc<RunParts>,
    pub(super) running: Arc<Running>,
    /// The span of its record.
    pub(super) span: SpanIds,
    /// The span of the hop that called it, or what a caller said.
    pub(super) cause: Option<SpanIds>,
    /// The agent's state; `None` while nobody has said anything.
    state: Mutex<Option<AgentState>>,
}

impl Current {
    /// Where this code runs; `None` outside every app.
    pub(super) fn get() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// The same, where it belongs to this app.
    pub(super) fn of(app: &Sec0App) -> Option<Self> {
        Self::with(app, Clone::clone)
    }

    /// Does something with it, where it belongs to this app.
    pub(super) fn with<T>(app: &Sec0App, act: impl FnOnce(&Self) -> T) -> Option<T> {
        CURRENT.try_with(|current| current.app().is(app).then(|| act(current))).ok()?
    }

    pub(super) fn app(&self) -> &Sec0App {
        match self {
            Self::Scope(app, _) => app,
            Self::Hop(frame) => &frame.app,
        }
    }

    pub(super) fn run(&self) -> &Arc<RunParts> {
        match self {
            Self::Scope(_, run) => run,
            Self::Hop(frame) => &frame.run,
        }
    }

    /// The hop around; `None` outside any.
    pub(super) fn frame(&self) -> Option<&Arc<Frame>> {
        match self {
            Self::Scope(..) => None,
            Self::Hop(frame) => Some(frame),
        }
    }

    /// The state with which a hop begins here: its node in its run, with the variables of what is
    /// around; `None` where there are none.
    pub(super) fn state_of(&self, running: &Running) -> Option<AgentState> {
        let around = match self {
            Self::Scope(_, run) => run.state.as_ref().map(|state| state.variables.clone()),
            Self::Hop(frame) => frame.state.lock().as_ref().map(|state| state.variables.clone()),
        };
        let variables = around.filter(|variables| !variables.is_empty())?;
        let mut state = fresh_state(running, self.run());
        state.variables = variables;
        Some(state)
    }

    /// A hop that begins here.
    pub(super) fn enter(
        &self,
        running: &Arc<Running>,
        span: SpanIds,
        cause: Option<SpanIds>,
    ) -> HopContext {
        HopContext(Arc::new(Frame {
            app: self.app().clone(),
            run: Arc::clone(self.run()),
            running: Arc::clone(running),
            span,
            cause,
            state: Mutex::new(self.state_of(running)),
        }))
    }

    pub(super) fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    pub(super) fn sync_scope<T>(self, act: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self, act)
    }
}

/// What is known of a hop by itself.
fn fresh_state(running: &Running, run: &RunParts) -> AgentState {
    let mut state = AgentState::new(running.hop.node_id.clone());
    state.run_id = Some(run.id.clone());
    state.parent_ref.clone_from(&run.parent);
    state
}

/// A hop that runs, as its body sees it.
///
/// Cheap to clone. It follows `await` points by itself; a task that is spawned takes it along with
/// [`scope`](Self::scope).
#[derive(Clone)]
pub struct HopContext(Arc<Frame>);

impl HopContext {
    /// The hop in which this code runs; `None` outside of any.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.frame().cloned()).ok()?.map(Self)
    }

    /// The app that runs it.
    pub fn app(&self) -> &Sec0App {
        &self.0.app
    }

    /// What was configured.
    pub fn hop(&self) -> &Hop {
        &self.0.running.hop
    }

    /// Its name in the configuration.
    pub fn key(&self) -> &str {
        &self.0.running.hop.key
    }

    /// What it is.
    pub fn kind(&self) -> HopType {
        self.0.running.hop.kind
    }

    /// The node that acts.
    pub fn node_id(&self) -> &NodeId {
        &self.0.running.hop.node_id
    }

    /// The run: the same for all hops that follow from one another.
    pub fn run_id(&self) -> &RunId {
        &self.0.run.id
    }

    /// The span of its record.
    pub fn span(&self) -> SpanIds {
        self.0.span
    }

    /// The span that caused it: of the hop around it, or what the caller of this process said;
    /// `None` where it is the first of its run.
    pub fn cause(&self) -> Option<SpanIds> {
        self.0.cause
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
        Current::Hop(self.0).scope(future)
    }

    /// Runs code that is not async in this hop: for threads that are started.
    pub fn scope_sync<T>(self, act: impl FnOnce() -> T) -> T {
        Current::Hop(self.0).sync_scope(act)
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
        let scope = self.state_scope();
        self.with_state(|state| state.set(scope, name, value))
    }

    /// Puts something at the top of what the state says besides variables. Do not put secrets there.
    ///
    /// # Errors
    ///
    /// The value has no JSON.
    pub fn set_metadata<T>(&self, name: &str, value: &T) -> Result<(), AgentStateError>
    where
        T: Serialize + ?Sized,
    {
        let value =
            serde_json::to_value(value).map_err(|_error| AgentStateError::NotSerializable)?;
        self.with_state(|state| {
            state.metadata.get_or_insert_default().insert(name.to_owned(), value);
        });
        Ok(())
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
        self.with_state(|state| state.clone())
    }

    /// The headers that carry this hop to what it calls: node, run, state, the cause, and W3C Trace
    /// Context. Names are in lower case.
    ///
    /// # Errors
    ///
    /// The state is larger than a header may be.
    pub fn headers(&self) -> Result<Vec<(&'static str, String)>, AgentStateError> {
        let mut headers = self.snapshot().to_headers()?;
        let span = self.0.span;
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

    fn with_state<T>(&self, act: impl FnOnce(&mut AgentState) -> T) -> T {
        let Frame { running, run, state, .. } = &*self.0;
        act(state.lock().get_or_insert_with(|| fresh_state(running, run)))
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
