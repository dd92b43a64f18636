//! The prompts, and what completes their arguments.

use crate::input_required::word_of;
use crate::tools::PNG;
use crate::words::{Answer, internal, made, question};
use rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, InputRequiredResult, ListPromptsResult,
};
use serde_json::{Value, json};

const PLACES: [&str; 4] = ["paris", "park", "party", "rome"];

pub(crate) fn list() -> Answer<ListPromptsResult> {
    let argument = |name: &str| json!({ "name": name, "description": name, "required": true });
    let prompts = made(json!([
        { "name": "test_simple_prompt", "description": "Says one thing" },
        {
            "name": "test_prompt_with_arguments",
            "description": "Says what it is given",
            "arguments": [argument("arg1"), argument("arg2")],
        },
        {
            "name": "test_prompt_with_embedded_resource",
            "description": "Has a resource in it",
            "arguments": [argument("resourceUri")],
        },
        { "name": "test_prompt_with_image", "description": "Has an image in it" },
        { "name": "test_input_required_result_prompt", "description": "Asks back" },
    ]))?;
    Ok(ListPromptsResult::with_all_items(prompts))
}

pub(crate) fn get(request: &GetPromptRequestParams) -> Answer<GetPromptResponse> {
    let text = |text: String| json!({ "type": "text", "text": text });
    let contents = match request.name.as_str() {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.".to_owned())],
        "test_prompt_with_arguments" => {
            let (one, two) = (argument(request, "arg1")?, argument(request, "arg2")?);
            vec![text(format!("Prompt with arguments: arg1='{one}', arg2='{two}'"))]
        }
        "test_prompt_with_embedded_resource" => {
            let resource = json!({
                "uri": argument(request, "resourceUri")?,
                "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            });
            vec![
                json!({ "type": "resource", "resource": resource }),
                text("Please process the embedded resource above.".to_owned()),
            ]
        }
        "test_prompt_with_image" => vec![
            json!({ "type": "image", "data": PNG, "mimeType": "image/png" }),
            text("Please analyze the image above.".to_owned()),
        ],
        "test_input_required_result_prompt" => {
            let given = word_of(request.input_responses.as_ref(), "user_context", "context");
            let Some(given) = given else { return asks_back() };
            vec![text(format!("In the context of {given}"))]
        }
        other => {
            let what = json!({ "name": other });
            return Err(ErrorData::invalid_params("there is no such prompt", Some(what)));
        }
    };
    let messages: Vec<_> =
        contents.into_iter().map(|content| json!({ "role": "user", "content": content })).collect();
    Ok(GetPromptResult::new(made(json!(messages))?).into())
}

pub(crate) fn complete(request: &CompleteRequestParams) -> Answer<CompleteResult> {
    let prompt = request.r#ref.as_prompt_name();
    let known = prompt == Some("test_prompt_with_arguments");
    let mut values = PLACES.to_vec();
    values.retain(|place| known && place.starts_with(&request.argument.value));
    let values = values.into_iter().map(str::to_owned).collect();
    Ok(CompleteResult::new(CompletionInfo::with_all_values(values).map_err(internal)?))
}

fn asks_back() -> Answer<GetPromptResponse> {
    let what = question("What context should the prompt use?", "context", "string")?;
    let questions = [("user_context".to_owned(), what)].into();
    Ok(InputRequiredResult::from_input_requests(questions).into())
}

fn argument<'a>(request: &'a GetPromptRequestParams, name: &str) -> Answer<&'a str> {
    let given = request.arguments.as_ref().and_then(|arguments| arguments.get(name));
    given.and_then(Value::as_str).ok_or_else(|| {
        ErrorData::invalid_params(
            "the prompt needs another argument",
            Some(json!({ "name": name })),
        )
    })
}
