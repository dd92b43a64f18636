use super::detached_context;
use super::layered::Layered;
use super::reply::ToolReply;
use super::request::ToolRequest;
use super::service::{ToolRouterExt, ToolService};
use crate::call::{Arguments, Call, Outcome};
use crate::registry::Freeze;
use rmcp::handler::server::ServerHandler;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::{IntoCallToolResult, ToolCallContext};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation,
    ListToolsRequestMethod, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use tower::{Layer, Service};

/// A registry of made-up tools, for integration tests of policies and layers.
///
/// ```
/// use rmcp::model::{CallToolResult, ContentBlock, Tool};
/// use sec0::{MapRegistry, Policy, Sec0Options, Sec0SecurityLayer};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let policy = Policy::from_yaml(
///     "tenant: acme\ndefault_retention: 30d\nsigning: {enabled: true}\n\
///      tools: {allowlist: ['mcp://demo/add']}\n\
///      enforcement: {deny_on: [tool_not_in_allowlist]}\n",
/// )?;
/// let sec0 = Sec0SecurityLayer::try_new(Sec0Options::new(policy).audit_dir(dir.path().join("audit")))?;
/// let tool = |name: &'static str| Tool::new(name, "", serde_json::Map::new());
/// let registry = MapRegistry::new("demo", "1.0.0")
///     .tool(tool("add"), |_| async { CallToolResult::success(vec![ContentBlock::text("3")]) })
///     .tool(tool("rm"), |_| async { CallToolResult::success(vec![]) })
///     .layer(sec0.clone());
///
/// let allowed = registry.call("add", serde_json::json!({"a": 1, "b": 2})).await?;
/// assert_eq!(allowed.is_error, Some(false));
/// let refused = registry.call("rm", serde_json::json!({})).await?;
/// assert_eq!(refused.is_error, Some(true)); // tool_not_in_allowlist
/// sec0.shutdown().await;
/// # Ok(()) }
/// ```
pub struct MapRegistry {
    router: ToolRouter<MockServer>,
    server: MockServer,
}

/// What a mock handler gets.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MockCall {
    /// The tool's name.
    pub name: String,
    /// The arguments; empty when there were none.
    pub arguments: Arguments,
}

/// The server of a [`MapRegistry`].
#[derive(Debug, Clone)]
pub struct MockServer {
    info: ServerConfig,
}

impl ServerHandler for MockServer {
    fn get_info(&self) -> ServerConfig {
        self.info.clone()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListToolsRequestMethod>())
    }
}

impl MapRegistry {
    /// A server without tools.
    pub fn new(name: &str, version: &str) -> Self {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let info =
            ServerConfig::new(capabilities).with_server_info(Implementation::new(name, version));
        Self { router: ToolRouter::new(), server: MockServer { info } }
    }

    /// Adds a tool; one of the same name is replaced.
    #[must_use]
    pub fn tool<F, Fut>(mut self, tool: Tool, handler: F) -> Self
    where
        F: Fn(MockCall) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoCallToolResult + Send + 'static,
    {
        let handler = Arc::new(handler);
        let route = ToolRoute::new_dyn(tool, move |context: ToolCallContext<'_, MockServer>| {
            let call = MockCall {
                name: context.name.to_string(),
                arguments: context.arguments.unwrap_or_default(),
            };
            let handler = Arc::clone(&handler);
            Box::pin(async move { handler(call).await.into_call_tool_result() })
        });
        self.router.add_route(route);
        self
    }

    /// Freezes the tools behind `layer`.
    pub fn layer<L>(self, layer: L) -> Layered<MockServer, L::Service>
    where
        L: Layer<ToolService<MockServer>>,
        L::Service:
            Service<Call<ToolRequest>, Response = Outcome<ToolReply>, Error = Infallible> + Freeze,
    {
        self.router.serving(self.server).layer(layer)
    }
}

impl fmt::Debug for MapRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapRegistry").field("router", &self.router).finish_non_exhaustive()
    }
}

impl<T> Layered<MockServer, T>
where
    T: Service<Call<ToolRequest>, Response = Outcome<ToolReply>, Error = Infallible>
        + Freeze
        + Clone,
{
    /// Calls a tool without a client in between. Arguments that are no object are no arguments.
    ///
    /// # Errors
    ///
    /// What a client would get as a JSON-RPC error, such as an unknown tool, or a reply that is no
    /// complete result.
    pub async fn call(
        &self,
        tool: &str,
        arguments: serde_json::Value,
    ) -> Result<CallToolResult, ErrorData> {
        let mut params = CallToolRequestParams::new(tool.to_owned());
        if let serde_json::Value::Object(arguments) = arguments {
            params.arguments = Some(arguments);
        }
        let CallToolResponse::Complete(result) = self.run(params, detached_context()).await? else {
            return Err(ErrorData::internal_error("the reply is no complete result", None));
        };
        Ok(result)
    }
}
