//! Tools that answer with questions, and go on when they are called again with the answers.

use crate::fixture::Fixture;
use crate::words::{Answer, made, question, said};
use rmcp::handler::server::tool::{InputResponses, RequestState};
use rmcp::model::{
    CallToolResponse, InputRequest, InputRequests, InputRequiredResult, InputResponses as Responses,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{tool, tool_router};
use serde_json::{Map, Value, json};

/// What the human wrote into the form `key`, if it was accepted.
pub(crate) fn form_of<'a>(
    responses: Option<&'a Responses>,
    key: &str,
) -> Option<&'a Map<String, Value>> {
    let response = responses?.get(key)?;
    let accepted = response.get("action").and_then(Value::as_str) == Some("accept");
    response.get("content").filter(|_| accepted)?.as_object()
}

/// A field of an accepted form.
pub(crate) fn word_of<'a>(
    responses: Option<&'a Responses>,
    key: &str,
    field: &str,
) -> Option<&'a str> {
    form_of(responses, key)?.get(field)?.as_str()
}

/// A question for the client's model.
fn to_model(text: &str, tokens: u32) -> Answer<InputRequest> {
    let message = json!({ "role": "user", "content": { "type": "text", "text": text } });
    let params = json!({ "messages": [message], "maxTokens": tokens });
    made(json!({ "method": "sampling/createMessage", "params": params }))
}

fn for_roots() -> Answer<InputRequest> {
    made(json!({ "method": "roots/list" }))
}

fn one(key: &str, request: InputRequest) -> InputRequests {
    [(key.to_owned(), request)].into()
}

fn ask(requests: InputRequests) -> CallToolResponse {
    InputRequiredResult::from_input_requests(requests).into()
}

fn ask_with(requests: InputRequests, state: String) -> CallToolResponse {
    InputRequiredResult::new(Some(requests), Some(state)).into()
}

#[tool_router(router = input_required_tools, vis = "pub(crate)")]
impl Fixture {
    #[tool(description = "Greets whom it has asked for the name")]
    async fn test_input_required_result_elicitation(
        &self,
        InputResponses(responses): InputResponses,
    ) -> Answer<CallToolResponse> {
        match word_of(responses.as_ref(), "user_name", "name") {
            Some(name) => Ok(said(format!("Hello, {name}!")).into()),
            None => Ok(ask(one("user_name", question("What is your name?", "name", "string")?))),
        }
    }

    #[tool(description = "Has the client's model answer")]
    async fn test_input_required_result_sampling(
        &self,
        InputResponses(responses): InputResponses,
    ) -> Answer<CallToolResponse> {
        let key = "capital_question";
        let answer = responses.as_ref().and_then(|responses| responses.get(key));
        match answer.and_then(|answer| answer.pointer("/content/text")?.as_str()) {
            Some(text) => Ok(said(text).into()),
            None => Ok(ask(one(key, to_model("What is the capital of France?", 100)?))),
        }
    }

    #[tool(description = "Lists the client's roots")]
    async fn test_input_required_result_list_roots(
        &self,
        InputResponses(responses): InputResponses,
    ) -> Answer<CallToolResponse> {
        let key = "client_roots";
        let answer = responses.as_ref().and_then(|responses| responses.get(key));
        match answer.and_then(|answer| answer.get("roots")?.as_array()) {
            Some(roots) => Ok(said(json!({ "roots": roots }).to_string()).into()),
            None => Ok(ask(one(key, for_roots()?))),
        }
    }

    #[tool(description = "Knows its own state again")]
    async fn test_input_required_result_request_state(
        &self,
        RequestState(state): RequestState,
        InputResponses(responses): InputResponses,
    ) -> Answer<CallToolResponse> {
        self.confirmed(
            "test_input_required_result_request_state",
            state.as_deref(),
            responses.as_ref(),
        )
    }

    #[tool(description = "Knows a state that is not its own")]
    async fn test_input_required_result_tampered_state(
        &self,
        RequestState(state): RequestState,
        InputResponses(responses): InputResponses,
    ) -> Answer<CallToolResponse> {
        self.confirmed(
            "test_input_required_result_tampered_state",
            state.as_deref(),
            responses.as_ref(),
        )
    }

    #[tool(description = "Asks human, model and client at once")]
    async fn test_input_required_result_multiple_inputs(
        &self,
        RequestState(state): RequestState,
        InputResponses(responses): InputResponses,
    ) -> Answer<CallToolResponse> {
        let tool = "test_input_required_result_multiple_inputs";
        let questions: InputRequests = [
            ("user_name".to_owned(), question("What is your name?", "name", "string")?),
            ("greeting".to_owned(), to_model("Generate a greeting", 50)?),
            ("client_roots".to_owned(), for_roots()?),
        ]
        .into();
        let state = self.seal.open(tool, state.as_deref())?;
        let answered = responses.filter(|all| questions.keys().all(|key| all.contains_key(key)));
        match (state, answered) {
            (Some(_), Some(answers)) => Ok(said(json!(answers).to_string()).into()),
            _ => Ok(ask_with(questions, self.seal.close(tool, &json!(1)))),
        }
    }

    #[tool(description = "Asks twice, and remembers the first answer")]
    async fn test_input_required_result_multi_round(
        &self,
        RequestState(state): RequestState,
        InputResponses(responses): InputResponses,
    ) -> Answer<CallToolResponse> {
        let tool = "test_input_required_result_multi_round";
        let state = self.seal.open(tool, state.as_deref())?.unwrap_or_default();
        let responses = responses.as_ref();
        let known = state.get("name").and_then(Value::as_str);
        let name = known.or_else(|| word_of(responses, "step1", "name"));
        let Some(name) = name else {
            let first = question("Step 1: What is your name?", "name", "string")?;
            return Ok(ask_with(one("step1", first), self.seal.close(tool, &json!({}))));
        };
        if let Some(color) = word_of(responses, "step2", "color") {
            return Ok(said(format!("{name} likes {color}")).into());
        }
        let second = question("Step 2: What is your favorite color?", "color", "string")?;
        let state = self.seal.close(tool, &json!({ "name": name }));
        Ok(ask_with(one("step2", second), state))
    }

    #[tool(description = "Asks only what the client can answer")]
    async fn test_input_required_result_capabilities(
        &self,
        InputResponses(responses): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Answer<CallToolResponse> {
        let client = context.client_capabilities().unwrap_or_default();
        let mut questions = InputRequests::new();
        if client.elicitation.is_some() {
            questions.insert("human".to_owned(), question("Shall I?", "ok", "boolean")?);
        }
        if client.sampling.is_some() {
            questions.insert("model".to_owned(), to_model("Should I?", 20)?);
        }
        if client.roots.is_some() {
            questions.insert("roots".to_owned(), for_roots()?);
        }
        let answered = |all: &Responses| questions.keys().all(|key| all.contains_key(key));
        if questions.is_empty() || responses.as_ref().is_some_and(answered) {
            return Ok(said("nothing more to ask").into());
        }
        Ok(ask(questions))
    }
}

impl Fixture {
    fn confirmed(
        &self,
        tool: &str,
        state: Option<&str>,
        responses: Option<&Responses>,
    ) -> Answer<CallToolResponse> {
        let state = self.seal.open(tool, state)?;
        let confirmed = form_of(responses, "confirm").and_then(|form| form.get("ok")?.as_bool());
        if state.is_some() && confirmed == Some(true) {
            return Ok(said("state-ok").into());
        }
        let questions = one("confirm", question("Please confirm", "ok", "boolean")?);
        Ok(ask_with(questions, self.seal.close(tool, &json!(1))))
    }
}
