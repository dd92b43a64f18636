use super::error::LockError;
use super::read;
use super::write;
use crate::call::{ServerIdent, ToolVersion};
use crate::digest::Digest;
use crate::registry::definition::Definition;
use crate::registry::snapshot::Snapshot;
use std::path::Path;
use std::sync::Arc;

/// What a lock file holds: a server and its tools, as they were.
#[derive(Debug, Clone)]
pub struct Lock {
    pub(super) server: Option<ServerIdent>,
    pub(super) binary: Option<Digest>,
    /// By name, each name once.
    pub(super) tools: Vec<LockedTool>,
}

/// One tool of a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockedTool {
    /// The name under which it is called.
    pub name: Box<str>,
    /// The version that it declares, or that the options gave it.
    pub version: Option<ToolVersion>,
    /// SHA-256 of the canonical definition, as in the frozen registry.
    pub digest: Digest,
    /// The canonical definition.
    pub definition: Arc<str>,
}

impl Lock {
    /// The version of the format.
    pub const FORMAT: u64 = 1;

    /// A lock of these tools. A definition whose text was not kept is left out; of two with one name
    /// the later one counts.
    pub fn new<'a>(tools: impl IntoIterator<Item = &'a Definition>) -> Self {
        let locked = |tool: &'a Definition| {
            Some(LockedTool {
                name: tool.name.clone(),
                version: tool.version.clone(),
                digest: tool.digest,
                definition: Arc::clone(tool.text.as_ref()?),
            })
        };
        let mut tools: Vec<_> = tools.into_iter().filter_map(locked).collect();
        // A later one comes first among its equals, and the others go.
        tools.reverse();
        tools.sort_by(|one, other| one.name.cmp(&other.name));
        tools.dedup_by(|other, one| one.name == other.name);
        Self { server: None, binary: None, tools }
    }

    /// A lock of a frozen registry.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::new(snapshot.iter().map(|tool| &**tool))
    }

    /// The same lock for this server.
    #[must_use]
    pub fn with_server(mut self, server: ServerIdent) -> Self {
        self.server = Some(server);
        self
    }

    /// The same lock for a program with this digest.
    #[must_use]
    pub fn with_binary(mut self, digest: Digest) -> Self {
        self.binary = Some(digest);
        self
    }

    /// The server; `None` where the lock does not say.
    pub fn server(&self) -> Option<&ServerIdent> {
        self.server.as_ref()
    }

    /// SHA-256 of the executable; `None` where the lock does not say.
    pub fn binary(&self) -> Option<Digest> {
        self.binary
    }

    /// The tools, by name.
    pub fn tools(&self) -> &[LockedTool] {
        &self.tools
    }

    /// The digest that a frozen registry of these tools has.
    pub fn registry_digest(&self) -> Digest {
        let definition =
            |tool: &LockedTool| Definition::new(&tool.name, tool.version.clone(), tool.digest);
        Snapshot::new(self.tools.iter().map(definition)).digest()
    }

    /// Reads a lock file, at most [`Lock::MAX_LEN`] bytes. Links are followed.
    ///
    /// # Errors
    ///
    /// The file is missing, cannot be read, or is no lock file; with line and column.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LockError> {
        read::file(path.as_ref())
    }

    /// Reads the text of a lock file, which came from `name`.
    ///
    /// # Errors
    ///
    /// The text is no lock file; with line and column, or the tool.
    pub fn from_text(text: &str, name: &str) -> Result<Self, LockError> {
        read::text(text.as_bytes(), name)
    }

    /// Writes the lock to `path`, in place of what is there: the file is the old or the new one,
    /// whole and on the disk, whatever happens meanwhile.
    ///
    /// # Errors
    ///
    /// A definition cannot be kept in a lock file, or the file cannot be written; then the old one
    /// is as it was.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), LockError> {
        write::file(self, path.as_ref())
    }
}
