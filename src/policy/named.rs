use super::error::shown;
use super::pattern::{Fault, Pattern, Version};
use crate::call::{ToolRef, ToolVersion};

/// One tool as people write it: `mcp://server/tool@version`, or without the version.
///
/// The version is what follows the last `@` behind the last `/`, and the tool what follows that
/// slash, as in an entry of the allowlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTool {
    server: Box<str>,
    tool: Box<str>,
    version: Option<ToolVersion>,
}

/// A text that names no tool, or several.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tool `{}`, {fault}", shown(.text))]
pub struct MalformedTool {
    text: Box<str>,
    fault: Fault,
}

impl MalformedTool {
    /// The same, in words that follow a key.
    pub(super) fn predicate(&self) -> String {
        format!("is `{}`, {}", shown(&self.text), self.fault)
    }
}

impl NamedTool {
    /// Reads the name of one tool, of at most 512 bytes.
    ///
    /// # Errors
    ///
    /// The text has no scheme, server or tool, has a `*`, or is no entry of an allowlist either.
    pub fn parse(text: &str) -> Result<Self, MalformedTool> {
        const SEVERAL: Fault =
            Fault("which may be several tools; name one, as `mcp://server/tool@1.0`");
        const SERVERLESS: Fault = Fault("which names no server; write `mcp://server/tool@1.0`");
        let malformed = |fault| MalformedTool { text: text.into(), fault };
        if text.trim().is_empty() {
            return Err(malformed(SERVERLESS));
        }
        let (path, version) = match Pattern::parse(text).map_err(malformed)? {
            Pattern::OfServer(path, Version::One(version)) => (path, ToolVersion::new(version)),
            Pattern::OfServer(path, Version::Unsaid) => (path, None),
            Pattern::Anywhere(..) if !text.trim().starts_with("mcp://") => {
                return Err(malformed(SERVERLESS));
            }
            Pattern::OfServer(_, Version::Star)
            | Pattern::Anywhere(..)
            | Pattern::Everything
            | Pattern::Server(_) => return Err(malformed(SEVERAL)),
        };
        let (server, tool) = path.rsplit_once('/').ok_or_else(|| malformed(SERVERLESS))?;
        Ok(Self { server: server.into(), tool: tool.into(), version })
    }

    /// The tool, as policies look at it.
    pub fn tool_ref(&self) -> ToolRef<'_> {
        ToolRef::new(&self.server, &self.tool, self.version.as_ref())
    }

    /// The same tool in this version.
    #[must_use]
    pub fn with_version(mut self, version: ToolVersion) -> Self {
        self.version = Some(version);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_read_with_its_server_and_its_version() {
        for (text, server, tool, version) in [
            ("mcp://demo/add@1.0", "demo", "add", Some("1.0")),
            ("mcp://demo/add", "demo", "add", None),
            (" mcp://demo/add@latest ", "demo", "add", Some("latest")),
            ("mcp://@scope/demo/add@1", "@scope/demo", "add", Some("1")),
            ("mcp://demo/a@b@1", "demo", "a@b", Some("1")),
        ] {
            let named = NamedTool::parse(text).unwrap();
            let found = named.tool_ref();
            assert_eq!((found.server, found.tool), (server, tool), "{text}");
            assert_eq!(found.version.map(ToolVersion::as_str), version, "{text}");
        }
    }

    #[test]
    fn what_names_no_tool_or_several_is_refused_with_the_form_to_write() {
        let long = format!("mcp://demo/{}", "x".repeat(600));
        for text in [
            "",
            " ",
            "add",
            "add@1.0",
            "*",
            "mcp://*",
            "mcp://demo",
            "mcp://demo/",
            "mcp://demo/*",
            "mcp://*/add",
            "mcp://demo/add@*",
            "mcp://demo/add@",
            "mcp:///add",
            "mcp://demo/a b",
            "mcp://demo/a\u{1b}b",
            "https://demo/add",
            "mcp://demo@1/add",
            &long,
        ] {
            let error = NamedTool::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("the tool `") && error.len() < 300, "{error}");
            assert!(!error.contains(char::is_control), "{error}");
        }
        let error = |text| NamedTool::parse(text).unwrap_err().to_string();
        assert_eq!(
            error("add"),
            "the tool `add`, which names no server; write `mcp://server/tool@1.0`"
        );
        for text in ["mcp://*/add", " mcp://*/add@1"] {
            assert!(error(text).contains("which may be several tools"), "{text}");
        }
        assert_eq!(
            error("mcp://demo/*"),
            "the tool `mcp://demo/*`, which may be several tools; name one, as `mcp://server/tool@1.0`"
        );
    }
}
