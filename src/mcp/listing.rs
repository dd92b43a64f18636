use super::definition::{definition, form};
use crate::registry::{Definition, Manner};
use rmcp::model::Tool;
use serde::Deserialize as _;
use serde_json::Value;
use std::collections::HashMap;

/// The most bytes of a list of tools.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Why a text is no list of tools. It never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListingError {
    /// It is larger than 16 MiB.
    #[error("the list of tools is larger than {MAX_BYTES} bytes; keep the tools in question")]
    TooLarge,
    /// It is not JSON.
    #[error(
        "the list of tools is not JSON, or nested deeper than 128 levels, at line {line}, column \
         {column}"
    )]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It is JSON of another kind.
    #[error(
        "the list of tools is none; write the result of `tools/list`, `{{\"tools\": [..]}}`, the \
         whole reply, or the list alone"
    )]
    NoList,
    /// The list has more pages.
    #[error(
        "the list of tools goes on after this page (`nextCursor`); put all pages into one list"
    )]
    Unfinished,
    /// An item is no definition of a tool, or has no canonical form.
    #[error("`tools[{index}]` is no definition of a tool; it needs a `name` and an `inputSchema`")]
    NoTool {
        /// Which item, from 0.
        index: usize,
    },
    /// Two items have one name.
    #[error("`tools[{index}]` has the name of `tools[{first}]`, and neither could be called")]
    Twice {
        /// The later item, from 0.
        index: usize,
        /// The earlier one.
        first: usize,
    },
}

/// Reads a list of tools as a server gives it: the result of `tools/list`, the JSON-RPC reply with
/// that result, or the bare array. At most 16 MiB, and 128 levels deep.
///
/// # Errors
///
/// What keeps the text from being a whole list of tools, with the line or the item.
pub fn read_tools(text: &[u8]) -> Result<Vec<Definition>, ListingError> {
    if text.len() > MAX_BYTES {
        return Err(ListingError::TooLarge);
    }
    let value: Value = serde_json::from_slice(text)
        .map_err(|error| ListingError::NotJson { line: error.line(), column: error.column() })?;
    let result = value.get("result").unwrap_or(&value);
    if result.get("nextCursor").is_some_and(|cursor| !cursor.is_null()) {
        return Err(ListingError::Unfinished);
    }
    let items = result.get("tools").unwrap_or(result).as_array().ok_or(ListingError::NoList)?;
    let mut seen = HashMap::new();
    let mut tools = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let tool = read(item).ok_or(ListingError::NoTool { index })?;
        if let Some(first) = seen.insert(tool.name.clone(), index) {
            return Err(ListingError::Twice { index, first });
        }
        tools.push(tool);
    }
    Ok(tools)
}

/// What of it is wrong is not said in serde's words: they quote the value.
fn read(item: &Value) -> Option<Definition> {
    let tool = Tool::deserialize(item).ok()?;
    let form = form(&tool)?;
    Some(definition(&tool, &form, &Manner::default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Hints, ToolVersion};
    use serde_json::json;

    fn tool(name: &str) -> Value {
        json!({
            "name": name, "inputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": true}, "_meta": {"sec0/version": "1.0"},
        })
    }

    fn said(value: &Value) -> Result<Vec<Definition>, ListingError> {
        read_tools(value.to_string().as_bytes())
    }

    #[test]
    fn a_list_is_read_from_each_form_with_version_and_annotations() {
        let list = json!([tool("add"), {"name": "rm", "inputSchema": {}}]);
        for form in [
            list.clone(),
            json!({"tools": list}),
            json!({"tools": list, "nextCursor": null}),
            json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": list}}),
        ] {
            let tools = said(&form).unwrap();
            let names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
            assert_eq!(names, ["add", "rm"], "{form}");
            assert_eq!(tools[0].version, ToolVersion::new("1.0"));
            assert_eq!(tools[0].hints, Hints::default().with_read_only(Some(true)));
            assert!(tools[0].hints_believed);
            assert_eq!((&tools[1].version, tools[1].hints), (&None, Hints::default()));
        }
        assert!(said(&json!([])).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_whole_list_is_told_by_line_or_item() {
        let name = "s3cret";
        for (value, error) in [
            (json!({"error": {"code": 1}}), ListingError::NoList),
            (json!({"tools": {}}), ListingError::NoList),
            (json!(name), ListingError::NoList),
            (json!({"tools": [tool("a")], "nextCursor": "x"}), ListingError::Unfinished),
            (json!([tool("a"), {"name": name}]), ListingError::NoTool { index: 1 }),
            (json!([{"name": 7, "inputSchema": {}}]), ListingError::NoTool { index: 0 }),
            (
                json!([tool(name), tool("b"), tool(name)]),
                ListingError::Twice { index: 2, first: 0 },
            ),
        ] {
            let found = said(&value).unwrap_err();
            assert_eq!(found, error);
            assert!(!found.to_string().contains(name), "{found}");
        }
        let error = read_tools(b"{\"tools\":\n [s3cret]}").unwrap_err();
        assert_eq!(error, ListingError::NotJson { line: 2, column: 3 });
    }

    #[test]
    fn a_list_that_is_too_large_or_too_deep_is_refused() {
        assert_eq!(read_tools(&vec![b' '; MAX_BYTES + 1]).unwrap_err(), ListingError::TooLarge);
        let deep = "[".repeat(100_000);
        assert!(matches!(read_tools(deep.as_bytes()), Err(ListingError::NotJson { line: 1, .. })));
    }
}
