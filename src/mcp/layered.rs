use super::reply::{ToolReply, answer, list_refused};
use super::request::ToolRequest;
use super::routes::{Lookout, Routes};
use crate::call::{Call, Outcome, ServerIdent, ToolName};
use crate::registry::{Drift, Freeze, FrozenError, Snapshot};
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, ErrorCode, ListToolsResult, PaginatedRequestParams, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use tower::{Service, ServiceExt};

/// A server behind a layer: a `ServerHandler` like the one that was wrapped.
///
/// Tool calls pass the layer; every other method goes to the inner server untouched. Cloning it is
/// cheap and keeps the frozen registry, so one value serves all HTTP sessions.
pub struct Layered<H, T> {
    pub(super) server: Arc<H>,
    routes: Arc<Routes<H>>,
    service: T,
    ident: Arc<ServerIdent>,
    session: Arc<Snapshot>,
    /// How this session's registry differs from the one that the layer froze first.
    drift: Option<Arc<Drift>>,
}

impl<H, T> Layered<H, T>
where
    H: ServerHandler,
    T: Freeze,
{
    pub(super) fn new(server: Arc<H>, routes: Arc<Routes<H>>, service: T) -> Self {
        let introduced = server.get_info().server_info;
        let ident = Arc::new(ServerIdent::new(&introduced.name, &introduced.version));
        let seen = Arc::new(routes.snapshot(service.manner()));
        let frozen = service.freeze(Arc::clone(&seen));
        let drift = frozen.drift(&seen).map(Arc::new);
        if let Some(drift) = &drift {
            service.tampering(&ident, drift);
        }
        let swapped = frozen.swapped_in(&seen);
        if let (None, Some(swapped)) = (&drift, &swapped) {
            service.tampering(&ident, swapped);
        }
        let session = if drift.is_none() && swapped.is_none() { frozen } else { seen };
        Self { server, routes, service, ident, session, drift }
    }

    /// The server that was wrapped.
    pub fn inner(&self) -> &H {
        &self.server
    }

    /// The tools as they were frozen, by name.
    pub fn tools(&self) -> Vec<Tool> {
        self.routes.tools()
    }

    /// Registers a tool, which a frozen registry always refuses.
    ///
    /// # Errors
    ///
    /// `REGISTRY_FROZEN`. The attempt is recorded, if it is among the first hundred that a layer
    /// sees.
    pub fn register(&self, tool: &Tool) -> Result<(), FrozenError> {
        let drift = match self.routes.get(&tool.name) {
            None => Drift::Added(tool.name.as_ref().into()),
            Some(_) => Drift::Changed(tool.name.as_ref().into()),
        };
        self.service.tampering(&self.ident, &drift);
        Err(FrozenError::new(&tool.name))
    }

    pub(super) fn frozen_tool(&self, name: &str) -> Option<Tool> {
        self.routes.get(name).cloned()
    }

    /// The inner server's list, if every tool in it is as it was frozen. A server that answers no
    /// lists is answered for with the frozen tools.
    pub(super) async fn list(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if let Some(drift) = &self.drift {
            return Err(list_refused(drift));
        }
        let listed = match self.server.list_tools(request, context).await {
            Err(error) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                ListToolsResult::with_all_items(self.live_tools())
            }
            listed => listed?,
        };
        match self.routes.drift(&listed.tools) {
            None => Ok(listed),
            Some(drift) => {
                self.service.tampering(&self.ident, &drift);
                Err(list_refused(&drift))
            }
        }
    }

    fn live_tools(&self) -> Vec<Tool> {
        let mut tools = self.routes.tools();
        tools.retain(|tool| self.routes.is_live(&tool.name));
        tools
    }
}

impl<H, T> Layered<H, T>
where
    H: ServerHandler,
    T: Service<Call<ToolRequest>, Response = Outcome<ToolReply>, Error = Infallible>
        + Freeze
        + Clone,
{
    pub(super) async fn run(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> ToolReply {
        let call = self.ask(params, context);
        let Ok(outcome) = self.service.clone().oneshot(call).await;
        answer(outcome, self.service.manner())
    }

    fn ask(
        &self,
        mut params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Call<ToolRequest> {
        let name = std::mem::take(&mut params.name);
        let arguments = params.arguments.take();
        let cancel = context.ct.clone();
        let session = Arc::clone(&self.session);
        let routes: Arc<dyn Lookout> = Arc::<Routes<H>>::clone(&self.routes);
        let door = ToolRequest { params, context, session, routes };
        Call::new(Arc::clone(&self.ident), ToolName::new(name), cancel, door)
            .with_arguments(arguments)
    }
}

impl<H, T: Clone> Clone for Layered<H, T> {
    fn clone(&self) -> Self {
        Self {
            server: Arc::clone(&self.server),
            routes: Arc::clone(&self.routes),
            service: self.service.clone(),
            ident: Arc::clone(&self.ident),
            session: Arc::clone(&self.session),
            drift: self.drift.clone(),
        }
    }
}

impl<H, T> fmt::Debug for Layered<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").field("server", &self.ident).finish_non_exhaustive()
    }
}
