use crate::call::ToolVersion;
use crate::digest::Digest;

/// What is frozen of one tool: its name, its version, and the digest of its whole definition
/// (title, description, both schemas, annotations, icons and `_meta` included).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Definition {
    /// The name under which it is called.
    pub name: Box<str>,
    /// The declared version.
    pub version: Option<ToolVersion>,
    /// SHA-256 of the canonical definition.
    pub digest: Digest,
}

impl Definition {
    /// The definition of tool `name`.
    pub fn new(name: &str, version: Option<ToolVersion>, digest: Digest) -> Self {
        Self { name: name.into(), version, digest }
    }
}
