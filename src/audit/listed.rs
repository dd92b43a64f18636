use crate::call::ServerIdent;
use crate::digest::Digest;
use std::sync::Arc;

/// How many of a server's tools a policy shows.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "whoever makes one must say all of it")]
pub struct Listed {
    /// Which server it is.
    pub server: Arc<ServerIdent>,
    /// The digest of the frozen registry.
    pub registry: Digest,
    /// The digest of the policy.
    pub policy: Digest,
    /// How many tools of the frozen registry are shown.
    pub shown: u64,
    /// How many are not.
    pub withheld: u64,
}
