use super::round::Sent;
use super::session::Lookout;
use crate::registry::{Look, Sight, Sighted};
use rmcp::RoleServer;
use rmcp::model::CallToolRequestParams;
use rmcp::service::RequestContext;
use std::fmt;
use std::sync::Arc;

/// rmcp's part of a call: what the handler will need, and where to look for the tool.
#[derive(Clone)]
#[non_exhaustive]
pub struct ToolRequest {
    /// The parameters without name and arguments, which the call itself carries.
    pub params: CallToolRequestParams,
    /// The request's context: peer, cancellation, `_meta`, extensions.
    pub context: RequestContext<RoleServer>,
    pub(super) session: Arc<dyn Lookout>,
    /// What came along from the round before; it is no longer in the parameters.
    pub(super) sent: Option<Arc<Sent>>,
}

impl Sighted for ToolRequest {
    fn sight(&self, tool: &str) -> Sight<'_> {
        self.session.sight(tool)
    }

    fn first_look(&self) -> Option<Look> {
        Arc::clone(&self.session).first_look(&self.context)
    }
}

/// Says nothing of parameters and headers: they may hold secrets.
impl fmt::Debug for ToolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRequest").field("id", &self.context.id).finish_non_exhaustive()
    }
}
