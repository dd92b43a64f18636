use crate::call::{Hints, ToolVersion};
use crate::canonical::{self, Limits};
use crate::digest::Digest;
use crate::registry::{Definition, Manner};
use rmcp::model::{Tool, ToolAnnotations};
use std::sync::Arc;

/// The key in a tool's `_meta` that declares its version.
const VERSION_META: &str = "sec0/version";

/// What is frozen of `tool`. Its version is the declared one, else the one that the options set.
pub(super) fn definition(tool: &Tool, form: &Form, manner: &Manner) -> Definition {
    let versions = &manner.tool_versions;
    let declared = tool.meta.as_ref().and_then(|meta| meta.0.get(VERSION_META)?.as_str());
    let version =
        declared.and_then(ToolVersion::new).or_else(|| versions.get(tool.name.as_ref()).cloned());
    let hints = tool.annotations.as_ref().map(hints).unwrap_or_default();
    let believed = !manner.annotations_are_claims;
    Definition::new(&tool.name, version, form.digest)
        .with_hints(hints, believed)
        .with_schema(Arc::clone(&tool.input_schema))
        .with_text(Arc::clone(&form.text))
}

fn hints(annotations: &ToolAnnotations) -> Hints {
    Hints {
        read_only: annotations.read_only_hint,
        destructive: annotations.destructive_hint,
        idempotent: annotations.idempotent_hint,
        open_world: annotations.open_world_hint,
    }
}

/// The canonical form of a definition: every field of it counts.
#[derive(Debug, Clone)]
pub(super) struct Form {
    /// Shared by all sessions, which keep it for the lock file.
    text: Arc<str>,
    digest: Digest,
}

/// The canonical definition. `None` for one that has no such form and so cannot be frozen: such a
/// tool cannot be called.
pub(super) fn form(tool: &Tool) -> Option<Form> {
    let limits = Limits { max_len: usize::MAX, ..Limits::default() };
    let mut bytes = Vec::new();
    match canonical::append(&mut bytes, tool, limits) {
        Ok(()) => {
            let digest = Digest::of(&bytes);
            // Canonical JSON is UTF-8.
            Some(Form { text: String::from_utf8(bytes).ok()?.into(), digest })
        }
        Err(error) => {
            tracing::error!(tool = %tool.name, %error, "the tool's definition cannot be frozen");
            None
        }
    }
}
