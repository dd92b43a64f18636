use super::context::HopContext;
use super::transport::RemoteCall;
use crate::call::Refusal;
use crate::config::{Automated, HopError};
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// What runs a hop by its name: see [`Sec0App::on`](super::Sec0App::on).
pub(super) type Handler = Arc<dyn Fn(Value, HopContext) -> Handled + Send + Sync>;

type Handled = Pin<Box<dyn Future<Output = Result<Value, Box<dyn Error + Send + Sync>>> + Send>>;

/// Why a hop that was invoked by its name gave no result. Texts that start with `[sec0]` are those of
/// the TypeScript original, to the letter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// It is not configured.
    #[error(transparent)]
    Hop(#[from] HopError),
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is neither registered here nor does it run elsewhere.
    #[error(
        "[sec0] No local handler registered for hop \"{key}\". Register one with `Sec0App::on`, or set \
         its `remoteUrl`"
    )]
    NoHandler {
        /// The hop.
        key: String,
    },
    /// It runs elsewhere, and the program has nothing to call others with.
    #[error("the hop `{key}` runs elsewhere; give the app a transport (`AppOptions::transport`)")]
    NoTransport {
        /// The hop.
        key: String,
    },
    /// Its handler failed.
    #[error("the handler of the hop `{key}` failed: {source}")]
    Handler {
        /// The hop.
        key: String,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It could not be called.
    #[error("[sec0] Remote hop \"{key}\" failed: {source}")]
    Remote {
        /// The hop.
        key: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It was called, and answered with a status that is no success.
    #[error("[sec0] Remote hop \"{key}\" returned status {status}")]
    Status {
        /// The hop.
        key: String,
        /// The status.
        status: u16,
    },
    /// What it answered is no JSON.
    #[error("the remote hop `{key}` answered with something that is no JSON, or too large")]
    Answer {
        /// The hop.
        key: String,
    },
}

impl HopContext {
    /// Runs another hop of the configuration by its name: the handler that was registered for it, or,
    /// where it has a `remoteUrl`, the one in another process. Either way it is judged and recorded
    /// here like any hop; the other process judges and records it once more.
    ///
    /// # Errors
    ///
    /// It is not configured, nobody runs it, it was refused, or it failed.
    pub async fn invoke(&self, key: &str, params: Value) -> Result<Value, InvokeError> {
        let hop = self.app().hop(key)?;
        if hop.hop().remote_url.is_some() {
            let given = params.clone();
            return hop.run(&params, |hop| async move { hop.call_remote(given).await }).await;
        }
        let handler = self.app().handler(key);
        let handler = handler.ok_or_else(|| InvokeError::NoHandler { key: key.to_owned() })?;
        let given = params.clone();
        let body = |hop: HopContext| async move {
            handler(given, hop)
                .await
                .map_err(|source| InvokeError::Handler { key: key.to_owned(), source })
        };
        hop.run(&params, body).await
    }

    /// The key under which this call of a tool is the same call when it is made again in this run:
    /// `<run>:<node>:<tool>:<16 hex digits of the SHA-256 of the arguments>`, and `:<salt>` if there
    /// is one. The digest is over the form of RFC 8785.
    ///
    /// # Errors
    ///
    /// The arguments are too deep.
    pub fn idempotency_key(
        &self,
        tool_at_version: &str,
        args: &Value,
        salt: Option<&str>,
    ) -> Result<String, crate::canonical::CanonicalError> {
        let canonical = crate::canonical::to_vec(args)?;
        let digest = crate::digest::Digest::of(&canonical).to_string();
        let short: String = digest.chars().take(16).collect();
        let (run, node) = (self.run_id(), self.node_id());
        let salt = salt.map(|salt| format!(":{salt}")).unwrap_or_default();
        Ok(format!("{run}:{node}:{tool_at_version}:{short}{salt}"))
    }

    /// The body of a hop that runs elsewhere.
    async fn call_remote(&self, params: Value) -> Result<Value, InvokeError> {
        let key = || self.key().to_owned();
        let failed = |source| InvokeError::Remote { key: key(), source };
        let hop = self.hop();
        let url = hop.remote_url.clone().unwrap_or_default();
        let transport =
            self.app().transport().ok_or_else(|| InvokeError::NoTransport { key: key() })?;
        let mut headers: Vec<_> = self
            .headers()
            .map_err(|error| failed(error.into()))?
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        if let Some(value) =
            hop.auth_header.as_ref().filter(|_| hop.automation.has(Automated::Auth))
        {
            headers.push(("authorization".to_owned(), value.expose().clone()));
        }
        if hop.automation.has(Automated::Idempotency) {
            let name = hop.version.as_deref().map(|version| format!("{}@{version}", hop.name));
            let name = name.as_deref().unwrap_or(&hop.name);
            let value = self.idempotency_key(name, &params, None);
            let value = value.map_err(|error| failed(error.into()))?;
            headers.push(("x-idempotency-key".to_owned(), value));
        }
        let body = serde_json::json!({
            "hopKey": self.key(),
            "hopType": hop.kind.as_str(),
            "params": params,
        });
        let body = body.to_string();
        let reply = transport.post(RemoteCall { url, headers, body }).await.map_err(failed)?;
        if !(200..300).contains(&reply.status) {
            return Err(InvokeError::Status { key: key(), status: reply.status });
        }
        reply.json().ok_or_else(|| InvokeError::Answer { key: key() })
    }
}

/// The handlers of an app, by hop.
#[derive(Default)]
pub(super) struct Handlers(parking_lot::RwLock<std::collections::HashMap<String, Handler>>);

impl Handlers {
    pub(super) fn put(&self, key: String, handler: Handler) {
        self.0.write().insert(key, handler);
    }

    pub(super) fn get(&self, key: &str) -> Option<Handler> {
        self.0.read().get(key).cloned()
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.read().keys()).finish()
    }
}
