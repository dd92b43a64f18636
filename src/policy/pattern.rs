use crate::call::{ToolRef, ToolVersion};
use std::fmt;

/// One entry of an allowlist, read.
///
/// | entry | tools |
/// |---|---|
/// | `*`, `mcp://*`, `mcp://*/`, `mcp://*/*`, `mcp://*/*@*` | every tool |
/// | `mcp://server`, `mcp://server/`, `mcp://server/*`, `mcp://server/*@*` | every tool of a server |
/// | `mcp://server/tool@1.0`, `mcp://*/tool@1.0`, `tool@1.0` | a tool in one version |
/// | `mcp://server/tool`, `mcp://*/tool`, `tool` | a tool in any version |
/// | `mcp://server/tool@*`, `mcp://*/tool@*`, `tool@*` | the same |
///
/// Everything is compared letter by letter. The version is what follows the last `@` behind the
/// last `/`, so servers and tools may have both in their names, as registries give them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern<S> {
    Everything,
    /// Every tool of this server.
    Server(S),
    /// `server/tool`, as one text.
    OfServer(S, Version<S>),
    /// A tool of any server.
    Anywhere(S, Version<S>),
}

/// The version that an entry asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version<S> {
    One(S),
    /// None is named.
    Unsaid,
    /// `@*`.
    Star,
}

/// How an entry of an allowlist matched a tool. Where several match, the first of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "pinning depends on every kind")]
pub enum MatchKind {
    /// The entry names the tool's version.
    Exact,
    /// The entry names the tool and no version.
    Versionless,
    /// The entry has `@*`, or names a whole server or everything.
    Wildcard,
}

/// Why an entry cannot match anything: words that follow the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault(pub(super) &'static str);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The most bytes of an entry.
pub(super) const MAX_ENTRY: usize = 512;

impl<'a> Pattern<&'a str> {
    /// Reads an entry. One that could never match is a fault: such a rule is a mistake that
    /// nobody sees.
    pub(super) fn parse(entry: &'a str) -> Result<Self, Fault> {
        let entry = entry.trim();
        if entry.is_empty() {
            return Err(Fault("which names nothing; write `*` for every tool, or take it out"));
        }
        if entry.len() > MAX_ENTRY {
            return Err(Fault("which is longer than 512 bytes, the most an entry may have"));
        }
        if entry.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
            return Err(Fault("which has a space or control character inside; take it out"));
        }
        match entry.strip_prefix("mcp://") {
            _ if entry == "*" => Ok(Self::Everything),
            Some(body) => Self::of_server(body),
            None if entry.contains("://") => {
                Err(Fault("whose scheme is not `mcp://`, in lower case; write `mcp://server/tool`"))
            }
            None => {
                let (name, version) = split(entry)?;
                Ok(Self::Anywhere(name, version))
            }
        }
    }

    fn of_server(body: &'a str) -> Result<Self, Fault> {
        let every = ["/*@*", "/*", "/"].iter().find_map(|tail| body.strip_suffix(tail));
        let server = every.or_else(|| (!body.contains('/')).then_some(body));
        if let Some(server) = server {
            if server == "*" {
                return Ok(Self::Everything);
            }
            named(server)?;
            unversioned(server)?;
            return Ok(Self::Server(server));
        }
        if let Some(tool) = body.strip_prefix("*/") {
            let (tool, version) = split(tool)?;
            return Ok(Self::Anywhere(tool, version));
        }
        let (path, version) = split(body)?;
        let (server, _) = path.rsplit_once('/').unwrap_or((path, ""));
        unversioned(server)?;
        Ok(Self::OfServer(path, version))
    }

    /// The same pattern, to be kept.
    pub(super) fn kept(self) -> Pattern<Box<str>> {
        match self {
            Self::Everything => Pattern::Everything,
            Self::Server(server) => Pattern::Server(server.into()),
            Self::OfServer(path, version) => Pattern::OfServer(path.into(), version.kept()),
            Self::Anywhere(tool, version) => Pattern::Anywhere(tool.into(), version.kept()),
        }
    }
}

impl Version<&str> {
    fn kept(self) -> Version<Box<str>> {
        match self {
            Self::One(version) => Version::One(version.into()),
            Self::Unsaid => Version::Unsaid,
            Self::Star => Version::Star,
        }
    }
}

impl<S: AsRef<str>> Pattern<S> {
    /// How this one entry matches the tool. A compiled list of many answers in the same way, and a
    /// test holds that it does.
    pub(super) fn matches(&self, tool: ToolRef<'_>) -> Option<MatchKind> {
        match self {
            Self::Everything => Some(MatchKind::Wildcard),
            Self::Server(server) => (server.as_ref() == tool.server).then_some(MatchKind::Wildcard),
            Self::OfServer(path, version) => {
                let rest = path.as_ref().strip_prefix(tool.server)?.strip_prefix('/')?;
                version.matches(tool.version).filter(|_| rest == tool.tool)
            }
            Self::Anywhere(name, version) => {
                version.matches(tool.version).filter(|_| name.as_ref() == tool.tool)
            }
        }
    }
}

impl<S: AsRef<str>> Pattern<S> {
    /// The same entry for any version, where it names a tool.
    pub(super) fn unversioned(&self) -> Option<Pattern<&str>> {
        match self {
            Self::Everything | Self::Server(_) => None,
            Self::OfServer(path, _) => Some(Pattern::OfServer(path.as_ref(), Version::Unsaid)),
            Self::Anywhere(tool, _) => Some(Pattern::Anywhere(tool.as_ref(), Version::Unsaid)),
        }
    }
}

impl<S: AsRef<str>> Pattern<S> {
    /// True when every tool that `other` matches is matched by this one. The tool in `server/tool`
    /// is what follows the last slash, as people write it.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) => true,
            (Self::Server(server), Self::Server(other)) => server.as_ref() == other.as_ref(),
            (Self::Server(server), Self::OfServer(path, _)) => {
                path.as_ref().rsplit_once('/').is_some_and(|(of, _)| of == server.as_ref())
            }
            (Self::OfServer(path, version), Self::OfServer(other, asked)) => {
                path.as_ref() == other.as_ref() && version.covers(asked)
            }
            (Self::Anywhere(name, version), Self::Anywhere(other, asked)) => {
                name.as_ref() == other.as_ref() && version.covers(asked)
            }
            (Self::Anywhere(name, version), Self::OfServer(path, asked)) => {
                let tool = path.as_ref().rsplit_once('/').map(|(_, tool)| tool);
                tool == Some(name.as_ref()) && version.covers(asked)
            }
            (Self::Server(_) | Self::OfServer(..) | Self::Anywhere(..), _) => false,
        }
    }

    /// True when it matches tools of this name and version, of the server that is named; without a
    /// name they are taken for its own server's.
    pub(super) fn is_for(
        &self,
        server: Option<&str>,
        tool: &str,
        version: Option<&ToolVersion>,
    ) -> bool {
        if let Some(server) = server {
            return self.matches(ToolRef::new(server, tool, version)).is_some();
        }
        match self {
            Self::Everything | Self::Server(_) => true,
            Self::Anywhere(name, asked) => {
                name.as_ref() == tool && asked.matches(version).is_some()
            }
            Self::OfServer(path, asked) => {
                let server = path.as_ref().strip_suffix(tool).and_then(|of| of.strip_suffix('/'));
                server.is_some() && asked.matches(version).is_some()
            }
        }
    }
}

impl<S: AsRef<str>> Version<S> {
    /// True when every version that `other` asks for is one that this asks for.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unsaid | Self::Star, _) => true,
            (Self::One(version), Self::One(other)) => version.as_ref() == other.as_ref(),
            (Self::One(_), Self::Unsaid | Self::Star) => false,
        }
    }

    pub(super) fn matches(&self, version: Option<&ToolVersion>) -> Option<MatchKind> {
        match self {
            Self::One(one) => {
                version.is_some_and(|it| it.as_str() == one.as_ref()).then_some(MatchKind::Exact)
            }
            Self::Unsaid => Some(MatchKind::Versionless),
            Self::Star => Some(MatchKind::Wildcard),
        }
    }
}

/// The name in front of the version, and the version.
fn split(text: &str) -> Result<(&str, Version<&str>), Fault> {
    let tail = text.rfind('/').map_or(0, |slash| slash.saturating_add(1));
    let at = text.rfind('@').filter(|at| *at >= tail);
    let Some((name, version)) = at.and_then(|at| text.split_at_checked(at)) else {
        named(text)?;
        return Ok((text, Version::Unsaid));
    };
    named(name)?;
    match version.strip_prefix('@') {
        Some("*") => Ok((name, Version::Star)),
        Some("") | None => Err(Fault("whose version is empty; write `@1.0`, `@*`, or no `@`")),
        Some(version) if version.contains('*') => {
            Err(Fault("whose version has a `*` among letters; only `@*` alone is a wildcard"))
        }
        Some(version) => Ok((name, Version::One(version))),
    }
}

fn named(name: &str) -> Result<(), Fault> {
    if name.contains('*') {
        return Err(Fault(
            "where `*` does not stand for a whole server, tool or version; \
             write `*`, `mcp://server/*`, `mcp://*/tool` or `tool@*`",
        ));
    }
    if name.split('/').any(str::is_empty) {
        return Err(Fault("which leaves the server or the tool empty; write `mcp://server/tool`"));
    }
    Ok(())
}

/// A server's part may start with `@`, as package names do, but carries no version.
fn unversioned(server: &str) -> Result<(), Fault> {
    let versioned = |part: &str| part.rfind('@').is_some_and(|at| at > 0);
    if server.split('/').any(versioned) {
        return Err(Fault(
            "which gives the server a version; only a tool has one: `mcp://server/tool@1.0`",
        ));
    }
    Ok(())
}

/// One of each kind, and some that nearly are another.
#[cfg(test)]
pub(super) const PATTERNS: [&str; 12] = [
    "*",
    "mcp://s",
    "mcp://t/*",
    "mcp://s/a",
    "mcp://s/a@1",
    "mcp://s/x/a@1",
    "mcp://s/x/a",
    "mcp://*/a@*",
    "a@2",
    "x/a",
    "b",
    "mcp://*/b@1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_grammars_and_the_forms_in_between() {
        for (entry, read) in [
            ("*", Pattern::Everything),
            ("mcp://*", Pattern::Everything),
            ("mcp://*/", Pattern::Everything),
            ("mcp://*/*", Pattern::Everything),
            ("mcp://*/*@*", Pattern::Everything),
            (" mcp://s ", Pattern::Server("s")),
            ("mcp://s/", Pattern::Server("s")),
            ("mcp://s/*", Pattern::Server("s")),
            ("mcp://s/*@*", Pattern::Server("s")),
            ("mcp://@scope/s/*", Pattern::Server("@scope/s")),
            ("mcp://s/t", Pattern::OfServer("s/t", Version::Unsaid)),
            ("mcp://s/t@*", Pattern::OfServer("s/t", Version::Star)),
            ("mcp://s/t@1.0", Pattern::OfServer("s/t", Version::One("1.0"))),
            ("mcp://@scope/s/t@1", Pattern::OfServer("@scope/s/t", Version::One("1"))),
            ("mcp://@scope/s/t", Pattern::OfServer("@scope/s/t", Version::Unsaid)),
            ("mcp://*/t", Pattern::Anywhere("t", Version::Unsaid)),
            ("mcp://*/t@1", Pattern::Anywhere("t", Version::One("1"))),
            ("t", Pattern::Anywhere("t", Version::Unsaid)),
            ("t@*", Pattern::Anywhere("t", Version::Star)),
            ("t@latest", Pattern::Anywhere("t", Version::One("latest"))),
            ("a@b@1", Pattern::Anywhere("a@b", Version::One("1"))),
        ] {
            assert_eq!(Pattern::parse(entry), Ok(read), "{entry}");
        }
    }

    #[test]
    fn refuses_an_entry_that_could_never_match() {
        let long = "x".repeat(MAX_ENTRY + 1);
        for entry in [
            "",
            "  ",
            "mcp://",
            "mcp:///",
            "mcp:///t",
            "mcp://s//",
            "mcp://s//t",
            "mcp://s/@1",
            "@1",
            "t@",
            "mcp://s/t@",
            "add*",
            "*add",
            "mcp://s/add*",
            "mcp://s*/t",
            "*@*",
            "*@1",
            "mcp://s/*@1",
            "mcp://*/*@1",
            "t@1.*",
            "*/t",
            "a b",
            "mcp://s/a b@1",
            "a\u{0}b",
            "MCP://s/t",
            "http://s/t",
            "mcp://s@1.0/t@1",
            "mcp://s@1.0",
            "mcp://s@1.0/*",
            &long,
        ] {
            assert!(Pattern::parse(entry).is_err(), "{entry}");
        }
    }

    #[test]
    fn an_entry_may_have_512_bytes_and_no_more() {
        assert!(Pattern::parse(&"x".repeat(MAX_ENTRY)).is_ok());
        assert!(Pattern::parse(&"x".repeat(MAX_ENTRY + 1)).is_err());
    }

    #[test]
    fn another_scheme_is_told_as_that() {
        for entry in ["MCP://s/t", "http://s/t", "mcps://s"] {
            let said = Pattern::parse(entry).unwrap_err().to_string();
            assert!(said.contains("whose scheme is not `mcp://`"), "{entry}: {said}");
        }
    }

    #[test]
    fn an_entry_covers_another_exactly_when_it_matches_all_tools_of_the_other() {
        for (wide, narrow, covers) in [
            ("*", "mcp://s", true),
            ("*", "a@1", true),
            ("mcp://s", "*", false),
            ("mcp://s", "mcp://s/*", true),
            ("mcp://s", "mcp://t", false),
            ("mcp://s", "mcp://s/a@1", true),
            ("mcp://s", "mcp://t/a", false),
            ("mcp://s", "a", false),
            ("mcp://s/a", "mcp://s", false),
            ("mcp://s/a", "a", false),
            ("mcp://s/a", "mcp://s/b", false),
            ("mcp://s/a", "mcp://s/a@1", true),
            ("mcp://s/a@1", "mcp://s/a", false),
            ("mcp://s/a@1", "mcp://s/a@*", false),
            ("mcp://s/a@1", "mcp://s/a@1", true),
            ("mcp://s/a@1", "mcp://s/a@2", false),
            ("a", "mcp://s", false),
            ("a", "b", false),
            ("a@*", "a@1", true),
            ("a@1", "a", false),
            ("a@1", "a@1", true),
            ("a@1", "a@2", false),
            ("a", "mcp://s/a@1", true),
            ("a", "mcp://s/b", false),
            ("a@1", "mcp://s/a@2", false),
            ("b@1", "mcp://s/a@1", false),
        ] {
            let [one, other] = [wide, narrow].map(|entry| Pattern::parse(entry).unwrap());
            assert_eq!(one.covers(&other), covers, "{wide} {narrow}");
        }
    }

    #[test]
    fn a_tool_without_a_server_is_taken_for_one_of_the_entrys_own() {
        let one = ToolVersion::new("1");
        for (entry, server, is_for) in [
            ("*", None, true),
            ("mcp://s", None, true),
            ("a", None, true),
            ("a@1", None, true),
            ("a@2", None, false),
            ("b", None, false),
            ("b@1", None, false),
            ("mcp://s/a", None, true),
            ("mcp://s/a@1", None, true),
            ("mcp://s/a@2", None, false),
            ("mcp://s/b@1", None, false),
            ("mcp://s/xa@1", None, false),
            ("mcp://s", Some("s"), true),
            ("mcp://s", Some("t"), false),
            ("mcp://s/a@1", Some("s"), true),
            ("mcp://s/a@1", Some("t"), false),
        ] {
            let pattern = Pattern::parse(entry).unwrap();
            assert_eq!(pattern.is_for(server, "a", one.as_ref()), is_for, "{entry} {server:?}");
        }
    }
}
