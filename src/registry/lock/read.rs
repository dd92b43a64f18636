use super::contents::{Lock, LockedTool};
use super::error::LockError;
use crate::call::{ServerIdent, ToolVersion};
use crate::canonical;
use crate::digest::Digest;
use crate::file::read_bounded;
use serde::Deserialize;
use serde_json::Value;
use std::io;
use std::path::Path;

impl Lock {
    /// The most bytes of a lock file.
    pub const MAX_LEN: usize = 64 * 1024 * 1024;
    /// How deep a definition in it may be nested.
    pub const MAX_DEPTH: usize = 120;
}

/// The document, as closed as the format is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "version")]
    _format: u64,
    server: Option<Server>,
    binary_sha256: Option<String>,
    tools: Vec<Tool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    name: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    name: String,
    version: Option<String>,
    sha256: String,
    definition: Value,
}

/// The one member that is looked at before all others.
#[derive(Deserialize)]
struct Format {
    version: u64,
}

pub(super) fn file(path: &Path) -> Result<Lock, LockError> {
    let name = path.display().to_string();
    let most = u64::try_from(Lock::MAX_LEN).unwrap_or(u64::MAX);
    let bytes = read_bounded(path, most).map_err(|cause| {
        let file = name.as_str().into();
        if cause.kind() == io::ErrorKind::NotFound {
            LockError::Missing { file }
        } else {
            LockError::Unreadable { file, cause }
        }
    })?;
    text(&bytes, &name)
}

pub(super) fn text(bytes: &[u8], name: &str) -> Result<Lock, LockError> {
    let file = || name.into();
    if bytes.len() > Lock::MAX_LEN {
        return Err(LockError::TooLarge { file: file() });
    }
    let malformed = |error: &serde_json::Error| LockError::Malformed {
        file: file(),
        line: error.line(),
        column: error.column(),
        why: why(error),
    };
    // Another format may have other members, so its number comes first.
    let format: Format = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    if format.version != Lock::FORMAT {
        return Err(LockError::Format { file: file(), found: format.version });
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|error| malformed(&error))?;
    let mut tools = Vec::with_capacity(document.tools.len());
    for (index, tool) in document.tools.into_iter().enumerate() {
        let wrong = |why: &str| LockError::Tool { file: file(), index, why: why.into() };
        let tool = locked(tool).map_err(wrong)?;
        if tools.last().is_some_and(|before: &LockedTool| before.name >= tool.name) {
            return Err(wrong("is not behind the one before it by its name"));
        }
        tools.push(tool);
    }
    let binary = match document.binary_sha256 {
        None => None,
        Some(text) => Some(Digest::from_hex(&text).ok_or_else(|| LockError::Malformed {
            file: file(),
            line: 1,
            column: 1,
            why: "`binary_sha256` is not 64 lower-case hex digits".into(),
        })?),
    };
    let server = document.server.map(|server| ServerIdent::new(&server.name, &server.version));
    Ok(Lock { server, binary, tools })
}

/// What of it is wrong, if it cannot be.
fn locked(tool: Tool) -> Result<LockedTool, &'static str> {
    let digest = Digest::from_hex(&tool.sha256)
        .ok_or("has a `sha256` that is not 64 lower-case hex digits")?;
    if tool.definition.get("name").and_then(Value::as_str) != Some(&tool.name) {
        return Err("has a definition with another name");
    }
    let limits = canonical::Limits { max_len: Lock::MAX_LEN, ..canonical::Limits::default() };
    let mut bytes = Vec::new();
    let definition = canonical::append(&mut bytes, &tool.definition, limits)
        .map_err(drop)
        .and_then(|()| String::from_utf8(bytes).map_err(drop))
        .map_err(|()| "has a definition without a canonical form")?;
    // Whoever edits a definition by hand has not looked at what the server says.
    if Digest::of(definition.as_bytes()) != digest {
        return Err("has a `sha256` that is not that of its definition");
    }
    let version = match tool.version {
        None => None,
        Some(text) => Some(ToolVersion::new(&text).ok_or("has a blank version")?),
    };
    Ok(LockedTool { name: tool.name.into(), version, digest, definition: definition.into() })
}

/// Whether it is JSON at all, without serde's words where they may quote values.
fn why(error: &serde_json::Error) -> Box<str> {
    match error.classify() {
        serde_json::error::Category::Data => {
            "a member is missing, unknown, there twice or of another type".into()
        }
        serde_json::error::Category::Eof => "it ends too early".into(),
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => {
            "it is not JSON, or nested deeper than 128 levels".into()
        }
    }
}
