//! The server that `server_stdio` and `server_http` serve: one tool of each kind.
#![expect(clippy::unused_self, reason = "rmcp's macro wants methods")]

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolResult, ContentBlock, MetaObject, ServerCapabilities, ServerConfig};
use rmcp::model::{Implementation, object};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Default)]
pub(crate) struct Demo;

#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(crate) struct Add {
    a: f64,
    b: f64,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct Sum {
    sum: f64,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(crate) struct Echo {
    text: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(crate) struct WriteFile {
    path: PathBuf,
    text: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(crate) struct Fetch {
    url: String,
    #[serde(default)]
    method: Option<String>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(crate) struct Slow {
    ms: u64,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
pub(crate) struct Fail {
    kind: FailKind,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailKind {
    Error,
    Panic,
}

fn v1() -> MetaObject {
    MetaObject(object(json!({ "sec0/version": "1.0" })))
}

#[tool_router(vis = "pub")]
impl Demo {
    #[tool(
        description = "Adds two numbers",
        annotations(read_only_hint = true, idempotent_hint = true),
        meta = v1()
    )]
    fn add(&self, Parameters(Add { a, b }): Parameters<Add>) -> Json<Sum> {
        Json(Sum { sum: a + b })
    }

    #[tool(description = "Gives the text back", annotations(read_only_hint = true), meta = v1())]
    fn echo(&self, Parameters(Echo { text }): Parameters<Echo>) -> String {
        text
    }

    #[tool(description = "Writes a file", annotations(destructive_hint = true), meta = v1())]
    async fn write_file(
        &self,
        Parameters(WriteFile { path, text }): Parameters<WriteFile>,
    ) -> Result<String, String> {
        match tokio::fs::write(&path, &text).await {
            Ok(()) => Ok(text.len().to_string()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    #[tool(
        description = "Says what it would have fetched; uses no network",
        annotations(open_world_hint = true),
        meta = v1()
    )]
    fn fetch(
        &self,
        Parameters(Fetch { url, method }): Parameters<Fetch>,
    ) -> Result<String, String> {
        let target: http::Uri =
            url.parse().map_err(|error| format!("the url is not one: {error}"))?;
        let host = target.host().ok_or("the url has no host")?;
        Ok(format!("{} {host}", method.as_deref().unwrap_or("GET")))
    }

    #[tool(description = "Sleeps", annotations(read_only_hint = true), meta = v1())]
    async fn slow(
        &self,
        Parameters(Slow { ms }): Parameters<Slow>,
        cancelled: CancellationToken,
    ) -> Result<String, String> {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => Ok(format!("slept {ms} ms")),
            () = cancelled.cancelled() => Err("cancelled".to_owned()),
        }
    }

    #[tool(description = "Fails", annotations(read_only_hint = true), meta = v1())]
    fn fail(&self, Parameters(Fail { kind }): Parameters<Fail>) -> CallToolResult {
        match kind {
            FailKind::Error => CallToolResult::error(vec![ContentBlock::text("failed as asked")]),
            FailKind::Panic => std::panic::resume_unwind(Box::new("panicked as asked")),
        }
    }
}

#[tool_handler]
impl ServerHandler for Demo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("demo", "1.0.0"))
    }
}
