//! State that a client carries back, and cannot change.

use crate::words::{Answer, internal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use rmcp::model::ErrorData;
use serde_json::{Value, json};
use std::fmt::Display;
use std::sync::Arc;

/// Signs with a key that lives as long as the process.
#[derive(Clone)]
pub(crate) struct Seal(Arc<SigningKey>);

impl Seal {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self(Arc::new(SigningKey::from_bytes(&seed))))
    }

    /// What `tool` wants to be told again.
    pub(crate) fn close(&self, tool: &str, state: &Value) -> String {
        let text = json!({ "tool": tool, "state": state }).to_string();
        let signature = self.0.sign(text.as_bytes());
        [text.as_bytes(), &signature.to_bytes()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
    }

    /// What `tool` wanted to be told; `None` if the client has no state yet.
    pub(crate) fn open(&self, tool: &str, sealed: Option<&str>) -> Answer<Option<Value>> {
        let Some(sealed) = sealed else { return Ok(None) };
        let (text, signature) = sealed.split_once('.').ok_or_else(|| not_ours("it has no seal"))?;
        let bytes = |part| URL_SAFE_NO_PAD.decode(part).map_err(not_ours);
        let (text, signature) = (bytes(text)?, bytes(signature)?);
        let signature = Signature::from_slice(&signature).map_err(not_ours)?;
        self.0.verifying_key().verify_strict(&text, &signature).map_err(not_ours)?;
        let mut sealed: Value = serde_json::from_slice(&text).map_err(internal)?;
        if sealed.get("tool").and_then(Value::as_str) != Some(tool) {
            return Err(not_ours("it is another tool's"));
        }
        Ok(sealed.get_mut("state").map(Value::take))
    }
}

fn not_ours(why: impl Display) -> ErrorData {
    ErrorData::invalid_params(format!("the request state is not ours: {why}"), None)
}
