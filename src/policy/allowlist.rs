use super::error::shown;
use super::pattern::{Fault, MAX_ENTRY, MatchKind, Pattern, Version};
use crate::call::{ToolRef, ToolVersion};
use std::collections::{HashMap, HashSet};

/// The entries of an allowlist, compiled: a lookup costs the same with one entry and with ten
/// thousand, and allocates nothing.
#[derive(Debug, Clone, Default)]
pub struct Allowlist {
    everything: bool,
    servers: HashSet<Box<[u8]>>,
    /// By `server/tool`.
    of_server: Names,
    /// By `tool`.
    anywhere: Names,
}

/// An entry that could never match a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the entry `{}`, {fault}", shown(.entry))]
pub struct MalformedEntry {
    entry: Box<str>,
    fault: Fault,
}

impl MalformedEntry {
    pub(super) fn new(entry: &str, fault: Fault) -> Self {
        Self { entry: entry.into(), fault }
    }
}

impl Allowlist {
    /// Compiles the entries; none of them allows no tool.
    ///
    /// # Errors
    ///
    /// The first entry that could never match: one that is empty, has a `*` inside a name,
    /// whitespace, or another scheme than `mcp://`.
    pub fn compile<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, MalformedEntry> {
        let mut list = Self::default();
        for entry in entries {
            match Pattern::parse(entry) {
                Ok(pattern) => list.insert(pattern),
                Err(fault) => return Err(MalformedEntry::new(entry, fault)),
            }
        }
        Ok(list)
    }

    /// How the list allows this tool; `None` when it does not.
    pub fn matches(&self, tool: ToolRef<'_>) -> Option<MatchKind> {
        let mut buffer = [0; BUFFER];
        let name = Name::spell(&mut buffer, tool);
        let named = name.and_then(|name| {
            self.of_server
                .matches(name.of_server(), name.of_server_versioned())
                .into_iter()
                .chain(self.anywhere.matches(name.anywhere(), name.anywhere_versioned()))
                .min()
        });
        named.or_else(|| {
            let all = self.everything || self.servers.contains(tool.server.as_bytes());
            all.then_some(MatchKind::Wildcard)
        })
    }

    /// True when every tool of every server is allowed.
    pub fn allows_everything(&self) -> bool {
        self.everything
    }

    fn insert(&mut self, pattern: Pattern<&str>) {
        match pattern {
            Pattern::Everything => self.everything = true,
            Pattern::Server(server) => {
                self.servers.insert(server.as_bytes().into());
            }
            Pattern::OfServer(path, version) => self.of_server.insert(path, version),
            Pattern::Anywhere(tool, version) => self.anywhere.insert(tool, version),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Names {
    /// By name, [`BETWEEN`] and version.
    versioned: HashSet<Box<[u8]>>,
    unversioned: HashMap<Box<[u8]>, MatchKind>,
}

impl Names {
    fn insert(&mut self, name: &str, version: Version<&str>) {
        let kind = match version {
            Version::One(version) => {
                let key = [name.as_bytes(), &[BETWEEN], version.as_bytes()].concat();
                self.versioned.insert(key.into());
                return;
            }
            Version::Unsaid => MatchKind::Versionless,
            Version::Star => MatchKind::Wildcard,
        };
        let kept = self.unversioned.entry(name.as_bytes().into()).or_insert(kind);
        *kept = kind.min(*kept);
    }

    fn matches(&self, name: &[u8], versioned: Option<&[u8]>) -> Option<MatchKind> {
        if versioned.is_some_and(|key| self.versioned.contains(key)) {
            return Some(MatchKind::Exact);
        }
        self.unversioned.get(name).copied()
    }
}

/// Stands between name and version: no entry can have it in either, so `add@1.0` allows version
/// 1.0 of `add` and never a tool without a version that calls itself `add@1.0`.
pub(super) const BETWEEN: u8 = 0;

/// Room for three parts that are each as long as a whole entry may be.
pub(super) const BUFFER: usize = 3 * MAX_ENTRY + 2;

/// A tool's four spellings, all of them parts of `server/tool␀version`.
pub(super) struct Name<'b> {
    bytes: &'b [u8],
    tool_from: usize,
    tool_to: usize,
}

impl<'b> Name<'b> {
    /// Spells the tool. A part that is too long for any entry is left out, so that it matches
    /// none that names it; `None` when that part is the tool's own name.
    pub(super) fn spell(buffer: &'b mut [u8; BUFFER], tool: ToolRef<'_>) -> Option<Self> {
        let fits = |part: &&str| part.len() <= MAX_ENTRY;
        let server = Some(tool.server).filter(fits).unwrap_or_default();
        let version = tool.version.map(ToolVersion::as_str).filter(fits);
        let tool = Some(tool.tool).filter(fits)?;

        let slash = push(buffer, 0, server.as_bytes())?;
        let tool_from = push(buffer, slash, b"/")?;
        let tool_to = push(buffer, tool_from, tool.as_bytes())?;
        let end = match version {
            Some(version) => {
                let from = push(buffer, tool_to, &[BETWEEN])?;
                push(buffer, from, version.as_bytes())?
            }
            None => tool_to,
        };
        Some(Self { bytes: buffer.get(..end)?, tool_from, tool_to })
    }

    pub(super) fn of_server(&self) -> &'b [u8] {
        self.bytes.get(..self.tool_to).unwrap_or_default()
    }

    pub(super) fn of_server_versioned(&self) -> Option<&'b [u8]> {
        (self.bytes.len() > self.tool_to).then_some(self.bytes)
    }

    pub(super) fn anywhere(&self) -> &'b [u8] {
        self.bytes.get(self.tool_from..self.tool_to).unwrap_or_default()
    }

    pub(super) fn anywhere_versioned(&self) -> Option<&'b [u8]> {
        self.of_server_versioned()?.get(self.tool_from..)
    }
}

/// Writes `part` at `at` and gives its end; `None` when it does not fit.
fn push(buffer: &mut [u8; BUFFER], at: usize, part: &[u8]) -> Option<usize> {
    let end = at.checked_add(part.len())?;
    buffer.get_mut(at..end)?.copy_from_slice(part);
    Some(end)
}
