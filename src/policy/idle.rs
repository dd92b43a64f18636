use super::compiled::Policy;
use crate::call::Reason;

/// The key without which nothing raises this reason, where the policy does not have it. A lock file
/// may be named outside of the policy, too, and what the hard bounds raise needs no key.
pub(super) fn lacking(policy: &Policy, reason: Reason) -> Option<&'static str> {
    let scope = policy.scope();
    let keys = [
        (
            Reason::DurationTooLong,
            policy.max_duration().is_some(),
            "security.limits.max_duration_ms",
        ),
        (Reason::EgressViolation, scope.egress.is_some(), "security.egress_allowlist"),
        (Reason::FsViolation, scope.paths.is_some(), "security.fs_allowlist"),
        (
            Reason::MissingIdempotency,
            policy.requires_idempotency_key(),
            "side_effects.require_idempotency_key: true",
        ),
        (Reason::VersionUnpinned, policy.denies_unpinned(), "tools.deny_if_unpinned_version: true"),
    ];
    let (_, _, key) = keys.into_iter().find(|(of, is_set, _)| *of == reason && !is_set)?;
    Some(key)
}
