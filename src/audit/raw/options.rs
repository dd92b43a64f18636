use crate::call::ServerIdent;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// What of arguments and results is kept as it is, in `raw/raw-YYYY-MM-DD.ndjson`.
///
/// ```
/// use sec0::audit::RawPayloads;
///
/// let raw = RawPayloads::default().max_bytes(4096).redact(|payload, context| {
///     if context.tool == "login" {
///         payload["password"] = "…".into();
///     }
/// });
/// ```
#[derive(Clone)]
pub struct RawPayloads {
    pub(super) inputs: bool,
    pub(super) outputs: bool,
    pub(super) max_bytes: usize,
    pub(super) redact: Option<Arc<Redact>>,
}

/// Takes out of a payload what must not be kept.
pub(super) type Redact = dyn Fn(&mut Value, &RawContext<'_>) + Send + Sync;

/// Whose payload it is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RawContext<'a> {
    /// Arguments or result.
    pub direction: Direction,
    /// The server that was asked.
    pub server: &'a ServerIdent,
    /// The tool that was asked for, whether it exists or not.
    pub tool: &'a str,
}

impl<'a> RawContext<'a> {
    /// The context of a payload of this tool.
    pub fn new(direction: Direction, server: &'a ServerIdent, tool: &'a str) -> Self {
        Self { direction, server, tool }
    }
}

/// Which way a payload goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a call has arguments and a result, and that is all")]
pub enum Direction {
    /// The arguments.
    Input,
    /// The result.
    Output,
}

impl Direction {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

impl RawPayloads {
    /// The most bytes of a payload that can be kept.
    pub const MOST_BYTES: usize = 256 * 1024;

    /// How many bytes of JSON are kept of one payload; of a longer one there is a preview. 1 to
    /// 262,144; default 65,536.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes.clamp(1, Self::MOST_BYTES);
        self
    }

    /// Keeps no arguments.
    #[must_use]
    pub fn without_inputs(mut self) -> Self {
        self.inputs = false;
        self
    }

    /// Keeps no results.
    #[must_use]
    pub fn without_outputs(mut self) -> Self {
        self.outputs = false;
        self
    }

    /// Called with a copy of each payload before anything of it is kept, on the way of the call: it
    /// should be quick. A payload for which it panics is not kept.
    #[must_use]
    pub fn redact(
        mut self,
        redact: impl Fn(&mut Value, &RawContext<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.redact = Some(Arc::new(redact));
        self
    }
}

/// Arguments and results, up to 65,536 bytes each, as they are.
impl Default for RawPayloads {
    fn default() -> Self {
        Self { inputs: true, outputs: true, max_bytes: 65_536, redact: None }
    }
}

impl fmt::Debug for RawPayloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPayloads")
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .field("max_bytes", &self.max_bytes)
            .field("is_redacted", &self.redact.is_some())
            .finish()
    }
}
