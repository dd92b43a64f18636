use super::form;
use crate::call::Hex;
use crate::canonical::{self, CanonicalError, Limits};
use crate::digest::{Digest, Fingerprint};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The call that an approval is for, and no other: whatever of this changes makes another call.
///
/// When the approval ends is bound, too; it stands in the escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a part left out would join what must stay apart")]
pub struct Binding {
    /// On whose behalf the server works.
    pub tenant: Box<str>,
    /// The server's name.
    pub server: Box<str>,
    /// The tool, as `name@version`; without `@` where it has no version.
    pub tool: Box<str>,
    /// The digest of the tool's frozen definition.
    #[serde(rename = "definition_sha256", with = "form::digest")]
    pub definition: Digest,
    /// The fingerprint of the arguments in the form of RFC 8785, as the record of the call has it.
    #[serde(with = "form::fingerprint")]
    pub arguments: Fingerprint,
    /// On whom the call is counted; never a claim.
    pub principal: Box<str>,
    /// The digest of the policy that asked.
    #[serde(rename = "policy_sha256", with = "form::digest")]
    pub policy: Digest,
}

/// A [`Binding`] as 32 bytes: under which a store finds what is pending for the same call. Prints
/// as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey([u8; 32]);

impl Binding {
    /// The key of the call: the same for the same call, whoever asks for it again.
    ///
    /// # Errors
    ///
    /// A part is longer than any escalation may be.
    pub fn call_key(&self) -> Result<CallKey, CanonicalError> {
        let mut bytes = b"sec0/approval/call/v1\n".to_vec();
        canonical::append(&mut bytes, self, Limits::default())?;
        Ok(CallKey(*Digest::of(&bytes).as_bytes()))
    }
}

impl CallKey {
    /// The key with these bytes, as a store has kept them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallKey({self})")
    }
}
