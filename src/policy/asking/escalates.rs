use crate::call::{Force, Raised, Reason};

/// Why a denial for this reason never becomes a question, in words that follow the reason; `None`
/// where it may.
pub(super) fn never_escalates(reason: Reason) -> Option<&'static str> {
    if reason.force() != Force::ByPolicy {
        return Some("which refuses whatever the policy says");
    }
    // The tool that would be approved is not the one that was pinned.
    if matches!(reason, Reason::ServerCodeChanged | Reason::ToolCodeChanged) {
        return Some("which is about the integrity of the server, and that is nobody's to approve");
    }
    // What is too large is neither kept nor judged further, and nobody could read it.
    if reason == Reason::PayloadTooLarge {
        return Some("which refuses a call before it is known what there would be to approve");
    }
    if reason == Reason::DurationTooLong {
        return Some("which is found when the tool has run");
    }
    match reason.raised() {
        Raised::Here => None,
        Raised::Later(_) | Raised::Elsewhere(_) => Some("which this version never raises"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out, so that a reason which is added is decided on, too.
    const MAY: [Reason; 5] = [
        Reason::ToolNotInAllowlist,
        Reason::VersionUnpinned,
        Reason::MissingIdempotency,
        Reason::EgressViolation,
        Reason::FsViolation,
    ];

    #[test]
    fn only_what_the_policy_denies_before_the_effect_may_become_a_question() {
        for reason in Reason::ALL {
            assert_eq!(never_escalates(*reason).is_none(), MAY.contains(reason), "{reason}");
        }
    }
}
