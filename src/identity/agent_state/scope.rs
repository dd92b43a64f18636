use super::error::AgentStateError;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Whose variables they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "the wire format has these five")]
pub enum Scope {
    /// `AGENT`.
    Agent,
    /// `GATEWAY`.
    Gateway,
    /// `ORCHESTRATOR`; also written `LLM`.
    Orchestrator,
    /// `SERVER`.
    Server,
    /// `TOOL`.
    Tool,
}

impl Scope {
    const ALL: [Self; 5] =
        [Self::Agent, Self::Gateway, Self::Orchestrator, Self::Server, Self::Tool];

    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "AGENT",
            Self::Gateway => "GATEWAY",
            Self::Orchestrator => "ORCHESTRATOR",
            Self::Server => "SERVER",
            Self::Tool => "TOOL",
        }
    }
}

/// In upper or lower case; `LLM` is `ORCHESTRATOR`.
impl FromStr for Scope {
    type Err = AgentStateError;

    fn from_str(text: &str) -> Result<Self, AgentStateError> {
        let name = text.trim();
        let known = Self::ALL.into_iter().find(|scope| name.eq_ignore_ascii_case(scope.as_str()));
        let alias = || name.eq_ignore_ascii_case("LLM").then_some(Self::Orchestrator);
        known.or_else(alias).ok_or_else(|| {
            let shown = text.chars().take(64).flat_map(char::escape_debug).collect();
            AgentStateError::UnknownScope(shown)
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
