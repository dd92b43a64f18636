//! The resources and the template.

use crate::skills;
use crate::tools::PNG;
use crate::words::{Answer, made};
use rmcp::model::{
    ErrorData, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResponse,
    ReadResourceResult, Resource,
};
use serde_json::json;

pub(crate) fn list() -> Answer<ListResourcesResult> {
    let mut resources: Vec<Resource> = made(json!([
        {
            "uri": "test://static-text",
            "name": "text",
            "description": "Does not change",
            "mimeType": "text/plain",
        },
        {
            "uri": "test://static-binary",
            "name": "binary",
            "description": "One pixel",
            "mimeType": "image/png",
        },
        {
            "uri": "test://watched-resource",
            "name": "watched",
            "description": "Can be subscribed to",
            "mimeType": "text/plain",
        },
    ]))?;
    resources.push(skills::manual());
    Ok(ListResourcesResult::with_all_items(resources))
}

pub(crate) fn templates() -> Answer<ListResourceTemplatesResult> {
    let templates = made(json!([{
        "uriTemplate": "test://template/{id}/data",
        "name": "data",
        "description": "The data of an id",
        "mimeType": "application/json",
    }]))?;
    Ok(ListResourceTemplatesResult::with_all_items(templates))
}

pub(crate) fn read(uri: &str) -> Answer<ReadResourceResponse> {
    let (mime_type, part, content) = match uri {
        "test://static-text" => {
            let text = "This is the content of the static text resource.";
            ("text/plain", "text", text.to_owned())
        }
        "test://static-binary" => ("image/png", "blob", PNG.to_owned()),
        "test://watched-resource" => ("text/plain", "text", "Nothing has happened.".to_owned()),
        _ => match (skills::file(uri), id_of(uri)) {
            (Some(text), _) => ("text/markdown", "text", text.to_owned()),
            (None, Some(id)) => {
                let data = format!("Data for ID: {id}");
                let text = json!({ "id": id, "templateTest": true, "data": data }).to_string();
                ("application/json", "text", text)
            }
            (None, None) => {
                let what = json!({ "uri": uri });
                return Err(ErrorData::resource_not_found("there is no such resource", Some(what)));
            }
        },
    };
    let content = json!({ "uri": uri, "mimeType": mime_type, part: content });
    Ok(ReadResourceResult::new(made(json!([content]))?).into())
}

fn id_of(uri: &str) -> Option<&str> {
    let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}
