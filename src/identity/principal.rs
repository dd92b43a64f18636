use super::verified::VerifiedPrincipal;
use std::fmt;
use std::sync::Arc;

/// Where a call came from, as its door knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Over HTTP.
    Http,
    /// From this machine: stdio, or memory.
    Local,
}

/// On whom calls are counted and grants are spent. Never made from a claim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Principal {
    name: Arc<str>,
    is_verified: bool,
}

impl Principal {
    /// The user that runs this process: `local:<uid>`. The system vouches for it: on stdio the
    /// caller is the program that started this one.
    pub fn local() -> Self {
        let uid = rustix::process::getuid().as_raw();
        Self { name: format!("local:{uid}").into(), is_verified: true }
    }

    /// The one bucket of all callers of an HTTP door that verifies nobody: `http:anonymous`.
    pub fn anonymous_http() -> Self {
        Self { name: "http:anonymous".into(), is_verified: false }
    }

    /// The one bucket of all callers of another transport that others can reach:
    /// `remote:anonymous`.
    pub fn anonymous_remote() -> Self {
        Self { name: "remote:anonymous".into(), is_verified: false }
    }

    /// The caller whom the server's own authentication has verified.
    pub fn verified(caller: &VerifiedPrincipal) -> Self {
        Self { name: Arc::clone(caller.name()), is_verified: true }
    }

    /// The principal's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether somebody vouches for it. A bucket that stands in for nobody is not verified.
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
