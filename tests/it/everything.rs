//! A server that answers every method of rmcp's `ServerHandler` in its own words, and keeps what it
//! was asked.

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::{InputResponses, RequestState, ToolCallContext};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ServerHandler, tool, tool_router};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

type Answer<T> = Result<T, ErrorData>;

/// How many methods `ServerHandler` has in the version of rmcp that is built against.
pub(crate) const METHODS: usize = 32;

/// One method that was called: its name, its parameters, its `_meta`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) method: &'static str,
    pub(crate) what: String,
}

#[derive(Clone)]
pub(crate) struct Everything {
    router: ToolRouter<Self>,
    seen: watch::Sender<Vec<Seen>>,
}

impl Everything {
    pub(crate) fn new() -> Self {
        let router = Self::tool_router().with_disabled("hidden");
        Self { router, seen: watch::Sender::new(Vec::new()) }
    }

    pub(crate) fn router(&self) -> ToolRouter<Self> {
        self.router.clone()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// Waits until `method` was called.
    pub(crate) async fn has_seen(&self, method: &str) {
        let mut seen = self.seen.subscribe();
        let all = seen.wait_for(|all| all.iter().any(|seen| seen.method == method));
        tokio::time::timeout(crate::drive::PATIENCE, all).await.expect(method).unwrap();
    }

    fn saw(&self, method: &'static str, params: impl Serialize, meta: impl Serialize) {
        let what = json!({ "params": params, "meta": meta }).to_string();
        self.seen.send_modify(|seen| seen.push(Seen { method, what }));
    }

    /// Something that is not to be compared, since how often rmcp asks is its own business.
    fn was_asked(&self, method: &'static str) {
        self.seen.send_if_modified(|seen| {
            let new = seen.iter().all(|seen| seen.method != method);
            if new {
                seen.push(Seen { method, what: String::new() });
            }
            new
        });
    }
}

/// A value of one of rmcp's types.
pub(crate) fn made<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

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

#[tool_router]
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

// A new method in rmcp is a new way past the layer: this lint says that the fixture lacks it, and
// `METHODS` that the tests do.
#[deny(clippy::missing_trait_methods)]
#[expect(deprecated, reason = "what is deprecated is passed through as long as it is there")]
impl ServerHandler for Everything {
    async fn ping(&self, context: RequestContext<RoleServer>) -> Answer<()> {
        self.saw("ping", (), &context.meta);
        Ok(())
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<InitializeResult> {
        self.saw("initialize", &request, &context.meta);
        context.peer.set_peer_info(request.clone());
        self.negotiate_initialize(&request)
    }

    fn negotiate_initialize(&self, request: &InitializeRequestParams) -> Answer<InitializeResult> {
        self.saw("negotiate_initialize", request, ());
        let mut info = self.get_info().with_instructions("negotiated");
        info.protocol_version = request.protocol_version.clone();
        Ok(info)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.was_asked("supported_protocol_versions");
        Cow::Borrowed(&[ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28])
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Answer<DiscoverResult> {
        self.saw("discover", (), &context.meta);
        let versions = self.supported_protocol_versions().into_owned();
        let mut result = DiscoverResult::from_server_info(versions, self.get_info());
        result.instructions = Some("discovered".to_owned());
        Ok(result)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<CompleteResult> {
        self.saw("complete", &request, &context.meta);
        Ok(made(json!({"completion": {"values": ["one", "two"], "total": 7, "hasMore": true}})))
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<()> {
        self.saw("set_level", &request, &context.meta);
        Ok(())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<GetPromptResponse> {
        self.saw("get_prompt", &request, &context.meta);
        if request.name == "asks_back" {
            return Ok(InputRequiredResult::from_request_state("prompt state").into());
        }
        let result: GetPromptResult = made(json!({
            "description": "a prompt",
            "messages": [{"role": "user", "content": {"type": "text", "text": request.name}}],
            "_meta": {"acme/own": 1},
        }));
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Answer<ListPromptsResult> {
        self.saw("list_prompts", &request, &context.meta);
        Ok(made(json!({
            "prompts": [{"name": "p", "arguments": [{"name": "a", "required": true}]}],
            "nextCursor": "more prompts",
            "_meta": {"acme/own": 2},
        })))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Answer<ListResourcesResult> {
        self.saw("list_resources", &request, &context.meta);
        Ok(made(json!({
            "resources": [{"uri": "file:///a", "name": "a", "size": 3}],
            "nextCursor": "more resources",
        })))
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Answer<ListResourceTemplatesResult> {
        self.saw("list_resource_templates", &request, &context.meta);
        Ok(made(json!({"resourceTemplates": [{"uriTemplate": "file:///{x}", "name": "x"}]})))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<ReadResourceResponse> {
        self.saw("read_resource", &request, &context.meta);
        if request.uri != "file:///a" {
            return Err(ErrorData::resource_not_found("none", Some(json!({"uri": request.uri}))));
        }
        let result: ReadResourceResult =
            made(json!({"contents": [{"uri": "file:///a", "text": "the text"}]}));
        Ok(result.into())
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.saw("accepted_subscription_filter", requested, ());
        let accepted = SubscriptionFilter::builder().tools_list_changed();
        Some(accepted.resource_subscriptions(["file:///a"]).build())
    }

    async fn listen(&self, context: SubscriptionContext) -> Answer<()> {
        let meta = &context.request_context().meta;
        self.saw("listen", (context.requested(), context.accepted()), meta);
        context.sink().notify_tool_list_changed().await.map_err(internal)?;
        context.sink().notify_resource_updated("file:///a").await.map_err(internal)?;
        Ok(())
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<()> {
        self.saw("subscribe", &request, &context.meta);
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<()> {
        self.saw("unsubscribe", &request, &context.meta);
        Ok(())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResponse> {
        self.was_asked("call_tool");
        self.router.call(ToolCallContext::new(self, request, context)).await
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Answer<ListToolsResult> {
        self.saw("list_tools", &request, &context.meta);
        Ok(made(json!({
            "tools": self.router.list_all(),
            "nextCursor": "more tools",
            "ttlMs": 5,
            "_meta": {"acme/own": 3},
        })))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.was_asked("get_tool");
        self.router.get(name).cloned()
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Answer<CustomResult> {
        self.saw("on_custom_request", (&request.method, &request.params), &context.meta);
        if request.method == "acme/fails" {
            return Err(ErrorData::new(ErrorCode(-31998), "no", Some(json!({"why": "asked"}))));
        }
        Ok(CustomResult::new(json!({"custom": request.params})))
    }

    async fn on_cancelled(
        &self,
        notification: CancelledNotificationParam,
        context: NotificationContext<RoleServer>,
    ) {
        self.saw("on_cancelled", &notification, &context.meta);
    }

    async fn on_progress(
        &self,
        notification: ProgressNotificationParam,
        context: NotificationContext<RoleServer>,
    ) {
        self.saw("on_progress", &notification, &context.meta);
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.saw("on_initialized", (), &context.meta);
    }

    async fn on_roots_list_changed(&self, context: NotificationContext<RoleServer>) {
        self.saw("on_roots_list_changed", (), &context.meta);
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        context: NotificationContext<RoleServer>,
    ) {
        let what = (&notification.method, &notification.params);
        self.saw("on_custom_notification", what, &context.meta);
    }

    fn get_info(&self) -> ServerConfig {
        self.was_asked("get_info");
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_logging()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_tasks()
            .enable_skills_with_directory_read()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("everything", "7.0.0"))
            .with_instructions("informed")
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<GetTaskResult> {
        self.saw("get_task", &request, &context.meta);
        let at = "2026-01-02T03:04:05Z";
        let task = Task::new(request.task_id, TaskStatus::Completed, at, at);
        let result = made(json!({"content": [{"type": "text", "text": "42"}]}));
        Ok(GetTaskResult::new(DetailedTask::new(task, TaskPayload::Completed { result })))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<()> {
        self.saw("update_task", &request, &context.meta);
        Ok(())
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<()> {
        self.saw("cancel_task", &request, &context.meta);
        Err(ErrorData::invalid_params("no such task", Some(json!({"id": request.task_id}))))
    }

    async fn list_skills(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Answer<ListSkillsResult> {
        self.saw("list_skills", &request, &context.meta);
        Ok(ListSkillsResult::with_all_items(vec![skill()]))
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<GetSkillResult> {
        self.saw("get_skill", &request, &context.meta);
        Ok(GetSkillResult::new(skill()).with_meta(made(json!({"acme/own": 4}))))
    }

    async fn read_resource_directory(
        &self,
        request: ReadResourceDirectoryRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Answer<ReadResourceDirectoryResult> {
        self.saw("read_resource_directory", &request, &context.meta);
        Ok(made(json!({"resources": [{"uri": "skill://pdf/x.md", "name": "x.md"}]})))
    }
}

fn skill() -> Skill {
    let frontmatter = SkillFrontmatter::new("pdf", "Reads PDF files");
    Skill::new("skill://pdf/SKILL.md", frontmatter, SkillResources::Dynamic)
}
