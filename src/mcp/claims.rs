use super::request::ToolRequest;
use crate::call::{ApprovalToken, Unusable};
use crate::identity::{Carriage, ClaimName, Claimant, Origin, Said, VerifiedPrincipal};
use http::HeaderMap;
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

    /// From where its `traceparent` is.
    fn tracestate(&self) -> Said<'_> {
        const NAME: &str = "tracestate";
        match header(&self.context, ClaimName::Traceparent) {
            Said::Nothing => {
                let value = self.context.meta.0.0.get(NAME).and_then(|value| value.as_str());
                value.map_or(Said::Nothing, |text| Said::Text(text.into()))
            }
            Said::Text(_) | Said::Unusable(_) => {
                let Some(parts) = parts(&self.context) else { return Said::Nothing };
                let sent = parts.headers.get_all(NAME).iter();
                let texts: Vec<_> = sent.filter_map(|value| value.to_str().ok()).collect();
                if texts.is_empty() { Said::Nothing } else { Said::Text(texts.join(",").into()) }
            }
        }
    }

    fn carriage(&self) -> Carriage {
        let mut carriage = Carriage::default();
        let parts = parts(&self.context);
        carriage.request_id = Carriage::text(&self.context.id.to_string());
        carriage.session_id = parts
            .and_then(|parts| parts.headers.get("mcp-session-id")?.to_str().ok())
            .and_then(Carriage::text);
        carriage.protocol_version = self
            .context
            .protocol_version()
            .and_then(|version| Carriage::text(&version.to_string()));
        carriage.transport = Some(if parts.is_some() { "tcp" } else { "pipe" });
        carriage
    }

    /// From the headers, else from `_meta`, in which the request and its parameters each have a part.
    fn take_approval_token(&mut self) -> Option<ApprovalToken> {
        let headers = self.context.extensions.get_mut::<Parts>().map(|parts| &mut parts.headers);
        let by_header = headers.and_then(|headers| {
            // Both are taken out before one is chosen.
            let [first, second] = ApprovalToken::HEADERS.map(|name| take(headers, name));
            first.or(second)
        });
        let by_meta = ApprovalToken::take(&mut self.context.meta.0.0, ApprovalToken::META);
        let params = self.params.meta.as_mut();
        let by_params = params.and_then(|m| ApprovalToken::take(&mut m.0.0, ApprovalToken::META));
        by_header.or(by_meta).or(by_params)
    }
}

/// The token in a header, which is taken out however often it was sent.
fn take(headers: &mut HeaderMap, name: &str) -> Option<ApprovalToken> {
    let token = match raw(headers, name) {
        Said::Nothing => None,
        Said::Text(text) => ApprovalToken::new(&text),
        Said::Unusable(_) => Some(ApprovalToken::fits_nothing()),
    };
    headers.remove(name);
    token
}

/// rmcp puts the head of the HTTP request into the extensions of what it carries.
fn parts(context: &RequestContext<RoleServer>) -> Option<&Parts> {
    context.extensions.get::<Parts>()
}

fn header(context: &RequestContext<RoleServer>, name: ClaimName) -> Said<'_> {
    parts(context).map_or(Said::Nothing, |parts| raw(&parts.headers, name.header()))
}

/// A blank header counts as none; the same header twice is one, if both are the same.
fn raw<'h>(headers: &'h HeaderMap, name: &str) -> Said<'h> {
    let mut values = headers.get_all(name).iter();
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
