use super::lock::LockRefused;
use super::snapshot::{Drift, Snapshot};
use super::withheld::Withheld;
use crate::call::{ServerIdent, ToolVersion};
use std::collections::HashMap;
use std::sync::Arc;

/// The side of a secured service that its door talks to besides calls.
///
/// Doors freeze their registry through it when they are wrapped, and report what they see.
pub trait Freeze {
    /// Freezes `seen` if it is the first registry that this layer sees. Returns the frozen one,
    /// which for a later session may be another than `seen`.
    fn freeze(&self, seen: Arc<Snapshot>) -> Arc<Snapshot>;

    /// Why nothing of `server` is to be shown or called: its frozen tools are not those in its lock
    /// file, and the policy requires it. `None` while nothing is frozen.
    fn refused(&self, _server: &Arc<ServerIdent>) -> Option<LockRefused> {
        None
    }

    /// The frozen tools of `server` that nobody is shown; `None` where all are, and while nothing is
    /// frozen.
    fn withheld(&self, _server: &Arc<ServerIdent>) -> Option<Arc<Withheld>> {
        None
    }

    /// Records that somebody tried to change the frozen registry of `server`.
    fn tampering(&self, server: &Arc<ServerIdent>, drift: &Drift);

    /// How the door is to behave.
    fn manner(&self) -> &Manner;
}

/// How a door behaves, as the options say.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Manner {
    /// How a refusal is put on the wire.
    pub denials: Denials,
    /// True when successful results carry no `_meta["sec0/trace"]`.
    pub hide_trace: bool,
    /// True when the annotations of tools are claims of somebody else's: they may add side
    /// effects, never take them away.
    pub annotations_are_claims: bool,
    /// Versions of tools whose definitions declare none.
    pub tool_versions: HashMap<String, ToolVersion>,
}

/// How a refusal is put on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Denials {
    /// As a JSON-RPC error, code -31051.
    AsError,
    /// As a tool result with `isError: true`, so that a model reads it. The default.
    #[default]
    AsResult,
}

/// The answer to whoever registers a tool after the freeze.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "REGISTRY_FROZEN: tool `{tool}` cannot be registered, the registry is frozen; register all \
     tools before the server is wrapped in the security layer"
)]
pub struct FrozenError {
    tool: Box<str>,
}

impl FrozenError {
    /// The registration of `tool` is refused.
    pub fn new(tool: &str) -> Self {
        Self { tool: tool.into() }
    }

    /// The code, as the wire has it.
    pub fn code(&self) -> &'static str {
        crate::call::Code::RegistryFrozen.as_str()
    }
}
