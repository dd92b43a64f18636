//! A server that answers every method of rmcp's `ServerHandler` in its own words, and keeps what it
//! was asked.

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::*;
use rmcp::service::{
    NotificationContext, RequestContext, RoleClient, RoleServer, SubscriptionContext,
};
use rmcp::{ClientHandler, ServerHandler};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::borrow::Cow;
use tokio::sync::watch;

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

    pub(crate) fn saw(&self, method: &'static str, params: impl Serialize, meta: impl Serialize) {
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
        context
            .sink()
            .notify_tool_list_changed()
            .await
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        context
            .sink()
            .notify_resource_updated("file:///a")
            .await
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
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
        match request.as_ref().and_then(|request| request.cursor.as_deref()) {
            Some("no cursor of ours") => {
                return Err(ErrorData::invalid_params("no such page", Some(json!({"page": 9}))));
            }
            Some("behind the last") => return Ok(ListToolsResult::default()),
            Some(_) | None => {}
        }
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

/// A client with a human and a model behind it.
#[derive(Debug, Clone)]
pub(crate) struct Human;

#[expect(deprecated, reason = "what is deprecated is passed through as long as it is there")]
impl ClientHandler for Human {
    async fn create_message(
        &self,
        _: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        Ok(CreateMessageResult::new(SamplingMessage::assistant_text("Because"), "model".to_owned()))
    }

    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        Ok(made(json!({"roots": [{"uri": "file:///home", "name": "home"}]})))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(json!({"name": "Ferris"})))
    }

    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder()
            .enable_elicitation()
            .enable_roots()
            .enable_roots_list_changed()
            .enable_sampling()
            .enable_tasks()
            .build();
        ClientConfig::new(capabilities, Implementation::new("human", "1.0.0"))
    }
}
