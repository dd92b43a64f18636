//! The server itself: what is shared, and which file answers which method.

use crate::changes::Changes;
use crate::seal::Seal;
use crate::words::Answer;
use crate::{prompts, resources, skills};
use rmcp::handler::server::router::tool::ToolRouter;
#[expect(deprecated, reason = "earlier versions of the protocol have it")]
use rmcp::model::SetLevelRequestParams;
use rmcp::model::{
    CancelTaskParams, CompleteRequestParams, CompleteResult, GetPromptRequestParams,
    GetPromptResponse, GetSkillRequestParams, GetSkillResult, GetTaskParams, GetTaskResult,
    Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListSkillsResult, PaginatedRequestParams, ReadResourceDirectoryRequestParams,
    ReadResourceDirectoryResult, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, SubscribeRequestParams, SubscriptionFilter,
    UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use rmcp::task_manager::TaskManager;
use rmcp::{ServerHandler, tool_handler};
use std::sync::Arc;

type Context = RequestContext<RoleServer>;
type Page = Option<PaginatedRequestParams>;

/// Cloned for each session; what it holds is shared.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) changes: Changes,
    pub(crate) seal: Seal,
    pub(crate) tasks: TaskManager,
    routes: Arc<ToolRouter<Self>>,
}

impl Fixture {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self {
            changes: Changes::new(),
            seal: Seal::new()?,
            tasks: TaskManager::new(),
            routes: Arc::new(Self::routes()),
        })
    }

    /// All tools.
    pub(crate) fn routes() -> ToolRouter<Self> {
        Self::answering_tools()
            + Self::asking_tools()
            + Self::input_required_tools()
            + Self::task_tools()
    }
}

#[expect(deprecated, reason = "earlier versions of the protocol have it")]
#[tool_handler(router = self.routes)]
impl ServerHandler for Fixture {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_logging()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_tasks()
            .enable_skills_with_directory_read()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("conformance-fixture", "1.0.0"))
    }

    async fn set_level(&self, _: SetLevelRequestParams, _: Context) -> Answer<()> {
        Ok(())
    }

    async fn complete(&self, request: CompleteRequestParams, _: Context) -> Answer<CompleteResult> {
        prompts::complete(&request)
    }

    async fn list_prompts(&self, _: Page, _: Context) -> Answer<ListPromptsResult> {
        prompts::list()
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: Context,
    ) -> Answer<GetPromptResponse> {
        prompts::get(&request)
    }

    async fn list_resources(&self, _: Page, _: Context) -> Answer<ListResourcesResult> {
        resources::list()
    }

    async fn list_resource_templates(
        &self,
        _: Page,
        _: Context,
    ) -> Answer<ListResourceTemplatesResult> {
        resources::templates()
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: Context,
    ) -> Answer<ReadResourceResponse> {
        resources::read(&request.uri)
    }

    async fn subscribe(&self, _: SubscribeRequestParams, _: Context) -> Answer<()> {
        Ok(())
    }

    async fn unsubscribe(&self, _: UnsubscribeRequestParams, _: Context) -> Answer<()> {
        Ok(())
    }

    fn accepted_subscription_filter(
        &self,
        asked: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(asked.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Answer<()> {
        self.changes.pass_on(&subscription).await
    }

    async fn get_task(&self, request: GetTaskParams, _: Context) -> Answer<GetTaskResult> {
        Ok(GetTaskResult::new(self.tasks.get_task(&request.task_id)?))
    }

    async fn update_task(&self, request: UpdateTaskParams, _: Context) -> Answer<()> {
        self.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(&self, request: CancelTaskParams, _: Context) -> Answer<()> {
        self.tasks.cancel_task(&request.task_id)
    }

    async fn list_skills(&self, _: Page, _: Context) -> Answer<ListSkillsResult> {
        Ok(ListSkillsResult::with_all_items(vec![skills::skill()]))
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        _: Context,
    ) -> Answer<GetSkillResult> {
        Ok(GetSkillResult::new(skills::get(&request.uri)?))
    }

    async fn read_resource_directory(
        &self,
        request: ReadResourceDirectoryRequestParams,
        _: Context,
    ) -> Answer<ReadResourceDirectoryResult> {
        skills::folder(&request.uri)
    }
}
