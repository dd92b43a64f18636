use super::printable::is_printable;
use std::fmt;
use std::sync::Arc;

/// A caller whom the server's own authentication has verified.
///
/// The program's HTTP middleware checks whatever it checks (a token, a client certificate) and puts
/// this into the request's extensions; calls are then counted on it, and the record has it as
/// `principal` with `principal_verified: true`. It never crosses the wire: no header and nothing in
/// `_meta` can make one. It holds for the request that it was put into, not for the session.
///
/// ```no_run
/// use axum::{Router, http::{Request, StatusCode, header::AUTHORIZATION}, middleware::{Next, from_fn}};
/// use axum::{body::Body, response::{IntoResponse, Response}};
/// use rmcp::transport::streamable_http_server::StreamableHttpService;
/// # use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
/// use sec0::identity::VerifiedPrincipal;
///
/// // Yours: looks the token up, compares it in constant time, or verifies a signed one.
/// fn user_of(token: &str) -> Option<String> {
/// #   None
/// }
///
/// async fn authenticate(mut request: Request<Body>, next: Next) -> Response {
///     let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
///     let user = header.and_then(|value| value.strip_prefix("Bearer ")).and_then(user_of);
///     let Some(Ok(principal)) = user.map(|user| VerifiedPrincipal::new(&format!("user:{user}")))
///     else {
///         return StatusCode::UNAUTHORIZED.into_response();
///     };
///     request.extensions_mut().insert(principal);
///     next.run(request).await
/// }
///
/// # fn app<H: rmcp::ServerHandler>(mcp: StreamableHttpService<H, LocalSessionManager>) -> Router {
/// Router::new().nest_service("/mcp", mcp).layer(from_fn(authenticate))
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifiedPrincipal(Arc<str>);

/// Why a text is no name of a verified caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrincipalError {
    /// It is empty.
    #[error("the name of a principal is empty; give the name that was verified")]
    Empty,
    /// It is too long.
    #[error(
        "the name of a principal has {0} bytes, and may have {max}; use a shorter one, such as a digest",
        max = VerifiedPrincipal::MAX_LEN
    )]
    TooLong(usize),
    /// It has characters that a reader of the log could not see, or blanks at its ends.
    #[error(
        "the name of a principal has control characters, invisible ones, or blanks at its ends; names must be seen as they are"
    )]
    Unprintable,
    /// It begins as the names do that sec0 gives itself.
    #[error(
        "the name of a principal begins with `local:`, `http:` or `remote:`, which stand for callers that nobody verified; use another prefix, such as `user:`"
    )]
    Reserved,
}

impl VerifiedPrincipal {
    /// The most bytes of a name.
    pub const MAX_LEN: usize = 256;

    /// Prefixes of the names that sec0 gives.
    const RESERVED: [&str; 3] = ["local:", "http:", "remote:"];

    /// A caller of this name. Two callers are one if their names are the same, byte for byte; put
    /// the issuer into the name where several can verify.
    ///
    /// # Errors
    ///
    /// The name is empty, longer than [`MAX_LEN`](Self::MAX_LEN), not printable, has blanks at its
    /// ends, or begins with `local:`, `http:` or `remote:` in any case.
    pub fn new(name: &str) -> Result<Self, PrincipalError> {
        let begins = |prefix: &str| {
            name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if name.is_empty() {
            Err(PrincipalError::Empty)
        } else if name.len() > Self::MAX_LEN {
            Err(PrincipalError::TooLong(name.len()))
        } else if !is_printable(name) || name.trim() != name {
            Err(PrincipalError::Unprintable)
        } else if Self::RESERVED.into_iter().any(begins) {
            Err(PrincipalError::Reserved)
        } else {
            Ok(Self(name.into()))
        }
    }

    /// The name.
    pub fn name(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Display for VerifiedPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_passes_for_a_caller_whom_nobody_verified() {
        for name in ["local:0", "http:anonymous", "HTTP:x", "Local:1000", "remote:anonymous"] {
            assert_eq!(VerifiedPrincipal::new(name), Err(PrincipalError::Reserved), "{name}");
        }
        for name in
            ["a\nb", "\0", "a\u{202e}b", " http:x", "user:a ", "\u{feff}local:0", "\u{200b}"]
        {
            assert_eq!(VerifiedPrincipal::new(name), Err(PrincipalError::Unprintable), "{name:?}");
        }
        assert_eq!(VerifiedPrincipal::new(""), Err(PrincipalError::Empty));
        let longest = "x".repeat(VerifiedPrincipal::MAX_LEN);
        let too_long = VerifiedPrincipal::new(&format!("{longest}x"));
        assert_eq!(too_long, Err(PrincipalError::TooLong(257)));
        for name in ["user:alice", "https://idp.example|é", "loca", &longest] {
            assert_eq!(VerifiedPrincipal::new(name).unwrap().to_string(), name);
        }
    }
}
