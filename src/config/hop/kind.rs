use std::fmt;

/// What a hop is: the `type` of an entry of `app.hops`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HopType {
    /// A function that acts for somebody.
    Agent,
    /// A function that says which agents act.
    Orchestrator,
    /// A call through the gateway.
    Gateway,
    /// A server of tools.
    Server,
    /// What stands between a caller and a server.
    Middleware,
    /// A tool of a server.
    Tool,
    /// What an agent's host loads.
    Skill,
}

impl HopType {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::Agent,
        Self::Orchestrator,
        Self::Gateway,
        Self::Server,
        Self::Middleware,
        Self::Tool,
        Self::Skill,
    ];

    pub(in crate::config) const WORDS: &'static [&'static str] =
        &["agent", "orchestrator", "gateway", "server", "middleware", "tool", "skill"];

    /// The spelling in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Orchestrator => "orchestrator",
            Self::Gateway => "gateway",
            Self::Server => "server",
            Self::Middleware => "middleware",
            Self::Tool => "tool",
            Self::Skill => "skill",
        }
    }

    /// The type that is spelled so.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The word at the start of a sentence.
    pub(in crate::config) fn title(self) -> &'static str {
        match self {
            Self::Agent => "Agent",
            Self::Orchestrator => "Orchestrator",
            Self::Gateway => "Gateway",
            Self::Server => "Server",
            Self::Middleware => "Middleware",
            Self::Tool => "Tool",
            Self::Skill => "Skill",
        }
    }

    /// All words in backticks.
    pub(in crate::config) fn listed() -> String {
        Self::WORDS.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    }

    /// The keys that a hop of this type must have, beside its names, in the order of the original.
    pub(super) fn required(self) -> &'static [&'static str] {
        match self {
            Self::Agent | Self::Orchestrator => &["nodeId"],
            Self::Gateway => &["gateway", "nodeId"],
            Self::Server => &["server", "nodeId"],
            Self::Middleware => &["middleware", "op", "nodeId"],
            Self::Tool => &["server", "tool", "nodeId"],
            Self::Skill => &["skill", "nodeId"],
        }
    }
}

impl fmt::Display for HopType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
