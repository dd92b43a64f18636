use serde::Deserialize;
use std::fmt;

/// What kind of thing a call does to the world: the record's `op`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the four are fixed by the contract")]
pub enum Op {
    /// It makes something.
    Create,
    /// It takes something away.
    Delete,
    /// It looks.
    Read,
    /// It changes something.
    Update,
}

/// How it is known what a call does, from the strongest word to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a reader of the log must know all of them")]
pub enum Basis {
    /// An entry of the policy's `tools.overrides` has a say in it.
    Policy,
    /// The annotations of the tool's definition say it.
    Annotations,
    /// It is guessed from the tool's name, and from an argument `method`.
    Name,
}

/// What a call does, as far as that can be known before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what decides must say all three")]
pub struct Operation {
    /// The kind.
    pub op: Op,
    /// True when the world may be another after the call. By the name alone it does not always go
    /// with the kind: `remove_item` deletes, and its name is none of those with side effects.
    pub side_effect: bool,
    /// The strongest source that has a say in either.
    pub basis: Basis,
}

/// What a tool's definition says of the tool, in its annotations. `None` is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Hints {
    /// `readOnlyHint`.
    pub read_only: Option<bool>,
    /// `destructiveHint`.
    pub destructive: Option<bool>,
    /// `idempotentHint`.
    pub idempotent: Option<bool>,
    /// `openWorldHint`.
    pub open_world: Option<bool>,
}

impl Op {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Read => "read",
            Self::Update => "update",
        }
    }
}

impl Basis {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Annotations => "annotations",
            Self::Name => "name",
        }
    }
}

impl Hints {
    /// The same hints with this `readOnlyHint`.
    #[must_use]
    pub fn with_read_only(mut self, hint: Option<bool>) -> Self {
        self.read_only = hint;
        self
    }

    /// The same hints with this `destructiveHint`.
    #[must_use]
    pub fn with_destructive(mut self, hint: Option<bool>) -> Self {
        self.destructive = hint;
        self
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
