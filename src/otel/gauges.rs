use crate::call::{CircuitState, ServerIdent};
use std::fmt;
use std::sync::Arc;

/// What a layer is asked for when metrics are exported.
pub trait Gauges: fmt::Debug + Send + Sync {
    /// How it stands now. Asked by a thread of the export, never by a call.
    fn read(&self) -> Reading;
}

/// How a layer stands.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Reading {
    /// Escalations that nobody has decided; `None` where the store does not say.
    pub approvals_pending: Option<u64>,
    /// Calls that are held for a decision.
    pub calls_held: u64,
    /// Records that are not written yet.
    pub audit_queue: u64,
    /// Calls under way.
    pub calls_under_way: u64,
    /// Whether the log cannot be written now.
    pub is_failing: bool,
    /// The circuits of the tools; none where nothing opens one.
    pub circuits: Vec<CircuitReading>,
}

/// How the circuit of one tool stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CircuitReading {
    /// Whose tool it is, where that is known yet.
    pub server: Option<Arc<ServerIdent>>,
    /// The frozen tool.
    pub tool: Box<str>,
    /// Open while it is tried, too.
    pub state: CircuitState,
}

impl CircuitReading {
    /// The circuit of this tool.
    pub fn new(server: Option<Arc<ServerIdent>>, tool: Box<str>, state: CircuitState) -> Self {
        Self { server, tool, state }
    }
}
