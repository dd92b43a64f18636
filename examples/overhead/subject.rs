//! What is measured: one server, bare and behind the layer.

use crate::limit::Line;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, MetaObject, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    ToolAnnotations, object,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use sec0::sign::LocalDevSigner;
use sec0::{Policy, Sec0Options, Sec0SecurityLayer, ServerHandlerExt, ToolRouterExt};
use serde_json::json;
use std::error::Error;
use std::sync::Arc;
use tempfile::TempDir;

/// A server that holds its router: the cheapest way to run a tool that rmcp has.
#[derive(Clone)]
pub(crate) struct Bare(Arc<ToolRouter<Bare>>);

impl ServerHandler for Bare {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("bench", "1.0.0"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.0.list_all()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.0.get(name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0.call(ToolCallContext::new(self, request, context)).await
    }
}

impl Bare {
    pub(crate) fn with_tools(count: usize) -> Self {
        Self(Arc::new(router(count)))
    }
}

pub(crate) fn name(tool: usize) -> String {
    format!("echo_{tool}")
}

fn router(count: usize) -> ToolRouter<Bare> {
    (0..count).fold(ToolRouter::new(), |mut router, tool| {
        router.add_route(route(name(tool), ToolAnnotations::new().read_only(true)));
        router
    })
}

fn route(name: String, annotations: ToolAnnotations) -> ToolRoute<Bare> {
    let schema = object(json!({
        "type": "object",
        "properties": { "text": { "type": "string" } },
        "required": ["text"],
    }));
    let tool = Tool::new(name, "Gives the text back", schema)
        .with_annotations(annotations)
        .with_meta(MetaObject(object(json!({ "sec0/version": "1.0" }))));
    ToolRoute::new_dyn(tool, |mut context: ToolCallContext<'_, Bare>| {
        Box::pin(async move {
            let arguments = context.arguments.take().unwrap_or_default();
            let text = arguments.get("text").and_then(|text| text.as_str()).unwrap_or("");
            let content = vec![ContentBlock::text(text.get(..16).unwrap_or(text).to_owned())];
            Ok(CallToolResult::success(content).into())
        })
    })
}

/// A directory on a disk, which the one for temporary files need not be on.
pub(crate) fn on_the_disk_of_the_program() -> Result<TempDir, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    Ok(tempfile::tempdir_in(program.parent().ok_or("the program lies nowhere")?)?)
}

/// Arguments of about `bytes` bytes.
pub(crate) fn arguments(bytes: usize) -> serde_json::Map<String, serde_json::Value> {
    object(json!({ "text": "x".repeat(bytes.saturating_sub(11)) }))
}

/// The layer as an author would build it, with a log in a directory of its own.
pub(crate) struct Secured {
    pub(crate) layer: Sec0SecurityLayer,
    pub(crate) dir: TempDir,
}

impl Secured {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        Self::with(|options| options)
    }

    pub(crate) fn with(
        more: impl FnOnce(Sec0Options) -> Sec0Options,
    ) -> Result<Self, Box<dyn Error>> {
        Self::within(tempfile::tempdir()?, more)
    }

    pub(crate) fn within(
        dir: TempDir,
        more: impl FnOnce(Sec0Options) -> Sec0Options,
    ) -> Result<Self, Box<dyn Error>> {
        let policy = Policy::from_yaml(
            "tenant: bench\ndefault_retention: 30d\nsigning: {enabled: true}\n\
             tools: {allowlist: ['mcp://bench/*']}\n\
             enforcement: {deny_on: [tool_not_in_allowlist, version_unpinned, payload_too_large]}\n\
             security: {limits: {max_payload_kb: 1024}}\n",
        )?;
        let options = Sec0Options::new(policy)
            .audit_dir(dir.path().join("audit"))
            .signer(LocalDevSigner::from_seed([7; 32]));
        Ok(Self { layer: Sec0SecurityLayer::try_new(more(options))?, dir })
    }

    /// The routes owned by the layer.
    pub(crate) fn owned(&self, tools: usize) -> impl ServerHandler + Clone + use<> {
        router(tools).serving(Bare::with_tools(0)).layer(self.layer.clone())
    }

    /// The routes of one tool that has side effects.
    pub(crate) fn writing(&self) -> impl ServerHandler + Clone + use<> {
        let mut router = ToolRouter::new();
        router.add_route(route(name(0), ToolAnnotations::new().destructive(true)));
        router.serving(Bare::with_tools(0)).layer(self.layer.clone())
    }

    /// The line of the first call, when the log is shut down.
    pub(crate) fn line(&self) -> Result<Line, Box<dyn Error>> {
        let day = std::fs::read_dir(self.dir.path().join("audit"))?
            .filter_map(Result::ok)
            .find(|entry| entry.file_name().to_string_lossy().starts_with("audit-"))
            .ok_or("the layer wrote no record")?;
        let bytes = std::fs::read(day.path())?;
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Ok(serde_json::from_slice(line)?)
    }

    /// The server as a whole, which tells of each tool before its call.
    pub(crate) fn whole(&self, tools: usize) -> impl ServerHandler + Clone + use<> {
        Bare::with_tools(tools).layer(self.layer.clone())
    }
}
