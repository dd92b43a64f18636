use super::held::HeldRouter;
use super::layered::Layered;
use super::reply::ToolReply;
use super::request::ToolRequest;
use super::routes::Routes;
use super::session::Source;
use super::whole::Whole;
use crate::call::{Call, Cleared, Outcome};
use crate::registry::Freeze;
use rmcp::ErrorData;
use rmcp::handler::server::ServerHandler;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolResult, ContentBlock, ErrorCode};
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// A server, and where its tools come from: the innermost service, which runs handlers.
///
/// It accepts only what passed every step:
///
/// ```compile_fail,E0277
/// use sec0::call::Call;
/// use sec0::mcp::{ToolRequest, ToolService};
/// fn takes_any_call<S: tower::Service<Call<ToolRequest>>>(_: S) {}
/// fn reach<H: rmcp::ServerHandler>(handler: ToolService<H>) {
///     takes_any_call(handler); // only `Cleared`, which `Invoke` makes of `Reserved`
/// }
/// ```
pub struct ToolService<H> {
    server: Arc<H>,
    source: Arc<Source<H>>,
}

/// Takes the routes of a server, so that they can be frozen.
pub trait ToolRouterExt<H> {
    /// These routes, run on `server`.
    fn serving(self, server: H) -> ToolService<H>;
}

/// Owned routes: what was taken is what runs, a handler cannot be swapped. Routes that are disabled
/// are left out for good.
impl<H: ServerHandler> ToolRouterExt<H> for ToolRouter<H> {
    fn serving(self, server: H) -> ToolService<H> {
        ToolService::new(Arc::new(server), Source::Routes(Routes::owned(self)))
    }
}

/// Held routes: the server keeps the router and may change it. The handlers that were there when
/// it was wrapped are the ones that run; a tool whose handler or definition is another by now is
/// refused.
impl<H: ServerHandler, R: HeldRouter<H>> ToolRouterExt<H> for Arc<R> {
    fn serving(self, server: H) -> ToolService<H> {
        ToolService::new(Arc::new(server), Source::Routes(Routes::held(self)))
    }
}

/// Puts a layer on any server.
///
/// ```
/// use rmcp::ServerHandler;
/// use sec0::{Sec0SecurityLayer, ServerHandlerExt};
/// fn secured<S: ServerHandler>(server: S, sec0: &Sec0SecurityLayer) -> impl ServerHandler {
///     server.layer(sec0.clone())
/// }
/// ```
///
/// The server's tools are those that it lists, all pages of them, when it is wrapped. A server that
/// has to wait for its list, or cannot give it without a client, is asked again before its first
/// `tools/list` or `tools/call`. From then on every list is held against that one, and on every
/// call what the server's `get_tool` says of the tool, if it says anything.
///
/// # What cannot be seen
///
/// Which handler runs is the server's own affair: a body that is swapped behind an unchanged
/// definition runs, and so does a changed definition that the server neither lists nor tells. Where
/// the routes can be taken from the server, [`ToolRouterExt::serving`] closes that: what was taken
/// is what runs.
pub trait ServerHandlerExt: ServerHandler {
    /// This server behind `layer`.
    fn layer<L>(self, layer: L) -> Layered<Self, L::Service>
    where
        L: Layer<ToolService<Self>>,
        L::Service:
            Service<Call<ToolRequest>, Response = Outcome<ToolReply>, Error = Infallible> + Freeze,
    {
        let server = Arc::new(self);
        let whole = Whole::new(Arc::clone(&server));
        ToolService::new(server, Source::Whole(whole)).layer(layer)
    }
}

impl<H: ServerHandler> ServerHandlerExt for H {}

impl<H: ServerHandler> ToolService<H> {
    fn new(server: Arc<H>, source: Source<H>) -> Self {
        Self { server, source: Arc::new(source) }
    }

    /// Puts `layer` on the tools and freezes them.
    pub fn layer<L>(self, layer: L) -> Layered<H, L::Service>
    where
        L: Layer<Self>,
        L::Service:
            Service<Call<ToolRequest>, Response = Outcome<ToolReply>, Error = Infallible> + Freeze,
    {
        let (server, source) = (Arc::clone(&self.server), Arc::clone(&self.source));
        Layered::new(server, source, layer.layer(self))
    }
}

impl<H> Clone for ToolService<H> {
    fn clone(&self) -> Self {
        Self { server: Arc::clone(&self.server), source: Arc::clone(&self.source) }
    }
}

impl<H> fmt::Debug for ToolService<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolService").finish_non_exhaustive()
    }
}

impl<H: ServerHandler> Service<Cleared<ToolRequest>> for ToolService<H> {
    type Response = ToolReply;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<ToolReply, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, cleared: Cleared<ToolRequest>) -> Self::Future {
        let Self { server, source } = self.clone();
        Box::pin(async move { Ok(run(&*server, &source, cleared.into_call()).await) })
    }
}

async fn run<H: ServerHandler>(
    server: &H,
    source: &Source<H>,
    call: Call<ToolRequest>,
) -> ToolReply {
    let ToolRequest { mut params, context, sent, .. } = call.door;
    if let Some(state) = sent.as_ref().and_then(|sent| sent.restored.get()) {
        params.request_state = Some(state.to_string());
    }
    let route = match source {
        // By the name that was judged, and by no other.
        Source::Routes(routes) => match routes.route(call.tool.as_str()) {
            Some(route) => Some(route),
            None => return Err(ErrorData::invalid_params("tool not found", None)),
        },
        Source::Whole(_) => None,
    };
    params.name = call.tool.into_inner();
    params.arguments = call.arguments;
    match route {
        Some(route) => {
            let reply = (route.handler)(ToolCallContext::new(server, params, context)).await;
            reply.or_else(as_tool_error)
        }
        None => server.call_tool(params, context).await,
    }
}

/// What rmcp's own router does with arguments that do not fit the handler's parameters: they are
/// the tool's failure, for the model to read, and not the protocol's. The router tells them by
/// their text, so this does too.
fn as_tool_error(error: ErrorData) -> ToolReply {
    let misfit = error.code == ErrorCode::INVALID_PARAMS
        && error.message.starts_with("failed to deserialize parameters:");
    if misfit {
        Ok(CallToolResult::error(vec![ContentBlock::text(error.message)]).into())
    } else {
        Err(error)
    }
}
