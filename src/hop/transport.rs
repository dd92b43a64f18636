use super::app::Sec0App;
use super::invoke::InvokeError;
use crate::policy::reading::shown;
use serde_json::{Value, json};
use std::error::Error;
use std::fmt;
use std::pin::Pin;

/// The most bytes of a call or an answer between processes.
pub const MAX_BODY: usize = 16 * 1024 * 1024;

/// How deep they may be.
const MAX_DEPTH: usize = 128;

/// Calls hops in other processes.
pub trait HopTransport: Send + Sync + 'static {
    /// Posts a call and gives back the answer, of which no more than [`MAX_BODY`] bytes are to be
    /// read. It should have a bound in time of its own.
    fn post(&self, call: RemoteCall) -> Answering;
}

/// What a [`HopTransport`] gives back, later.
pub type Answering =
    Pin<Box<dyn Future<Output = Result<RemoteReply, Box<dyn Error + Send + Sync>>> + Send>>;

/// A call of a hop in another process.
#[non_exhaustive]
pub struct RemoteCall {
    /// The hop's `remoteUrl`.
    pub url: String,
    /// Run, state, cause and credentials; names are in lower case.
    pub headers: Vec<(String, String)>,
    /// JSON: `{"hopKey", "hopType", "params"}`.
    pub body: String,
}

/// The answer of another process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "transports make them")]
pub struct RemoteReply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl RemoteReply {
    pub(super) fn json(&self) -> Option<Value> {
        parse(&self.body)
    }

    fn of(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string().into_bytes() }
    }
}

/// Says nothing of what is sent: there may be credentials in it.
impl fmt::Debug for RemoteCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCall").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Sec0App {
    /// Answers a call that another process has posted: runs the handler that was
    /// [registered](Self::on) for the hop that it names, in the run that its headers say. For the HTTP
    /// server of the program, which has to bound the body at [`MAX_BODY`] and to authenticate the
    /// caller: nothing of what is claimed here is verified.
    ///
    /// The status is 200 with the result, 400 for a body that is no call, 404 for a hop that nobody
    /// runs, 403 for one that was refused and 500 for one that failed; other bodies than the result are
    /// `{"error", "message"}`, and of a failure the message says nothing.
    pub async fn answer<'h>(
        &self,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
    ) -> RemoteReply {
        let Some((key, params)) = asked(body) else {
            return told(400, "bad_request", "the body is no call of a hop");
        };
        let Some(handler) = self.handler(&key) else {
            let message =
                format!("[sec0] No local handler registered for hop \"{}\".", shown(&key));
            return told(404, "not_found", &message);
        };
        let hop = match self.hop(&key) {
            Ok(hop) => hop,
            Err(error) => return told(404, "not_found", &error.to_string()),
        };
        let given = params.clone();
        let running = hop.run(&params, |hop| async move {
            let failed = |source| InvokeError::Handler { key: hop.key().to_owned(), source };
            handler(given, hop.clone()).await.map_err(failed)
        });
        match self.run().from_headers(header).scope(running).await {
            Ok(value) => RemoteReply::of(200, &value),
            Err(InvokeError::Refused(refusal)) => {
                told(403, refusal.code().as_str(), &refusal.to_string())
            }
            Err(error) => {
                tracing::warn!(%error, "a hop that another process has called failed");
                told(500, "internal_error", "the hop failed")
            }
        }
    }
}

fn told(status: u16, error: &str, message: &str) -> RemoteReply {
    RemoteReply::of(status, &json!({ "error": error, "message": message }))
}

/// The hop that is asked for, and its parameters.
fn asked(body: &[u8]) -> Option<(String, Value)> {
    let mut call = parse(body)?;
    let call = call.as_object_mut()?;
    let Some(Value::String(key)) = call.remove("hopKey") else { return None };
    Some((key, call.remove("params").unwrap_or(Value::Null)))
}

fn parse(body: &[u8]) -> Option<Value> {
    // `serde_json` refuses what is deeper than its own bound, which is this one.
    const { assert!(MAX_DEPTH == 128) };
    (body.len() <= MAX_BODY).then(|| serde_json::from_slice(body).ok())?
}
