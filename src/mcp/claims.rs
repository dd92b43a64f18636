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
    let mut values = parts(context)?.headers.get_all(name.header()).iter();
    // Of a header that came twice nobody can say which one is meant (for `traceparent`: W3C Trace
    // Context, section 3.2), and one that is not printable ASCII could not be recorded.
    let (only, None) = (values.next()?, values.next()) else { return None };
    only.to_str().ok()
}

fn meta(context: &RequestContext<RoleServer>, name: ClaimName) -> Option<&str> {
    context.meta.0.0.get(name.meta())?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::detached_context;
    use http::Request;

    fn claimed(values: &[&str]) -> Option<String> {
        let mut request = Request::builder();
        for value in values {
            request = request.header(ClaimName::Traceparent.header(), *value);
        }
        let mut context = detached_context();
        context.extensions.insert(request.body(()).unwrap().into_parts().0);
        header(&context, ClaimName::Traceparent).map(str::to_owned)
    }

    // A context wants a runtime around it.
    #[tokio::test]
    async fn a_header_that_comes_twice_is_no_claim() {
        assert_eq!(claimed(&["one"]).as_deref(), Some("one"));
        assert_eq!(claimed(&["one", "two"]), None);
        assert_eq!(claimed(&["one", "one"]), None);
        assert_eq!(claimed(&[]), None);
    }
}
