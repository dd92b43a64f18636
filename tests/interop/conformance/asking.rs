//! Tools that ask the client while they run, as versions before 2026-07-28 have it.

use crate::fixture::Fixture;
use crate::words::{Answer, asks_in_results, form, internal, made, question, said};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResponse, CallToolResult, InputRequiredResult};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{tool, tool_router};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Prompt {
    prompt: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Message {
    message: String,
}

/// Asks with a form of these fields.
async fn ask(
    context: &RequestContext<RoleServer>,
    message: &str,
    properties: Value,
    required: &[&str],
) -> Answer<String> {
    let form = made(json!({
        "mode": "form",
        "message": message,
        "requestedSchema": {
            "type": "object",
            "properties": properties,
            "required": required,
        },
    }))?;
    let answer = context.peer.create_elicitation(form).await.map_err(internal)?;
    let (action, given) = (json!(answer.action), json!(answer.content));
    Ok(format!("action={}, content={given}", action.as_str().unwrap_or("?")))
}

fn choices(words: [(&str, &str); 3]) -> Value {
    Value::Array(words.map(|(value, title)| json!({ "const": value, "title": title })).into())
}

#[tool_router(router = asking_tools, vis = "pub(crate)")]
impl Fixture {
    #[tool(description = "Asks the client's model")]
    #[expect(deprecated, reason = "earlier versions of the protocol have it")]
    async fn test_sampling(
        &self,
        Parameters(Prompt { prompt }): Parameters<Prompt>,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResult> {
        let messages = json!([{ "role": "user", "content": { "type": "text", "text": prompt } }]);
        let request = made(json!({ "messages": messages, "maxTokens": 100 }))?;
        let answer = context.peer.create_message(request).await.map_err(internal)?;
        let answer = json!(answer);
        let text = answer.pointer("/content/text").and_then(Value::as_str).unwrap_or("nothing");
        Ok(said(format!("LLM response: {text}")))
    }

    #[tool(description = "Asks the human")]
    async fn test_elicitation(
        &self,
        Parameters(Message { message }): Parameters<Message>,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResult> {
        let properties = json!({
            "username": { "type": "string", "description": "User's response" },
            "email": { "type": "string", "description": "User's email address" },
        });
        let answer = ask(&context, &message, properties, &["username", "email"]).await?;
        Ok(said(format!("User response: {answer}")))
    }

    #[tool(description = "Asks the human and proposes answers")]
    async fn test_elicitation_sep1034_defaults(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResult> {
        let properties = json!({
            "name": { "type": "string", "default": "John Doe" },
            "age": { "type": "integer", "default": 30 },
            "score": { "type": "number", "default": 95.5 },
            "status": {
                "type": "string",
                "enum": ["active", "inactive", "pending"],
                "default": "active",
            },
            "verified": { "type": "boolean", "default": true },
        });
        let answer = ask(&context, "Is this right?", properties, &[]).await?;
        Ok(said(format!("Elicitation completed: {answer}")))
    }

    #[tool(description = "Asks the human to choose")]
    async fn test_elicitation_sep1330_enums(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResult> {
        let plain = json!(["option1", "option2", "option3"]);
        let titles = ["Option One", "Option Two", "Option Three"];
        let options =
            [("value1", "First Option"), ("value2", "Second Option"), ("value3", "Third Option")];
        let several =
            [("value1", "First Choice"), ("value2", "Second Choice"), ("value3", "Third Choice")];
        let properties = json!({
            "untitledSingle": { "type": "string", "enum": plain },
            "titledSingle": { "type": "string", "oneOf": choices(options) },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": titles,
            },
            "untitledMulti": { "type": "array", "items": { "type": "string", "enum": plain } },
            "titledMulti": { "type": "array", "items": { "anyOf": choices(several) } },
        });
        let answer = ask(&context, "Which?", properties, &[]).await?;
        Ok(said(format!("Elicitation completed: {answer}")))
    }

    #[tool(description = "Asks the human, in the way that the version has for it")]
    async fn test_streaming_elicitation(
        &self,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResponse> {
        let message = "What is your name?";
        if asks_in_results(&context) {
            let questions = [("user_name".to_owned(), question(message, "name", "string")?)];
            return Ok(InputRequiredResult::from_input_requests(questions.into()).into());
        }
        let form = made(form(message, "name", "string"))?;
        let answer = context.peer.create_elicitation(form).await.map_err(internal)?;
        Ok(said(json!(answer).to_string()).into())
    }
}
