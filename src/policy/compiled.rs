use super::allowlist::{Allowlist, MalformedEntry, MatchKind};
use super::document::{Document, Mode, Retention};
use super::error::Problem;
use super::verdict::{Effect, Verdict};
use crate::call::{Force, Reason, ToolRef, ToolVersion};
use crate::digest::Digest;
use std::time::Duration;

/// A policy, compiled and never changed: what it says is enforced, or it was not taken.
///
/// Every method is pure; only [`Policy::from_file`] reads anything.
#[derive(Debug, Clone)]
pub struct Policy {
    file: String,
    digest: Digest,
    tenant: String,
    retention: Retention,
    key_ref: Option<String>,
    mode: Mode,
    deny_on: Vec<Reason>,
    allowlist: Allowlist,
    deny_if_unpinned: bool,
    max_payload_bytes: Option<u64>,
    max_duration: Option<Duration>,
    warnings: Vec<Problem>,
}

impl Policy {
    /// SHA-256 of what the document says: the same for the same content in another layout, order
    /// of keys or quoting. A key that is written out with its default counts as content.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The file as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// `tenant`.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// `default_retention`.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// `signing.key_ref`: where the key is, not the key.
    pub fn key_ref(&self) -> Option<&str> {
        self.key_ref.as_deref()
    }

    /// `enforcement.mode`, else [`Mode::Enforce`] when `deny_on` has entries, else
    /// [`Mode::Observe`].
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// `enforcement.deny_on`, in the order of the file.
    pub fn deny_on(&self) -> &[Reason] {
        &self.deny_on
    }

    /// `tools.allowlist`.
    pub fn allowlist(&self) -> &Allowlist {
        &self.allowlist
    }

    /// The most bytes of a call's arguments, from `security.limits.max_payload_kb`: kilobytes of
    /// 1,024 bytes, of which only whole ones count. `None` is no limit.
    pub fn max_payload_bytes(&self) -> Option<u64> {
        self.max_payload_bytes
    }

    /// `security.limits.max_duration_ms`. `None` is no limit.
    pub fn max_duration(&self) -> Option<Duration> {
        self.max_duration
    }

    /// What this reason does to a call.
    pub fn effect(&self, reason: Reason) -> Effect {
        let denies = match reason.force() {
            Force::Always => true,
            Force::ByPolicy => self.mode == Mode::Enforce && self.deny_on.contains(&reason),
        };
        if denies { Effect::Deny } else { Effect::WouldDeny }
    }

    /// Judges a tool by the allowlist and by its version.
    pub fn judge(&self, tool: ToolRef<'_>) -> Verdict {
        let mut verdict = Verdict::allow();
        let kind = self.allowlist.matches(tool);
        if kind.is_none() {
            self.find(&mut verdict, Reason::ToolNotInAllowlist);
        }
        if self.deny_if_unpinned && is_unpinned(tool.version, kind) {
            self.find(&mut verdict, Reason::VersionUnpinned);
        }
        verdict
    }

    /// What is valid and probably not meant, in the order of the file.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Compiles a document that passed the check.
    pub(super) fn compile(
        file: &str,
        digest: Digest,
        document: Document,
    ) -> Result<Self, MalformedEntry> {
        let limits = &document.security.limits;
        let deny_on: Vec<_> = document.enforcement.deny_on.iter().map(|denied| denied.0).collect();
        let implied = if deny_on.is_empty() { Mode::Observe } else { Mode::Enforce };
        let entries = document.tools.allowlist.iter().map(String::as_str);
        Ok(Self {
            file: file.to_owned(),
            digest,
            retention: document.default_retention,
            mode: document.enforcement.mode.unwrap_or(implied),
            deny_on,
            allowlist: Allowlist::compile(entries)?,
            deny_if_unpinned: document.tools.deny_if_unpinned_version,
            max_payload_bytes: limits.payload_bytes(),
            max_duration: limits.duration(),
            tenant: document.tenant,
            key_ref: document.signing.key_ref,
            warnings: Vec::new(),
        })
    }

    /// The same policy with what a reader should be warned of.
    pub(super) fn with_warnings(mut self, warnings: Vec<Problem>) -> Self {
        self.warnings = warnings;
        self
    }

    fn find(&self, verdict: &mut Verdict, reason: Reason) {
        verdict.add(reason, self.effect(reason).into());
    }
}

/// A tool without a version is never pinned. One with a version that is no number is let through
/// where the entry that allows it says that any version will do.
fn is_unpinned(version: Option<&ToolVersion>, kind: Option<MatchKind>) -> bool {
    match (version, kind) {
        (None, _) => true,
        (Some(_), Some(MatchKind::Versionless | MatchKind::Wildcard)) => false,
        (Some(version), Some(MatchKind::Exact) | None) => !version.is_pinned(),
    }
}
