//! Example messages of the specification and transcripts of public servers: what a server says is
//! the same with and without the layer.

use super::wire::{ANY, Answer, Answers, Era, Puppet, Twins, stateless_meta};
use super::{Folder, json, rows, tried};
use rmcp::ErrorData;
use rmcp::model::{
    CallToolResult, CompleteResult, ContentBlock, GetPromptResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Tool,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

#[tokio::test]
async fn mcp() {
    let Some(folder) = Folder::find("mcp") else { return };
    for version in folder.files("schema", "", "") {
        if version.join("examples").is_dir() {
            examples(&folder, &version).await;
        }
    }
    for path in folder.files("transcripts", "", ".jsonl") {
        transcript(&path).await;
    }
}

/// One example: the type that it is one of, and its value.
struct Example {
    kind: String,
    name: String,
    value: Value,
}

async fn examples(folder: &Folder, version: &Path) {
    let under = |path: &Path| path.strip_prefix(&folder.0).unwrap().to_str().unwrap().to_owned();
    let mut examples = Vec::new();
    for kind in folder.files(&under(&version.join("examples")), "", "") {
        for path in folder.files(&under(&kind), "", ".json") {
            examples.push(Example {
                kind: kind.file_name().unwrap().to_str().unwrap().to_owned(),
                name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
                value: json(&path),
            });
        }
    }
    let schema = version.join("schema.json");
    let methods = if schema.is_file() { methods(&json(&schema)) } else { BTreeMap::new() };
    let (puppet, tools) = puppet(&examples);
    for era in [Era::Sessions, Era::Stateless] {
        let mut twins = Twins::open(era, puppet.clone()).await;
        let (mut said, mut calls) = (0, 0);
        for line in lines(&examples, &methods, &tools) {
            let answered = line.get("method").is_some() && line.get("id").is_some();
            calls += usize::from(line["method"] == "tools/call");
            said += twins.ask(line.to_string().as_bytes(), answered).await.len();
        }
        let records = twins.close().await;
        // The stateless era does not take a call that lacks its `_meta`.
        assert!(records.len() > calls / 2, "{} of {calls}", records.len());
        tried(&format!(
            "mcp: {}: {} examples, {era:?}: {said} messages alike, {} calls recorded",
            version.display(),
            examples.len(),
            records.len()
        ));
    }
}

/// A server that says what the examples say, and the tools that do.
fn puppet(examples: &[Example]) -> (Puppet, Vec<String>) {
    let mut answers = BTreeMap::new();
    for Example { kind, value, .. } in examples {
        // A response has the result in it.
        let (kind, value) = match kind.strip_suffix("Response") {
            Some(kind) => (kind, &value["result"]),
            None => (kind.as_str(), value),
        };
        for (result, method, is_one) in RESULTS {
            if kind == *result && is_one(value) {
                answers.insert((*method).to_owned(), value.clone());
            }
        }
    }
    let mut puppet = Puppet::new(answers);
    let mut tools = vec!["echo".to_owned()];
    puppet.tool(Tool::new("echo", "", serde_json::Map::new()), Answers::new());
    for Example { kind, name, value } in examples {
        let listed = value["tools"].as_array().or_else(|| value["result"]["tools"].as_array());
        for tool in listed.map_or(&[][..], Vec::as_slice).iter().chain([value]) {
            if let Ok(tool) = serde_json::from_value::<Tool>(tool.clone()) {
                tools.push(tool.name.to_string());
                puppet.tool(tool, Answers::new());
            }
        }
        if let Some(answer) = answer(kind, value) {
            let name = format!("{kind}-{name}");
            tools.push(name.clone());
            let tool = Tool::new(name, "", serde_json::Map::new());
            puppet.tool(tool, Answers::from([(ANY.to_owned(), answer)]));
        }
    }
    (puppet, tools)
}

/// What a tool can answer with this example.
fn answer(kind: &str, value: &Value) -> Option<Answer<CallToolResult>> {
    if let Ok(error) = serde_json::from_value::<ErrorData>(value.clone()) {
        return Some(Err(error));
    }
    if kind.starts_with("CallToolResult") {
        return serde_json::from_value(value.clone()).ok().map(Ok);
    }
    let content: ContentBlock = serde_json::from_value(value.clone()).ok()?;
    Some(Ok(CallToolResult::success(vec![content])))
}

type IsOne = fn(&Value) -> bool;

fn is<T: DeserializeOwned>(value: &Value) -> bool {
    serde_json::from_value::<T>(value.clone()).is_ok()
}

/// The results that a server gives, and to which methods.
const RESULTS: &[(&str, &str, IsOne)] = &[
    ("CompleteResult", "completion/complete", is::<CompleteResult>),
    ("GetPromptResult", "prompts/get", is::<GetPromptResult>),
    ("ListPromptsResult", "prompts/list", is::<ListPromptsResult>),
    ("ListResourcesResult", "resources/list", is::<ListResourcesResult>),
    ("ListResourceTemplatesResult", "resources/templates/list", is::<ListResourceTemplatesResult>),
    ("ReadResourceResult", "resources/read", is::<ReadResourceResult>),
];

/// The method of each type of parameters, as the schema has it.
fn methods(schema: &Value) -> BTreeMap<String, String> {
    let types = schema["$defs"].as_object().or_else(|| schema["definitions"].as_object());
    let method = |one: &Value| {
        let method = one["properties"]["method"]["const"].as_str()?;
        let params = one["properties"]["params"]["$ref"].as_str()?;
        Some((params.rsplit('/').next()?.to_owned(), method.to_owned()))
    };
    types.into_iter().flat_map(|types| types.values().filter_map(method)).collect()
}

/// Everything that a client can say with the examples.
fn lines(examples: &[Example], methods: &BTreeMap<String, String>, tools: &[String]) -> Vec<Value> {
    let request = |method: &str, params: &Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let mut lines = Vec::new();
    for Example { kind, value, .. } in examples {
        // A subscription has no end that could be waited for.
        if value.get("jsonrpc").is_some() && value["method"] != "subscriptions/listen" {
            lines.push(value.clone());
        }
        if let Some(method) = methods.get(kind) {
            let mut line = request(method, value);
            if method.starts_with("notifications/") {
                line.as_object_mut().unwrap().remove("id");
            }
            lines.push(line);
        }
    }
    for (_, method, _) in RESULTS {
        for params in [
            json!({}),
            json!({"name": "n", "uri": "file:///a", "ref": {"type": "ref/prompt", "name": "n"},
                "argument": {"name": "a", "value": "v"}}),
        ] {
            lines.push(request(method, &params));
        }
    }
    lines.push(request("tools/list", &json!({})));
    for tool in tools {
        lines.push(request("tools/call", &json!({"name": tool, "arguments": {}})));
        lines.push(request("tools/call", &json!({"name": tool})));
    }
    for Example { value, .. } in examples {
        let arguments = json!({"name": "echo", "arguments": {"example": value}});
        lines.push(request("tools/call", &arguments));
    }
    // Each once more as the newest clients say it.
    let again: Vec<_> = lines
        .iter()
        .filter(|line| line.get("id").is_some() && line.get("method").is_some())
        .cloned()
        .map(|mut line| {
            let params = line["params"].as_object().cloned().unwrap_or_default();
            line["params"] = Value::Object(params);
            line["params"]["_meta"] = stateless_meta();
            line
        })
        .collect();
    lines.extend(again);
    lines
}

async fn transcript(path: &Path) {
    let rows = rows(path);
    let sent = |from: &str| -> Vec<Value> {
        rows.iter().filter(|row| row["dir"] == from).map(|row| row["msg"].clone()).collect()
    };
    let (asked, replies) = (sent("c2s"), sent("s2c"));
    let greeted = |line: &Value| line["method"] == "notifications/initialized";
    let greeting = asked.iter().position(greeted).map_or(0, |last| last + 1);
    let mut twins = Twins::greeted_with(&asked[..greeting], speaker(&asked, &replies)).await;
    let (mut said, mut called, mut repeated) = (0, 0, 0);
    for line in &asked[greeting..] {
        let answered = line.get("method").is_some() && line.get("id").is_some();
        called += usize::from(line["method"] == "tools/call");
        let heard = twins.ask(line.to_string().as_bytes(), answered).await;
        // It is the transcript that was said. A tool that is none has another answer from rmcp.
        let reply = replies.iter().find(|reply| reply["id"] == line["id"]);
        let content = reply.and_then(|reply| reply["result"].get("content"));
        let result = heard.first().and_then(|heard| heard.get("result"));
        if let (Some(content), Some(result)) = (content, result) {
            assert_eq!(result.get("content"), Some(content), "{line}");
            repeated += 1;
        }
        said += heard.len();
    }
    let records = twins.close().await;
    assert_eq!(records.len(), called);
    assert!(called == 0 || repeated > 0, "no answer of the transcript was said");
    tried(&format!("mcp: {}: {said} messages alike, {called} calls recorded", path.display()));
}

/// A server that says what the one of the transcript said.
fn speaker(asked: &[Value], replies: &[Value]) -> Puppet {
    let (mut answers, mut calls) = (BTreeMap::new(), BTreeMap::<String, Answers>::new());
    let mut tools = Vec::new();
    for reply in replies {
        let Some(request) = asked.iter().find(|asked| asked.get("id") == reply.get("id")) else {
            continue;
        };
        let (method, params) = (request["method"].as_str().unwrap(), &request["params"]);
        if method == "tools/call" {
            let answer = match reply.get("result") {
                Some(result) => Ok(serde_json::from_value(result.clone()).unwrap()),
                None => Err(serde_json::from_value(reply["error"].clone()).unwrap()),
            };
            let name = params["name"].as_str().unwrap().to_owned();
            calls.entry(name).or_default().insert(params["arguments"].to_string(), answer);
        } else if let Some(list) = reply["result"]["tools"].as_array() {
            let read = |tool: &Value| serde_json::from_value::<Tool>(tool.clone()).unwrap();
            tools.extend(list.iter().map(read));
        } else if reply.get("result").is_some() {
            answers.insert(method.to_owned(), reply["result"].clone());
        }
    }
    let mut puppet = Puppet::new(answers);
    for tool in tools {
        let answers = calls.remove(tool.name.as_ref()).unwrap_or_default();
        puppet.tool(tool, answers);
    }
    puppet
}
