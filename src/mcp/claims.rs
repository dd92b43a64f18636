use super::request::ToolRequest;
use crate::identity::{ClaimName, Claimant, Origin};
use http::request::Parts;
use rmcp::RoleServer;
use rmcp::service::RequestContext;
use std::borrow::Cow;

impl Claimant for ToolRequest {
    /// From the HTTP header where there is one, else from `_meta`.
    fn claim(&self, name: ClaimName) -> Option<Cow<'_, str>> {
        header(&self.context, name).or_else(|| meta(&self.context, name)).map(Cow::Borrowed)
    }

    fn origin(&self) -> Origin {
        if parts(&self.context).is_some() { Origin::Http } else { Origin::Local }
    }
}

/// rmcp puts the head of the HTTP request into the extensions of what it carries.
fn parts(context: &RequestContext<RoleServer>) -> Option<&Parts> {
    context.extensions.get::<Parts>()
}

fn header(context: &RequestContext<RoleServer>, name: ClaimName) -> Option<&str> {
    // A header that is not printable ASCII is no claim that could be recorded.
    parts(context)?.headers.get(name.header())?.to_str().ok()
}

fn meta(context: &RequestContext<RoleServer>, name: ClaimName) -> Option<&str> {
    context.meta.0.0.get(name.meta())?.as_str()
}
