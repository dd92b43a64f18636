//! Where newer versions of a policy come from, while a program runs.

mod file;

pub use file::PolicyFile;

use super::compiled::Policy;
use super::error::PolicyError;
use crate::digest::Digest;
use std::fmt;

/// Where a layer looks for newer versions of its policy.
///
/// [`PolicyFile`] is the one for files. Another one may ask a server, as long as it knows a version
/// that is whole: a version that is taken judges every call from then on.
pub trait PolicySource: fmt::Debug + Send + 'static {
    /// The next version, if there is one that was not given yet. Called by one thread at a time,
    /// about once a second; no call waits while it blocks.
    fn look(&mut self) -> Option<PolicyVersion>;
}

/// A version that a source has found.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a source makes it")]
pub struct PolicyVersion {
    /// SHA-256 of what was found, byte by byte; `None` where nothing could be read.
    pub found: Option<Digest>,
    /// The policy, or everything that is wrong with it.
    pub policy: Result<Policy, PolicyError>,
}

#[cfg(test)]
mod tests;
