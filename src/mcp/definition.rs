use crate::call::ToolVersion;
use crate::canonical::{self, Limits};
use crate::digest::Digest;
use crate::registry::Definition;
use rmcp::model::Tool;
use std::collections::HashMap;

/// The key in a tool's `_meta` that declares its version.
const VERSION_META: &str = "sec0/version";

/// What is frozen of `tool`. Its version is the declared one, else the one that the options set.
pub(super) fn definition(
    tool: &Tool,
    digest: Digest,
    versions: &HashMap<String, ToolVersion>,
) -> Definition {
    let declared = tool.meta.as_ref().and_then(|meta| meta.0.get(VERSION_META)?.as_str());
    let version =
        declared.and_then(ToolVersion::new).or_else(|| versions.get(tool.name.as_ref()).cloned());
    Definition::new(&tool.name, version, digest)
}

/// SHA-256 of the canonical definition: every field of it counts. `None` for a definition that has
/// no canonical form and so cannot be frozen: such a tool cannot be called.
pub(super) fn digest(tool: &Tool) -> Option<Digest> {
    let limits = Limits { max_len: usize::MAX, ..Limits::default() };
    match canonical::measure(tool, limits) {
        Ok(measured) => Some(measured.digest),
        Err(error) => {
            tracing::error!(tool = %tool.name, %error, "the tool's definition cannot be frozen");
            None
        }
    }
}
