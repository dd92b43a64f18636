use super::routes::{Routes, drift_of};
use super::whole::Whole;
use crate::registry::{Drift, Live, Look, Manner, Sight, Snapshot};
use rmcp::handler::server::ServerHandler;
use rmcp::model::Tool;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use std::sync::{Arc, OnceLock};

/// Where the tools of a server come from.
pub(super) enum Source<H> {
    /// Its routes, which were taken from it.
    Routes(Routes<H>),
    /// What it lists.
    Whole(Whole<H>),
}

impl<H: ServerHandler> Source<H> {
    pub(super) fn get(&self, name: &str) -> Option<&Tool> {
        match self {
            Self::Routes(routes) => Some(&routes.route(name)?.tool),
            Self::Whole(whole) => whole.get(name),
        }
    }

    pub(super) fn tools(&self) -> Vec<Tool> {
        match self {
            Self::Routes(routes) => routes.tools().cloned().collect(),
            Self::Whole(whole) => whole.tools().cloned().collect(),
        }
    }

    /// The first difference of a list of tools, or of the live router, from what was taken. Tools
    /// that are not in it are no difference: it may be one page, and taking a tool away is the
    /// server's right.
    pub(super) fn drift(&self, listed: &[Tool]) -> Option<Drift> {
        let listed = listed.iter().find_map(|tool| drift_of(self.get(&tool.name), tool));
        match self {
            Self::Routes(routes) => listed.or_else(|| routes.live_drift()),
            Self::Whole(_) => listed,
        }
    }

    fn sight(&self, name: &str) -> Live {
        match self {
            Self::Routes(routes) => routes.sight(name),
            Self::Whole(whole) => whole.sight(name),
        }
    }
}

/// One wrapping of a server: its tools, and the registry as it was when they were taken.
pub(super) struct Session<H> {
    pub(super) source: Arc<Source<H>>,
    manner: Manner,
    registry: OnceLock<Arc<Snapshot>>,
}

/// What a call needs of its session, whatever the server.
pub(super) trait Lookout: Send + Sync {
    /// What is to be seen of the tool now.
    fn sight(&self, name: &str) -> Sight<'_>;

    /// The first look at the registry, if none was taken yet.
    fn first_look(self: Arc<Self>, context: &RequestContext<RoleServer>) -> Option<Look>;
}

impl<H: ServerHandler> Session<H> {
    pub(super) fn new(source: Arc<Source<H>>, manner: Manner) -> Self {
        Self { source, manner, registry: OnceLock::new() }
    }

    /// The registry, where it can be seen without waiting.
    pub(super) fn glance(&self) -> Option<Arc<Snapshot>> {
        let snapshot = match &*self.source {
            Source::Routes(routes) => routes.snapshot(&self.manner),
            Source::Whole(whole) => {
                whole.glance();
                whole.snapshot(&self.manner)?
            }
        };
        Some(Arc::new(snapshot))
    }

    /// The registry.
    ///
    /// # Errors
    ///
    /// Why the server does not list its tools.
    ///
    /// # Cancel safety
    ///
    /// Dropped while the server lists, nothing was seen.
    pub(super) async fn see(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Result<Arc<Snapshot>, ErrorData> {
        if let Some(registry) = self.registry.get() {
            return Ok(Arc::clone(registry));
        }
        if let Source::Whole(whole) = &*self.source {
            whole.see(context).await?;
        }
        let Some(seen) = self.glance() else {
            return Err(ErrorData::internal_error("the tools were not taken", None));
        };
        Ok(Arc::clone(self.registry.get_or_init(|| seen)))
    }

    /// True when the registry was seen.
    pub(super) fn has_seen(&self) -> bool {
        self.registry.get().is_some()
    }

    /// Takes `registry` as the one of this session, unless it has one.
    pub(super) fn keep(&self, registry: Arc<Snapshot>) {
        self.registry.get_or_init(|| registry);
    }

    /// The frozen tools, without those that a live router has lost.
    pub(super) fn live_tools(&self) -> Vec<Tool> {
        let mut tools = self.source.tools();
        tools.retain(|tool| self.source.sight(&tool.name) != Live::Missing);
        tools
    }
}

impl<H: ServerHandler> Lookout for Session<H> {
    fn sight(&self, name: &str) -> Sight<'_> {
        Sight::new(self.registry.get(), self.source.sight(name))
    }

    fn first_look(self: Arc<Self>, context: &RequestContext<RoleServer>) -> Option<Look> {
        if self.has_seen() {
            return None;
        }
        let context = context.clone();
        Some(Box::pin(async move {
            let seen = self.see(context).await;
            seen.inspect_err(|error| {
                tracing::error!(%error, "the server does not list its tools, so none is frozen and none is called");
            })
            .ok()
        }))
    }
}
