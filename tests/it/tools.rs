//! The tools of [`Everything`]: each answers, fails or asks back in another way.

use crate::everything::{Everything, made};
use rmcp::handler::server::tool::{InputResponses, RequestState};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{tool, tool_router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;

type Answer<T> = Result<T, ErrorData>;

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Pair {
    a: i64,
    b: i64,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Sum {
    sum: i64,
}

fn a_question() -> ElicitRequestParams {
    made(json!({
        "mode": "form",
        "message": "Name?",
        "requestedSchema": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        },
    }))
}

fn internal(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), Some(json!({"from": "the tool"})))
}

fn said(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

#[tool_router(vis = "pub(crate)")]
#[expect(deprecated, reason = "what is deprecated is passed through as long as it is there")]
impl Everything {
    #[tool(description = "Content of each kind, and a meta of its own")]
    async fn contents(&self) -> CallToolResult {
        made(json!({
            "content": [
                {"type": "text", "text": "plain", "annotations": {"audience": ["user"]}},
                {"type": "image", "data": "AAAA", "mimeType": "image/png"},
                {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"},
                {"type": "resource_link", "uri": "file:///a", "name": "a", "_meta": {"k": 1}},
                {"type": "resource", "resource": {"uri": "file:///b", "text": "b"}},
            ],
            "isError": false,
            "_meta": {"acme/own": {"deep": [1, 2.5, null]}},
        }))
    }

    #[tool(description = "Structured content with an output schema")]
    async fn structured(&self, Parameters(Pair { a, b }): Parameters<Pair>) -> Json<Sum> {
        Json(Sum { sum: a + b })
    }

    #[tool(description = "Structured content that is no object")]
    async fn list(&self) -> CallToolResult {
        CallToolResult::structured(json!([1, 2, 3]))
    }

    #[tool(description = "Fails as a tool does")]
    async fn fails(&self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text("it did not work")])
    }

    #[tool(description = "Fails as the protocol does")]
    async fn errs(&self) -> Answer<CallToolResult> {
        Err(ErrorData::new(ErrorCode(-31999), "ours", Some(json!({"detail": [1]}))))
    }

    #[tool(description = "Has its own idea of bad parameters")]
    async fn picky(&self) -> Answer<CallToolResult> {
        Err(ErrorData::invalid_params("not these", Some(json!({"which": "these"}))))
    }

    #[tool(description = "Tells what it was given")]
    async fn context(&self, context: RequestContext<RoleServer>) -> CallToolResult {
        let seen = json!({
            "id": context.id,
            "meta": context.meta,
            "version": context.protocol_version(),
            "client": context.client_info(),
            "capabilities": context.client_capabilities(),
            "extensions": context.extensions.len(),
        });
        said(seen.to_string())
    }

    #[tool(description = "Reports its progress")]
    async fn progress(&self, context: RequestContext<RoleServer>) -> Answer<CallToolResult> {
        let token = context.meta.get_progress_token().ok_or_else(|| internal("no token"))?;
        for step in [1.0, 2.0] {
            let progress = ProgressNotificationParam::new(token.clone(), step)
                .with_total(2.0)
                .with_message("on the way");
            context.peer.notify_progress(progress).await.map_err(internal)?;
        }
        Ok(said("done"))
    }

    #[tool(description = "Writes to the client's log, and says that lists changed")]
    async fn notifies(&self, context: RequestContext<RoleServer>) -> Answer<CallToolResult> {
        let peer = &context.peer;
        let line = made(json!({"level": "warning", "logger": "acme", "data": {"n": 1}}));
        peer.notify_logging_message(line).await.map_err(internal)?;
        peer.notify_tool_list_changed().await.map_err(internal)?;
        peer.notify_prompt_list_changed().await.map_err(internal)?;
        peer.notify_resource_list_changed().await.map_err(internal)?;
        let uri = made(json!({"uri": "file:///a"}));
        peer.notify_resource_updated(uri).await.map_err(internal)?;
        Ok(said("notified"))
    }

    #[tool(description = "Asks the client's model")]
    async fn samples(&self, context: RequestContext<RoleServer>) -> Answer<CallToolResult> {
        let question =
            CreateMessageRequestParams::new(vec![SamplingMessage::user_text("Why?")], 16);
        let answer = context.peer.create_message(question).await.map_err(internal)?;
        Ok(said(json!(answer).to_string()))
    }

    #[tool(description = "Asks the human")]
    async fn elicits(&self, context: RequestContext<RoleServer>) -> Answer<CallToolResult> {
        let answer = context.peer.create_elicitation(a_question()).await.map_err(internal)?;
        Ok(said(json!(answer).to_string()))
    }

    #[tool(description = "Asks for the roots")]
    async fn roots(&self, context: RequestContext<RoleServer>) -> Answer<CallToolResult> {
        let answer = context.peer.list_roots().await.map_err(internal)?;
        Ok(said(json!(answer).to_string()))
    }

    #[tool(description = "Needs an answer before it goes on")]
    async fn asks_back(
        &self,
        Parameters(Pair { a, b }): Parameters<Pair>,
        RequestState(state): RequestState,
        InputResponses(responses): InputResponses,
    ) -> Answer<CallToolResponse> {
        if state.as_deref() == Some("st.ate \"1\"") {
            let answers = json!({"sum": a + b, "responses": responses});
            return Ok(said(answers.to_string()).into());
        }
        let question = InputRequest::Elicitation(ElicitRequest::new(a_question()));
        let questions = [("answer".to_owned(), question)].into();
        let result = InputRequiredResult::new(Some(questions), Some("st.ate \"1\"".to_owned()));
        Ok(result.with_meta(made(json!({"acme/own": 1}))).into())
    }

    #[tool(description = "Goes on as a task")]
    async fn becomes_task(&self) -> CallToolResponse {
        let at = "2026-01-02T03:04:05Z";
        let task = Task::new("task-1", TaskStatus::Working, at, at).with_poll_interval_ms(10);
        CallToolResponse::Task(CreateTaskResult::new(task))
    }

    #[tool(description = "Waits until it is cancelled")]
    async fn waits(&self, cancelled: CancellationToken) -> CallToolResult {
        self.saw("tool waits", (), ());
        cancelled.cancelled().await;
        self.saw("tool was cancelled", (), ());
        said("cancelled")
    }

    #[tool(description = "Is disabled")]
    async fn hidden(&self) -> CallToolResult {
        said("nobody should see this")
    }
}
