use rmcp::model::RequestId;
use rmcp::service::{RequestContext, serve_directly};
use rmcp::{RoleServer, ServerHandler};

struct Nobody;

impl ServerHandler for Nobody {}

/// A request's context without a connection: what a test or a benchmark gives to `call_tool`.
///
/// Its peer is closed: a handler that asks the client something gets an error.
///
/// # Panics
///
/// Outside a tokio runtime, which rmcp needs to make a peer.
pub fn detached_context() -> RequestContext<RoleServer> {
    let (ours, _theirs) = tokio::io::duplex(64);
    let service = serve_directly::<RoleServer, _, _, _, _>(Nobody, ours, None);
    RequestContext::new(RequestId::Number(0), service.peer().clone())
}
