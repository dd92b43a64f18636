use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A server's name and version, as it introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerIdent {
    name: Arc<str>,
    at_version: Arc<str>,
}

impl ServerIdent {
    /// The identity of server `name` in `version`.
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.into(), at_version: format!("{name}@{version}").into() }
    }

    /// The identity of what has a name and no version of its own.
    pub fn unversioned(name: &str) -> Self {
        let name: Arc<str> = name.into();
        Self { at_version: Arc::clone(&name), name }
    }

    /// The name that policies use: the `server` of `mcp://server/tool@version`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version, as the server declares it.
    pub fn version(&self) -> &str {
        let behind = self.at_version.strip_prefix(&*self.name);
        behind.and_then(|rest| rest.strip_prefix('@')).unwrap_or("")
    }

    /// `name@version`, as records have it.
    pub fn at_version(&self) -> &Arc<str> {
        &self.at_version
    }
}

/// The name of a tool as a caller wrote it.
///
/// Untrusted: it may be any text of any length. [`ToolName::bounded`] is what goes into records.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ToolName(Cow<'static, str>);

impl ToolName {
    /// The most bytes of a name that a record keeps.
    pub const MAX_RECORDED: usize = 256;

    /// Takes the name as it is.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self(name.into())
    }

    /// The name as it was asked for.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for a record: cut at a character boundary at or below
    /// [`MAX_RECORDED`](Self::MAX_RECORDED) bytes, with `…` where something was cut.
    pub fn bounded(&self) -> Cow<'static, str> {
        if self.0.len() <= Self::MAX_RECORDED {
            return self.0.clone();
        }
        let cut = (0..=Self::MAX_RECORDED).rev().find(|at| self.0.is_char_boundary(*at));
        let head = cut.and_then(|at| self.0.get(..at)).unwrap_or("");
        Cow::Owned(format!("{head}…"))
    }

    /// Gives the name back to the door that made it.
    pub fn into_inner(self) -> Cow<'static, str> {
        self.0
    }
}

impl From<&str> for ToolName {
    fn from(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The version of a tool, as its definition or the options declare it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ToolVersion(Arc<str>);

impl ToolVersion {
    /// The version; `None` for a blank one, which is no version.
    pub fn new(version: &str) -> Option<Self> {
        let version = version.trim();
        (!version.is_empty()).then(|| Self(version.into()))
    }

    /// The version's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when the version starts with a digit: `1`, `1.x` and `2026-01` are pinned, `latest`
    /// and `v1` are not.
    pub fn is_pinned(&self) -> bool {
        self.0.starts_with(|first: char| first.is_ascii_digit())
    }
}

/// A tool as policies name it: `mcp://server/tool@version`.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ToolRef<'a> {
    /// The server's name.
    pub server: &'a str,
    /// The tool's name.
    pub tool: &'a str,
    /// The declared version, when there is one.
    pub version: Option<&'a ToolVersion>,
}

impl<'a> ToolRef<'a> {
    /// Names `tool` of `server`.
    pub fn new(server: &'a str, tool: &'a str, version: Option<&'a ToolVersion>) -> Self {
        Self { server, tool, version }
    }

    /// The tool without its server: `tool@version`, without `@` where it has no version.
    pub fn at_version(&self) -> impl fmt::Display + use<'a> {
        let Self { tool, version, .. } = *self;
        fmt::from_fn(move |f| {
            f.write_str(tool)?;
            version.map_or(Ok(()), |version| write!(f, "@{}", version.as_str()))
        })
    }
}

impl fmt::Display for ToolRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mcp://{}/{}", self.server, self.at_version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_tool_name_is_cut_at_a_character_boundary_for_the_record() {
        let name = ToolName::new("é".repeat(1000));
        let bounded = name.bounded();
        assert!(bounded.len() <= ToolName::MAX_RECORDED + '…'.len_utf8());
        assert!(bounded.ends_with('…'));
        assert_eq!(ToolName::new("add").bounded(), "add");
    }

    #[test]
    fn a_server_has_the_name_and_the_version_that_it_was_given() {
        for (name, version) in [("demo", "1.0.0"), ("a@b", "c@d"), ("", ""), ("a", "")] {
            let server = ServerIdent::new(name, version);
            assert_eq!((server.name(), server.version()), (name, version));
        }
    }

    #[test]
    fn a_version_is_pinned_when_it_starts_with_a_digit() {
        for (version, pinned) in [("1", true), ("1.x", true), ("latest", false), ("v1", false)] {
            assert_eq!(ToolVersion::new(version).unwrap().is_pinned(), pinned, "{version}");
        }
        assert!(ToolVersion::new("  ").is_none());
    }
}
