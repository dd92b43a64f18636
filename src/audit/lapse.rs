use crate::call::{LockRule, ServerIdent, ToolName};
use crate::digest::Digest;
use std::sync::Arc;

/// How far a server is from its lock file, in numbers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Lapse {
    /// What follows from it.
    pub rule: LockRule,
    /// Which server it is.
    pub server: Arc<ServerIdent>,
    /// The digest of the frozen registry.
    pub registry: Digest,
    /// The digest that it would have, had nothing changed; `None` where no lock file could be read.
    pub locked: Option<Digest>,
    /// It is another server, or in another version.
    pub is_other_server: bool,
    /// It is another executable.
    pub is_other_binary: bool,
    pub(super) added: u64,
    pub(super) changed: u64,
    pub(super) removed: u64,
    pub(super) renamed: u64,
    /// The first tool that differs.
    pub(super) first: Option<Box<str>>,
}

impl Lapse {
    /// With nothing to compare with, under this rule.
    pub fn new(rule: LockRule, server: Arc<ServerIdent>, registry: Digest) -> Self {
        Self {
            rule,
            server,
            registry,
            locked: None,
            is_other_server: false,
            is_other_binary: false,
            added: 0,
            changed: 0,
            removed: 0,
            renamed: 0,
            first: None,
        }
    }

    /// Counts the tool `name`, which is `added`, `removed`, `renamed`, or changed in another way.
    pub fn count(&mut self, kind: &str, name: &str) {
        let counter = match kind {
            "added" => &mut self.added,
            "removed" => &mut self.removed,
            "renamed" => &mut self.renamed,
            _ => &mut self.changed,
        };
        *counter = counter.saturating_add(1);
        self.first.get_or_insert_with(|| ToolName::from(name).bounded().into());
    }
}
