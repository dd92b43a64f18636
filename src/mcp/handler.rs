use super::layered::Layered;
use super::reply::ToolReply;
use super::request::ToolRequest;
use crate::call::{Call, Outcome};
use crate::registry::Freeze;
use rmcp::handler::server::ServerHandler;
#[expect(deprecated, reason = "deprecated methods of the protocol pass like all others")]
use rmcp::model::SetLevelRequestParams;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CancelledNotificationParam,
    CompleteRequestParams, CompleteResult, CustomNotification, CustomRequest, CustomResult,
    DiscoverResult, GetPromptRequestParams, GetPromptResponse, GetSkillRequestParams,
    GetSkillResult, GetTaskParams, GetTaskResult, InitializeRequestParams, InitializeResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListSkillsResult,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion,
    ReadResourceDirectoryRequestParams, ReadResourceDirectoryResult, ReadResourceRequestParams,
    ReadResourceResponse, ServerConfig, SubscribeRequestParams, SubscriptionFilter, Tool,
    UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};
use std::borrow::Cow;
use std::convert::Infallible;
use tower::Service;

type Request = RequestContext<RoleServer>;
type Notification = NotificationContext<RoleServer>;

/// Methods that the inner server answers.
macro_rules! untouched {
    ($( $name:ident($($argument:ident: $type:ty),*) -> $answer:ty; )*) => { $(
        async fn $name(&self, $($argument: $type),*) -> $answer {
            self.server.$name($($argument),*).await
        }
    )* };
}

// A method that this list lacks would be answered by rmcp's default instead of by the inner
// server: the lint makes that an error here.
#[deny(clippy::missing_trait_methods)]
#[expect(deprecated, reason = "deprecated methods of the protocol pass like all others")]
impl<H, T> ServerHandler for Layered<H, T>
where
    H: ServerHandler,
    T: Service<Call<ToolRequest>, Response = Outcome<ToolReply>, Error = Infallible>
        + Freeze
        + Clone
        + Send
        + Sync
        + 'static,
    T::Future: Send,
{
    /// No session begins with a server that is not the one in its lock file, so serving it fails.
    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: Request,
    ) -> Result<InitializeResult, ErrorData> {
        self.admit()?;
        self.server.initialize(request, context).await
    }

    async fn discover(&self, context: Request) -> Result<DiscoverResult, ErrorData> {
        self.admit()?;
        self.server.discover(context).await
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Request,
    ) -> Result<CallToolResponse, ErrorData> {
        self.run(request, context).await
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Request,
    ) -> Result<ListToolsResult, ErrorData> {
        self.list(request, context).await
    }

    /// A `tools/call` that rmcp cannot read as one arrives here. It is no custom request: a server
    /// that forwards those would forward a call that nothing has judged.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: Request,
    ) -> Result<CustomResult, ErrorData> {
        if request.method.starts_with("tools/") {
            let message = "the request is not of the shape that its method has";
            return Err(ErrorData::invalid_params(message, None));
        }
        self.server.on_custom_request(request, context).await
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.frozen_tool(name)
    }

    fn get_info(&self) -> ServerConfig {
        self.server.get_info()
    }

    fn negotiate_initialize(
        &self,
        request: &InitializeRequestParams,
    ) -> Result<InitializeResult, ErrorData> {
        self.server.negotiate_initialize(request)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.server.supported_protocol_versions()
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.server.accepted_subscription_filter(requested)
    }

    untouched! {
        ping(context: Request) -> Result<(), ErrorData>;
        complete(request: CompleteRequestParams, context: Request)
            -> Result<CompleteResult, ErrorData>;
        set_level(request: SetLevelRequestParams, context: Request) -> Result<(), ErrorData>;
        get_prompt(request: GetPromptRequestParams, context: Request)
            -> Result<GetPromptResponse, ErrorData>;
        list_prompts(request: Option<PaginatedRequestParams>, context: Request)
            -> Result<ListPromptsResult, ErrorData>;
        list_resources(request: Option<PaginatedRequestParams>, context: Request)
            -> Result<ListResourcesResult, ErrorData>;
        list_resource_templates(request: Option<PaginatedRequestParams>, context: Request)
            -> Result<ListResourceTemplatesResult, ErrorData>;
        read_resource(request: ReadResourceRequestParams, context: Request)
            -> Result<ReadResourceResponse, ErrorData>;
        listen(context: SubscriptionContext) -> Result<(), ErrorData>;
        subscribe(request: SubscribeRequestParams, context: Request) -> Result<(), ErrorData>;
        unsubscribe(request: UnsubscribeRequestParams, context: Request)
            -> Result<(), ErrorData>;
        on_cancelled(notification: CancelledNotificationParam, context: Notification) -> ();
        on_progress(notification: ProgressNotificationParam, context: Notification) -> ();
        on_initialized(context: Notification) -> ();
        on_roots_list_changed(context: Notification) -> ();
        on_custom_notification(notification: CustomNotification, context: Notification) -> ();
        get_task(request: GetTaskParams, context: Request) -> Result<GetTaskResult, ErrorData>;
        update_task(request: UpdateTaskParams, context: Request) -> Result<(), ErrorData>;
        cancel_task(request: CancelTaskParams, context: Request) -> Result<(), ErrorData>;
        list_skills(request: Option<PaginatedRequestParams>, context: Request)
            -> Result<ListSkillsResult, ErrorData>;
        get_skill(request: GetSkillRequestParams, context: Request)
            -> Result<GetSkillResult, ErrorData>;
        read_resource_directory(request: ReadResourceDirectoryRequestParams, context: Request)
            -> Result<ReadResourceDirectoryResult, ErrorData>;
    }
}
