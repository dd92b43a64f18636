use super::request::ToolRequest;
use crate::call::Unusable;
use crate::identity::{ClaimName, Claimant, Origin, Said, VerifiedPrincipal};
use http::request::Parts;
use rmcp::RoleServer;
use rmcp::service::RequestContext;
use std::borrow::Cow;

impl Claimant for ToolRequest {
    /// From the HTTP header where there is one, else from `_meta`.
    fn claim(&self, name: ClaimName) -> Said<'_> {
        match header(&self.context, name) {
            Said::Nothing => meta(&self.context, name),
            said @ (Said::Text(_) | Said::Unusable(_)) => said,
        }
    }

    fn origin(&self) -> Origin {
        if parts(&self.context).is_some() { Origin::Http } else { Origin::Local }
    }

    /// From the extensions of the MCP request, else from those of the HTTP request.
    fn verified(&self) -> Option<&VerifiedPrincipal> {
        let nearest = self.context.extensions.get();
        nearest.or_else(|| parts(&self.context)?.extensions.get())
    }
}

/// rmcp puts the head of the HTTP request into the extensions of what it carries.
fn parts(context: &RequestContext<RoleServer>) -> Option<&Parts> {
    context.extensions.get::<Parts>()
}

/// A blank header counts as none; the same header twice is one, if both are the same.
fn header(context: &RequestContext<RoleServer>, name: ClaimName) -> Said<'_> {
    let Some(parts) = parts(context) else { return Said::Nothing };
    let mut values = parts.headers.get_all(name.header()).iter();
    let Some(first) = values.next() else { return Said::Nothing };
    if values.any(|other| other != first) {
        return Said::Unusable(Unusable::Ambiguous);
    }
    match first.to_str() {
        Ok(text) if text.trim().is_empty() => Said::Nothing,
        Ok(text) => Said::Text(Cow::Borrowed(text)),
        // Not ASCII, so of no encoding that both sides know.
        Err(_) => Said::Unusable(Unusable::Unprintable),
    }
}

fn meta(context: &RequestContext<RoleServer>, name: ClaimName) -> Said<'_> {
    let Some(value) = name.meta().and_then(|key| context.meta.0.0.get(key)) else {
        return Said::Nothing;
    };
    value.as_str().map_or(Said::Unusable(Unusable::Malformed), |text| Said::Text(text.into()))
}
