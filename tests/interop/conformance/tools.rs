//! Tools that only answer: content of each kind, errors, progress, log lines, schemas.

use crate::fixture::Fixture;
use crate::words::{Answer, internal, log, made, said};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolResult, ClientCapabilities, ContentBlock, ErrorData, JsonObject,
    ProgressNotificationParam, object,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{tool, tool_router};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One red pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";
/// Two samples of silence.
const WAV: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA==";

const STEP: Duration = Duration::from_millis(50);

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Region {
    /// Travels in a header as well.
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

/// A schema with words that a server might drop when it passes one on.
fn rich_schema() -> Arc<JsonObject> {
    let one_of_two = json!([{ "required": ["phone"] }, { "required": ["email"] }]);
    Arc::new(object(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": one_of_two }],
        "if": {
            "properties": { "contactMethod": { "const": "phone" } },
            "required": ["contactMethod"],
        },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })))
}

#[tool_router(router = answering_tools, vis = "pub(crate)")]
impl Fixture {
    #[tool(description = "Answers with text")]
    async fn test_simple_text(&self) -> CallToolResult {
        said("This is a simple text response for testing.")
    }

    #[tool(description = "Answers with an image")]
    async fn test_image_content(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::image(PNG, "image/png")])
    }

    #[tool(description = "Answers with a sound")]
    async fn test_audio_content(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::audio(WAV, "audio/wav")])
    }

    #[tool(description = "Answers with a resource")]
    async fn test_embedded_resource(&self) -> Answer<CallToolResult> {
        let content = made(json!([{ "type": "resource", "resource": {
            "uri": "test://embedded-resource",
            "mimeType": "text/plain",
            "text": "This is an embedded resource content.",
        } }]))?;
        Ok(CallToolResult::success(content))
    }

    #[tool(description = "Answers with content of several kinds")]
    async fn test_multiple_content_types(&self) -> Answer<CallToolResult> {
        let content = made(json!([
            { "type": "text", "text": "Multiple content types test:" },
            { "type": "image", "data": PNG, "mimeType": "image/png" },
            { "type": "resource", "resource": {
                "uri": "test://mixed-content-resource",
                "mimeType": "application/json",
                "text": json!({ "test": "data", "value": 123 }).to_string(),
            } },
        ]))?;
        Ok(CallToolResult::success(content))
    }

    #[tool(description = "Fails")]
    async fn test_error_handling(&self) -> CallToolResult {
        let text = "This tool intentionally returns an error for testing";
        CallToolResult::error(vec![ContentBlock::text(text)])
    }

    #[tool(description = "Writes three lines to the log")]
    async fn test_tool_with_logging(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResult> {
        log(&context, "Tool execution started").await?;
        tokio::time::sleep(STEP).await;
        log(&context, "Tool processing data").await?;
        tokio::time::sleep(STEP).await;
        log(&context, "Tool execution completed").await?;
        Ok(said("logged"))
    }

    #[tool(description = "Writes to the log of who asked for it")]
    async fn test_logging_tool(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResult> {
        log(&context, "called").await?;
        Ok(said("logged where it was asked for"))
    }

    #[tool(description = "Tells how far it is")]
    async fn test_tool_with_progress(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResult> {
        let token = context.meta.get_progress_token();
        for step in [0.0, 50.0, 100.0] {
            if let Some(token) = token.clone() {
                let progress = ProgressNotificationParam::new(token, step).with_total(100.0);
                context.peer.notify_progress(progress).await.map_err(internal)?;
            }
            if step < 100.0 {
                tokio::time::sleep(STEP).await;
            }
        }
        Ok(said("done"))
    }

    #[tool(description = "Says that it has begun, and waits until it is given up")]
    async fn wait(
        &self,
        context: RequestContext<RoleServer>,
        cancelled: CancellationToken,
    ) -> Answer<CallToolResult> {
        if let Some(token) = context.meta.get_progress_token() {
            let begun = ProgressNotificationParam::new(token, 0.0);
            context.peer.notify_progress(begun).await.map_err(internal)?;
        }
        cancelled.cancelled().await;
        Ok(said("given up"))
    }

    #[tool(description = "Takes its time, so that a client may come back for the answer")]
    async fn test_reconnection(&self) -> CallToolResult {
        tokio::time::sleep(STEP * 2).await;
        said("here it is")
    }

    #[tool(description = "Has a rich schema", input_schema = rich_schema())]
    async fn json_schema_2020_12_tool(&self, arguments: JsonObject) -> CallToolResult {
        said(json!(arguments).to_string())
    }

    #[tool(description = "Has an argument that travels in a header as well")]
    async fn test_custom_header(
        &self,
        Parameters(Region { region }): Parameters<Region>,
    ) -> CallToolResult {
        said(region)
    }

    #[tool(description = "Needs a client that has a model")]
    async fn test_missing_capability(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResult> {
        if context.client_capabilities().is_some_and(|client| client.sampling.is_some()) {
            return Ok(said("the client has a model"));
        }
        #[expect(deprecated, reason = "what is deprecated is declared as long as it is there")]
        let needed = ClientCapabilities::builder().enable_sampling().build();
        Err(ErrorData::missing_required_client_capability(needed))
    }

    #[tool(description = "Says that the tools have changed")]
    async fn test_trigger_tool_change(&self) -> CallToolResult {
        self.changes.tools();
        said("told")
    }

    #[tool(description = "Says that the prompts have changed")]
    async fn test_trigger_prompt_change(&self) -> CallToolResult {
        self.changes.prompts();
        said("told")
    }
}
