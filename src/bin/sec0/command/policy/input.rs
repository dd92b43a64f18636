//! What commands are given besides the policy: bounded, and never quoted when it is wrong.

use crate::failure::Failure;
use sec0::call::Arguments;
use sec0::file::read_bounded;
use sec0::mcp::read_tools;
use sec0::registry::Definition;
use std::path::Path;

/// The most bytes of a file; the reader of tools has the same bound and says so.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The tools of a server, from a file with the result of `tools/list`.
pub(in crate::command) fn tools(path: &Path) -> Result<Vec<Definition>, Failure> {
    let name = path.display();
    let text = read_bounded(path, MAX_BYTES).map_err(|error| {
        Failure::Usage(format!(
            "{name}: cannot be read: {error}; check the path and who may read it"
        ))
    })?;
    read_tools(&text).map_err(|error| Failure::Usage(format!("{name}: {error}")))
}

/// Arguments of a call, from the command line. The text may hold secrets and is never shown.
pub(super) fn arguments(text: &str) -> Result<Arguments, Failure> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::Usage(format!(
            "`--args` is not JSON, or nested deeper than 128 levels, at line {line}, column \
             {column}; write an object, such as `{{\"path\": \"a\"}}`"
        ))
    })?;
    let kind = kind(&value);
    let serde_json::Value::Object(arguments) = value else {
        return Err(Failure::Usage(format!(
            "`--args` is {kind}; write an object, such as `{{\"path\": \"a\"}}`"
        )));
    };
    Ok(arguments)
}

fn kind(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "a boolean",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "text",
        serde_json::Value::Array(_) => "a list",
        serde_json::Value::Object(_) => "an object",
    }
}
