use crate::registry::{Live, Sight, Sighted, Snapshot};
use rmcp::RoleServer;
use rmcp::model::CallToolRequestParams;
use rmcp::service::RequestContext;
use std::sync::Arc;

/// rmcp's part of a call: what the handler will need, and what is to be seen of the tool.
#[derive(Debug)]
#[non_exhaustive]
pub struct ToolRequest {
    /// The parameters without name and arguments, which the call itself carries.
    pub params: CallToolRequestParams,
    /// The request's context: peer, cancellation, `_meta`, extensions.
    pub context: RequestContext<RoleServer>,
    pub(super) session: Arc<Snapshot>,
    pub(super) live: Live,
    /// Where the route stands among the frozen ones.
    pub(super) route: Option<usize>,
}

impl Sighted for ToolRequest {
    fn sight(&self) -> Sight<'_> {
        Sight::new(&self.session, self.live)
    }
}
