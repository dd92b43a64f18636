use crate::call::Hex;
use crate::clock::Timestamp;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Within what an idempotency key is one key: the same text from another principal, at another
/// server or for another version of the tool is another.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a part left out would join what must stay apart")]
pub struct Scope<'a> {
    /// On whose behalf the server works.
    pub tenant: &'a str,
    /// On whom the call is counted; never a claim.
    pub principal: &'a str,
    /// The server's name.
    pub server: &'a str,
    /// The tool's name.
    pub tool: &'a str,
    /// Its version, apart from the name: a name may have an `@` in it.
    pub version: Option<&'a str>,
    /// The key as the caller sent it.
    pub key: &'a str,
}

/// An idempotency key with its scope, as 32 bytes: what a store keeps it under. Prints as 64
/// lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DedupeKey([u8; 32]);

/// A principal of a tenant, as 32 bytes: whose keys a key counts among.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Share([u8; 32]);

/// What an operator is told of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// On whom the call is counted.
    pub principal: Box<str>,
    /// The server's name.
    pub server: Box<str>,
    /// The tool, as `name@version`.
    pub tool: Box<str>,
    /// The key as the records have it: a long one as its digest.
    pub key: Box<str>,
}

/// A call that asks whether it may run under its key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Asked {
    /// The key.
    pub key: DedupeKey,
    /// Among whose keys it counts.
    pub share: Share,
    /// The digest of the arguments: with others the key is refused.
    pub arguments: [u8; 32],
    /// What an operator is told of it.
    pub about: About,
}

impl Scope<'_> {
    /// SHA-256 over the parts, each behind its length, so that no two scopes run together.
    fn key(&self) -> DedupeKey {
        // A version is never blank, so none is told from one.
        let version = self.version.unwrap_or_default();
        let parts = [self.tenant, self.principal, self.server, self.tool, version, self.key];
        DedupeKey(digest(b"sec0 dedupe key 2", &parts))
    }

    /// The tool as `name@version`; without `@` where it has no version.
    fn tool_at_version(&self) -> String {
        match self.version {
            Some(version) => format!("{}@{version}", self.tool),
            None => self.tool.to_owned(),
        }
    }

    fn share(&self) -> Share {
        Share(digest(b"sec0 dedupe share 1", &[self.tenant, self.principal]))
    }
}

fn digest(name: &[u8], parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(name);
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

impl Asked {
    /// Asks for the key of `scope`, which the records have as `recorded`.
    pub fn new(scope: &Scope<'_>, recorded: &str, arguments: [u8; 32]) -> Self {
        let about = About {
            principal: scope.principal.into(),
            server: scope.server.into(),
            tool: scope.tool_at_version().into(),
            key: recorded.into(),
        };
        Self { key: scope.key(), share: scope.share(), arguments, about }
    }
}

impl About {
    /// What a store has kept of a key.
    pub fn new(principal: &str, server: &str, tool: &str, key: &str) -> Self {
        Self {
            principal: principal.into(),
            server: server.into(),
            tool: tool.into(),
            key: key.into(),
        }
    }
}

impl DedupeKey {
    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Share {
    /// The share with these bytes, as a store has kept them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hex(&self.0), f)
    }
}

impl fmt::Debug for DedupeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DedupeKey({self})")
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({})", Hex(&self.0))
    }
}

/// When a result that is stored now is no longer given back.
pub(super) fn expiry(now: Timestamp, ttl: std::time::Duration) -> Timestamp {
    let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_add(ttl))
}
