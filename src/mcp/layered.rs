use super::reply::{ToolReply, answer, list_refused, server_refused};
use super::request::ToolRequest;
use super::round;
use super::session::{Lookout, Session, Source};
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
use std::sync::{Arc, OnceLock};
use tower::{Service, ServiceExt};

/// A server behind a layer: a `ServerHandler` like the one that was wrapped.
///
/// Tool calls pass the layer; every other method goes to the inner server untouched. Cloning it is
/// cheap and keeps the frozen registry, so one value serves all HTTP sessions.
pub struct Layered<H, T> {
    pub(super) server: Arc<H>,
    session: Arc<Session<H>>,
    service: T,
    ident: Arc<ServerIdent>,
    /// How this session's registry differs from the one that the layer froze first; empty until
    /// both were seen.
    drift: Arc<OnceLock<Option<Drift>>>,
}

impl<H, T> Layered<H, T>
where
    H: ServerHandler,
    T: Freeze,
{
    pub(super) fn new(server: Arc<H>, source: Arc<Source<H>>, service: T) -> Self {
        let introduced = server.get_info().server_info;
        let ident = Arc::new(ServerIdent::new(&introduced.name, &introduced.version));
        let session = Arc::new(Session::new(source, service.manner().clone()));
        let layered = Self { server, session, service, ident, drift: Arc::default() };
        if let Some(seen) = layered.session.glance() {
            layered.freeze(&seen);
        }
        layered
    }

    /// Freezes what was seen, or holds it against what is frozen: the first difference. It is
    /// reported once.
    fn freeze(&self, seen: &Arc<Snapshot>) -> Option<&Drift> {
        let drift = self.drift.get_or_init(|| {
            let frozen = self.service.freeze(Arc::clone(seen));
            // Compared with the lock file now, before anybody asks for anything.
            self.service.refused(&self.ident);
            let drift = frozen.drift(seen);
            let swapped = if drift.is_none() { frozen.swapped_in(seen) } else { None };
            if let Some(difference) = drift.as_ref().or(swapped.as_ref()) {
                self.service.tampering(&self.ident, difference);
            }
            let is_first = drift.is_none() && swapped.is_none();
            self.session.keep(if is_first { frozen } else { Arc::clone(seen) });
            drift
        });
        drift.as_ref()
    }

    /// Refuses what a server may not do that is not the one in its lock file.
    pub(super) fn admit(&self) -> Result<(), ErrorData> {
        match self.service.refused(&self.ident) {
            Some(_) => Err(server_refused()),
            None => Ok(()),
        }
    }

    /// The server that was wrapped.
    pub fn inner(&self) -> &H {
        &self.server
    }

    /// The tools as they were frozen, by name; none while they were not.
    pub fn tools(&self) -> Vec<Tool> {
        self.session.source.tools()
    }

    /// Registers a tool, which a frozen registry always refuses.
    ///
    /// # Errors
    ///
    /// `REGISTRY_FROZEN`. The attempt is recorded, if it is among the first hundred that a layer
    /// sees.
    pub fn register(&self, tool: &Tool) -> Result<(), FrozenError> {
        let drift = match self.session.source.get(&tool.name) {
            None => Drift::Added(tool.name.as_ref().into()),
            Some(_) => Drift::Changed(tool.name.as_ref().into()),
        };
        self.service.tampering(&self.ident, &drift);
        Err(FrozenError::new(&tool.name))
    }

    /// The frozen tool. While nothing is frozen, what the server says: rmcp checks headers against
    /// it before it passes a call on, and nothing is called by it.
    ///
    /// A tool that lists leave out is not told of here either. Its calls are refused by the policy,
    /// as ever.
    pub(super) fn frozen_tool(&self, name: &str) -> Option<Tool> {
        if self.session.has_seen() {
            let withheld = self.service.withheld(&self.ident);
            let is_hidden = withheld.is_some_and(|withheld| withheld.hides(name));
            self.session.source.get(name).filter(|_| !is_hidden).cloned()
        } else {
            self.server.get_tool(name)
        }
    }

    /// The inner server's list, if every tool in it is as it was frozen, without the tools that the
    /// policy shows to nobody. A server whose routes were taken and that answers no lists is answered
    /// for with the frozen tools.
    ///
    /// The server's cursor is kept. Where all of a page is left out, the next one is asked for in its
    /// place, up to [`MOST_PAGES`]: clients take an empty page for the end of the list.
    pub(super) async fn list(
        &self,
        mut request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        // While nothing is frozen, nothing is shown.
        let seen = self.session.see(context.clone()).await?;
        if let Some(drift) = self.freeze(&seen) {
            return Err(list_refused(drift));
        }
        self.admit()?;
        let mut pages = 0_usize;
        loop {
            let mut listed = self.page(request.clone(), context.clone()).await?;
            pages = pages.saturating_add(1);
            let Some(withheld) = self.service.withheld(&self.ident) else { return Ok(listed) };
            let had = listed.tools.len();
            listed.tools.retain(|tool| !withheld.hides(&tool.name));
            let is_emptied = listed.tools.is_empty() && had > 0;
            match &listed.next_cursor {
                Some(cursor) if is_emptied && pages < MOST_PAGES && !context.ct.is_cancelled() => {
                    let next = request.unwrap_or_default();
                    request = Some(next.with_cursor(Some(cursor.clone())));
                }
                Some(_) | None => return Ok(listed),
            }
        }
    }

    /// One page of the inner server's list.
    async fn page(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let listed = match self.server.list_tools(request, context).await {
            Err(error) if error.code == ErrorCode::METHOD_NOT_FOUND => {
                ListToolsResult::with_all_items(self.session.live_tools())
            }
            listed => listed?,
        };
        match self.session.source.drift(&listed.tools) {
            None => Ok(listed),
            Some(drift) => {
                self.service.tampering(&self.ident, &drift);
                Err(list_refused(&drift))
            }
        }
    }
}

/// The most pages of the server that one page without a tool in it is looked for in.
const MOST_PAGES: usize = 100;

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
        let session: Arc<dyn Lookout> = Arc::<Session<H>>::clone(&self.session);
        let sent = round::take(&mut params).map(Arc::new);
        let door = ToolRequest { params, context, session, sent };
        Call::new(Arc::clone(&self.ident), ToolName::new(name), cancel, door)
            .with_arguments(arguments)
            .repeatable()
    }
}

impl<H, T: Clone> Clone for Layered<H, T> {
    fn clone(&self) -> Self {
        Self {
            server: Arc::clone(&self.server),
            session: Arc::clone(&self.session),
            service: self.service.clone(),
            ident: Arc::clone(&self.ident),
            drift: Arc::clone(&self.drift),
        }
    }
}

impl<H, T> fmt::Debug for Layered<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").field("server", &self.ident).finish_non_exhaustive()
    }
}
