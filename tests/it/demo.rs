//! A server like that of the example programs, with what the tests in this process call.

use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{
    CallToolResult, ContentBlock, Implementation, MetaObject, ServerCapabilities, ServerConfig,
};
use rmcp::{ServerHandler, object, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone)]
pub(crate) struct Demo;

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Add {
    a: f64,
    b: f64,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Sum {
    sum: f64,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Echo {
    text: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct WriteFile {
    path: PathBuf,
    text: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Slow {
    ms: u64,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Fail {
    kind: String,
}

fn v1() -> MetaObject {
    MetaObject(object!({"sec0/version": "1.0"}))
}

#[tool_router(vis = "pub(crate)")]
impl Demo {
    #[tool(description = "Adds two numbers", meta = v1())]
    async fn add(&self, Parameters(Add { a, b }): Parameters<Add>) -> Json<Sum> {
        Json(Sum { sum: a + b })
    }

    #[tool(description = "Gives the text back", meta = v1())]
    async fn echo(&self, Parameters(Echo { text }): Parameters<Echo>) -> String {
        text
    }

    #[tool(description = "Writes a file", meta = v1())]
    async fn write_file(&self, Parameters(file): Parameters<WriteFile>) -> Result<String, String> {
        tokio::fs::write(&file.path, &file.text).await.map_err(|error| error.to_string())?;
        Ok(file.text.len().to_string())
    }

    #[tool(description = "Sleeps", meta = v1())]
    async fn slow(
        &self,
        Parameters(Slow { ms }): Parameters<Slow>,
        cancelled: CancellationToken,
    ) -> Result<String, String> {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => Ok("slept".to_owned()),
            () = cancelled.cancelled() => Err("cancelled".to_owned()),
        }
    }

    #[tool(description = "Fails", meta = v1())]
    async fn fail(&self, Parameters(Fail { kind }): Parameters<Fail>) -> CallToolResult {
        assert_ne!(kind, "panic", "panicked as asked");
        CallToolResult::error(vec![ContentBlock::text("failed as asked")])
    }
}

#[tool_handler]
impl ServerHandler for Demo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("demo", "1.0.0"))
    }
}
