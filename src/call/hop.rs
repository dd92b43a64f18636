/// What a record says of the hop that was run, besides its target.
///
/// The names come from the configuration, so none of it is a claim. Spellings are those of the
/// TypeScript original's decorators.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a part left out would not be recorded")]
pub struct HopIdent {
    /// `hop`: its name in the configuration, such as `OrderAgent.run`.
    pub key: Box<str>,
    /// `node_type`.
    pub node_type: &'static str,
    /// `server`.
    pub server: Box<str>,
    /// `tool`.
    pub tool: Box<str>,
    /// `tool_ref`.
    pub tool_ref: Box<str>,
    /// The member named for its type (`agent`, `agent_orchestrator`, `gateway`, `middleware` or
    /// `skill`), and its value; `None` for servers and tools, whose names stand there anyway.
    pub named: Option<(HopMember, Box<str>)>,
}

/// The member of a record that is named for a type of hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a record has its place for each")]
pub enum HopMember {
    /// `agent`.
    Agent,
    /// `agent_orchestrator`.
    Orchestrator,
    /// `gateway`.
    Gateway,
    /// `middleware`.
    Middleware,
    /// `skill`, and `skill_ref` beside it.
    Skill,
}

impl HopIdent {
    /// The value of this member, where the hop has it.
    pub fn member(&self, member: HopMember) -> Option<&str> {
        self.named.as_ref().filter(|(named, _)| *named == member).map(|(_, value)| &**value)
    }
}
