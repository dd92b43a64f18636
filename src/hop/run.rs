use super::app::Sec0App;
use super::context::Current;
use crate::call::{ApprovalToken, SpanIds};
use crate::identity::agent_state::{AgentState, AgentStateError, RunId};
use crate::identity::{ClaimName, Claimant, Origin, Said, claims};
use std::borrow::Cow;
use std::sync::Arc;

/// Under which run hops are called, and what came with the request that started it.
///
/// ```no_run
/// # async fn doc(app: sec0::hop::Sec0App, headers: http::HeaderMap) {
/// let named = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
/// app.run().from_headers(named).scope(async { /* hops */ }).await;
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until `scope` is called"]
pub struct Run {
    app: Sec0App,
    parts: RunParts,
}

#[derive(Debug, Clone)]
pub(super) struct RunParts {
    pub(super) id: RunId,
    pub(super) parent: Option<RunId>,
    /// What the caller of this process said caused it.
    pub(super) cause: Option<SpanIds>,
    pub(super) state: Option<AgentState>,
    pub(super) approval: Option<ApprovalToken>,
    pub(super) idempotency_key: Option<Box<str>>,
}

impl RunParts {
    /// A run of its own.
    pub(super) fn fresh() -> Self {
        Self {
            id: RunId::fresh(),
            parent: None,
            cause: None,
            state: None,
            approval: None,
            idempotency_key: None,
        }
    }
}

impl Run {
    pub(super) fn new(app: Sec0App) -> Self {
        Self { app, parts: RunParts::fresh() }
    }

    /// The run under this id: normalised as headers are.
    ///
    /// # Errors
    ///
    /// Nothing is left of it.
    pub fn id(mut self, id: &str) -> Result<Self, AgentStateError> {
        self.parts.id = RunId::new(id)?;
        Ok(self)
    }

    /// Presents a grant: the hop whose call a human has approved takes it.
    pub fn approval(mut self, token: &str) -> Self {
        self.parts.approval =
            Some(ApprovalToken::new(token).unwrap_or(ApprovalToken::fits_nothing()));
        self
    }

    /// The key under which the same hop with the same arguments is the same call.
    pub fn idempotency_key(mut self, key: &str) -> Self {
        self.parts.idempotency_key = Some(key.into());
        self
    }

    /// Goes on with the run of whoever called this process: its id, cause and state, where the headers
    /// have them and they agree. All of it is recorded as claimed. `header` is asked for each by its
    /// name in lower case.
    pub fn from_headers<'h>(mut self, header: impl Fn(&str) -> Option<&'h str>) -> Self {
        let sent = Sent(header);
        let claimed = claims(&sent, crate::identity::Detail::default(), None);
        if let Some(run) = claimed.agent_ref.as_deref().and_then(|run| RunId::new(run).ok()) {
            self.parts.id = run;
            self.parts.cause = claimed.cause;
            let parent = claimed.rare.as_deref().and_then(|rare| rare.parent_ref.as_deref());
            self.parts.parent = parent.and_then(|parent| RunId::new(parent).ok());
            self.parts.state = sent.state(&claimed);
        } else {
            self.parts.cause = claimed.cause;
        }
        if let Some(token) = (sent.0)("x-sec0-approval-token") {
            return self.approval(token);
        }
        self
    }

    /// Runs a future whose hops belong to this run.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        self.current().scope(future)
    }

    /// The same for code that is not async.
    pub fn scope_sync<T>(self, act: impl FnOnce() -> T) -> T {
        self.current().sync_scope(act)
    }

    fn current(self) -> Current {
        Current::Scope(self.app, Arc::new(self.parts))
    }
}

/// Headers, as a caller sent them.
struct Sent<F>(F);

impl<'h, F: Fn(&str) -> Option<&'h str>> Sent<F> {
    /// The state, where it was taken for a claim.
    fn state(&self, claimed: &crate::call::Claimed) -> Option<AgentState> {
        let rare = claimed.rare.as_deref()?;
        rare.state_sha256.or(rare.state_hmac_sha256)?;
        AgentState::decode((self.0)("x-agent-state")?.trim()).ok()
    }
}

impl<'h, F: Fn(&str) -> Option<&'h str>> Claimant for Sent<F> {
    fn claim(&self, name: ClaimName) -> Said<'_> {
        (self.0)(name.header())
            .map_or(Said::Nothing, |text| Said::Text(Cow::Owned(text.to_owned())))
    }

    fn origin(&self) -> Origin {
        Origin::Local
    }
}
