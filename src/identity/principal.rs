use std::fmt;
use std::sync::Arc;

/// Where a call came from, as its door knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Over HTTP, without a verified identity.
    Http,
    /// From this machine: stdio, or memory.
    Local,
}

/// On whom calls are counted and grants are spent. Never made from a claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The user that runs this process: `local:<uid>`.
    pub fn local() -> Self {
        Self(format!("local:{}", rustix::process::getuid().as_raw()).into())
    }

    /// The one bucket of all callers of an HTTP door that verifies nobody: `http:anonymous`.
    pub fn anonymous_http() -> Self {
        Self("http:anonymous".into())
    }

    /// The principal's name.
    pub fn name(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
