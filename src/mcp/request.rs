use super::routes::Lookout;
use crate::registry::{Sight, Sighted, Snapshot};
use rmcp::RoleServer;
use rmcp::model::CallToolRequestParams;
use rmcp::service::RequestContext;
use std::fmt;
use std::sync::Arc;

/// rmcp's part of a call: what the handler will need, and where to look for the tool.
#[non_exhaustive]
pub struct ToolRequest {
    /// The parameters without name and arguments, which the call itself carries.
    pub params: CallToolRequestParams,
    /// The request's context: peer, cancellation, `_meta`, extensions.
    pub context: RequestContext<RoleServer>,
    pub(super) session: Arc<Snapshot>,
    pub(super) routes: Arc<dyn Lookout>,
}

impl Sighted for ToolRequest {
    fn sight(&self, tool: &str) -> Sight<'_> {
        Sight::new(&self.session, self.routes.sight(tool))
    }
}

/// Says nothing of parameters and headers: they may hold secrets.
impl fmt::Debug for ToolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRequest").field("id", &self.context.id).finish_non_exhaustive()
    }
}
