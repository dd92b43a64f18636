use super::hop::HopIdent;
use super::name::{ServerIdent, ToolName};
use super::span::SpanIds;
use super::token::ApprovalToken;
use super::work::Work;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The arguments of a call: a JSON object.
pub type Arguments = serde_json::Map<String, serde_json::Value>;

/// What was asked, as the door read it.
///
/// `X` is the door's own part of the request (for rmcp: its parameters and context). The steps
/// carry it untouched; they reach into it only through the traits of the domains, such as
/// [`Claimant`](crate::identity::Claimant) and [`Sighted`](crate::registry::Sighted).
#[non_exhaustive]
pub struct Call<X = ()> {
    /// The server that offers the tool.
    pub server: Arc<ServerIdent>,
    /// The tool that was asked for, whether it exists or not.
    pub tool: ToolName,
    /// The arguments; `None` when the request has none.
    pub arguments: Option<Arguments>,
    /// Fires when the caller gives up. A waiting step stops; a running handler is not dropped.
    pub cancel: CancellationToken,
    /// What kind of work it asks for: names its span.
    pub work: Work,
    /// The ids of the span of this call: minted by `trace`, all zero before. A door that goes on with
    /// a trace of its own puts the id of that trace here.
    pub span: SpanIds,
    /// The grant that the caller presents. The step `identify` takes it out of the door's part and of
    /// the arguments; no handler sees it.
    pub approval: Option<ApprovalToken>,
    /// The hop that this is a call of; `None` for tools of a server.
    pub hop: Option<Arc<HopIdent>>,
    /// The door's own part.
    pub door: X,
    /// Copies the door's part, where that can be copied.
    copy: Option<fn(&X) -> X>,
}

impl<X> Call<X> {
    /// A call of `tool` on `server`, without arguments, given up when `cancel` fires.
    pub fn new(
        server: Arc<ServerIdent>,
        tool: ToolName,
        cancel: CancellationToken,
        door: X,
    ) -> Self {
        Self {
            server,
            tool,
            arguments: None,
            cancel,
            work: Work::default(),
            span: SpanIds::default(),
            approval: None,
            hop: None,
            door,
            copy: None,
        }
    }

    /// The same call with these arguments.
    #[must_use]
    pub fn with_arguments(mut self, arguments: Option<Arguments>) -> Self {
        self.arguments = arguments;
        self
    }

    /// The same call, of another kind of work than `tools/call`.
    #[must_use]
    pub fn of_work(mut self, work: Work) -> Self {
        self.work = work;
        self
    }

    /// The same call, which may be run again where the policy asks for retries and its tool is
    /// idempotent. Without it a call runs once, whatever the policy says.
    #[must_use]
    pub fn repeatable(mut self) -> Self
    where
        X: Clone,
    {
        self.copy = Some(X::clone);
        self
    }

    /// The same call once more; `None` where it is not [`repeatable`](Self::repeatable).
    pub(crate) fn again(&self) -> Option<Self> {
        let copy = self.copy?;
        Some(Self {
            server: Arc::clone(&self.server),
            tool: self.tool.clone(),
            arguments: self.arguments.clone(),
            cancel: self.cancel.clone(),
            work: self.work,
            span: self.span,
            approval: self.approval.clone(),
            hop: self.hop.clone(),
            door: copy(&self.door),
            copy: self.copy,
        })
    }
}

/// Says nothing of the arguments, the grant and the door's part: they may hold secrets.
impl<X> fmt::Debug for Call<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("server", &self.server.at_version())
            .field("tool", &self.tool.bounded())
            .field("arguments", &self.arguments.as_ref().map(serde_json::Map::len))
            .finish_non_exhaustive()
    }
}
