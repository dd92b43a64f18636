//! Tools that go on as tasks, for clients that know tasks.

use crate::fixture::Fixture;
use crate::input_required::word_of;
use crate::words::{Answer, internal, question, said};
use rmcp::handler::server::tool::InputResponses;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{
    CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock, CreateTaskResult,
    ErrorData, InputRequiredResult,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::task_manager::{TaskContext, TaskExit, TaskOptions};
use rmcp::{tool, tool_router};
use serde::Deserialize;
use std::time::Duration;

const POLL_MS: u64 = 100;

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Greet {
    name: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Compute {
    #[serde(default)]
    seconds: u32,
    #[serde(default)]
    label: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Delete {
    #[serde(default)]
    filename: String,
}

type Done = Result<CallToolResult, TaskExit>;

fn knows_tasks(context: &RequestContext<RoleServer>) -> bool {
    context.client_capabilities().is_some_and(|client| client.supports_tasks())
}

fn only_as_task(context: &RequestContext<RoleServer>) -> Answer<()> {
    if knows_tasks(context) {
        return Ok(());
    }
    let needed = ClientCapabilities::builder().enable_tasks().build();
    Err(ErrorData::missing_required_client_capability(needed))
}

async fn sleep(seconds: u32) {
    tokio::time::sleep(Duration::from_secs(seconds.into())).await;
}

/// Asks for a name while the task waits.
async fn ask(task: &TaskContext, key: &str, message: &str) -> Result<String, TaskExit> {
    let answer = task.request_input(key, question(message, "name", "string")?).await?;
    Ok(answer.to_string())
}

impl Fixture {
    fn task<F>(&self, work: impl FnOnce(TaskContext) -> F) -> CallToolResponse
    where
        F: Future<Output = Done> + Send + 'static,
    {
        let options = TaskOptions::new().with_poll_interval_ms(POLL_MS);
        let task = self.tasks.spawn(options, |context| Box::pin(work(context)));
        CreateTaskResult::new(task).into()
    }
}

#[tool_router(router = task_tools, vis = "pub(crate)")]
impl Fixture {
    #[tool(description = "Greets at once")]
    async fn greet(&self, Parameters(Greet { name }): Parameters<Greet>) -> CallToolResult {
        said(format!("Hello, {name}!"))
    }

    #[tool(description = "Computes for some seconds")]
    async fn slow_compute(
        &self,
        Parameters(Compute { seconds, label }): Parameters<Compute>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResponse {
        let text = format!("computed {label} for {seconds} s");
        if !knows_tasks(&context) {
            sleep(seconds).await;
            return said(text).into();
        }
        self.task(move |task| async move {
            tokio::select! {
                () = task.cancelled() => Err(TaskExit::Cancelled),
                () = sleep(seconds) => Ok(said(text)),
            }
        })
    }

    #[tool(description = "Fails after a second, as a tool does")]
    async fn failing_job(&self, context: RequestContext<RoleServer>) -> Answer<CallToolResponse> {
        only_as_task(&context)?;
        Ok(self.task(|_| async {
            sleep(1).await;
            Ok(CallToolResult::error(vec![ContentBlock::text("the job did not work")]))
        }))
    }

    #[tool(description = "Fails as the protocol does")]
    async fn protocol_error_job(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResponse> {
        only_as_task(&context)?;
        Ok(self.task(|_| async { Err(internal("the job broke down").into()) }))
    }

    #[tool(description = "Asks before it pretends to delete a file")]
    async fn confirm_delete(
        &self,
        Parameters(Delete { filename }): Parameters<Delete>,
        context: RequestContext<RoleServer>,
    ) -> CallToolResponse {
        if !knows_tasks(&context) {
            return said(format!("nobody to ask; {filename} is kept")).into();
        }
        self.task(move |task| async move {
            let sure = question(&format!("Delete {filename}?"), "confirm", "boolean")?;
            let answer = task.request_input("confirm", sure).await?;
            Ok(said(format!("{filename}: {answer}")))
        })
    }

    #[tool(description = "Asks two things at once")]
    async fn multi_input(&self, context: RequestContext<RoleServer>) -> Answer<CallToolResponse> {
        only_as_task(&context)?;
        Ok(self.task(|task| async move {
            let (one, other) =
                tokio::try_join!(ask(&task, "first", "Who?"), ask(&task, "second", "Who else?"))?;
            Ok(said(format!("{one} and {other}")))
        }))
    }

    #[tool(description = "Asks first, and goes on as a task")]
    async fn test_tool_with_task(
        &self,
        InputResponses(responses): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResponse> {
        only_as_task(&context)?;
        let Some(name) = word_of(responses.as_ref(), "user_name", "name").map(str::to_owned) else {
            let who = question("What is your name?", "name", "string")?;
            let questions = [("user_name".to_owned(), who)].into();
            return Ok(InputRequiredResult::from_input_requests(questions).into());
        };
        Ok(self.task(move |_| async move { Ok(said(format!("done for {name}"))) }))
    }
}
