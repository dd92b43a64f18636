use crate::call::{Hints, ToolVersion};
use crate::canonical::{self, Limits};
use crate::digest::Digest;
use crate::registry::{Definition, Manner};
use rmcp::model::{Tool, ToolAnnotations};
use std::sync::Arc;

/// The key in a tool's `_meta` that declares its version.
const VERSION_META: &str = "sec0/version";

/// What is frozen of `tool`. Its version is the declared one, else the one that the options set.
pub(super) fn definition(tool: &Tool, digest: Digest, manner: &Manner) -> Definition {
    let versions = &manner.tool_versions;
    let declared = tool.meta.as_ref().and_then(|meta| meta.0.get(VERSION_META)?.as_str());
    let version =
        declared.and_then(ToolVersion::new).or_else(|| versions.get(tool.name.as_ref()).cloned());
    let hints = tool.annotations.as_ref().map(hints).unwrap_or_default();
    let believed = !manner.annotations_are_claims;
    Definition::new(&tool.name, version, digest)
        .with_hints(hints, believed)
        .with_schema(Arc::clone(&tool.input_schema))
}

fn hints(annotations: &ToolAnnotations) -> Hints {
    Hints {
        read_only: annotations.read_only_hint,
        destructive: annotations.destructive_hint,
        idempotent: annotations.idempotent_hint,
        open_world: annotations.open_world_hint,
    }
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
