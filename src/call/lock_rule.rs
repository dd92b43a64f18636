use serde::Deserialize;
use std::fmt;

/// What follows when a server is not the one in its lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a third rule must be handled where servers start")]
pub enum LockRule {
    /// The server does not start, and nothing of it is called.
    Require,
    /// It is recorded, once for the server and in each call that it concerns.
    Warn,
}

impl LockRule {
    /// The spelling in policies and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::Warn => "warn",
        }
    }
}

impl fmt::Display for LockRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
