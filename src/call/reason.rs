use super::outcome::Code;
use std::fmt;

/// How much a reason weighs, for whoever reads the log or is asked to approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the scale is fixed by the contract")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a look.
    Medium,
    /// Worth a look today.
    High,
    /// Worth waking somebody.
    Critical,
}

impl Severity {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Who decides whether a reason refuses the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a third kind must be handled by every step")]
pub enum Force {
    /// It refuses in observe and in enforce.
    Always,
    /// It refuses in enforce when `deny_on` has it, else it is `would_deny`.
    ByPolicy,
    /// It refuses in enforce, whatever `deny_on` holds, and is `would_deny` in observe.
    InEnforce,
}

/// Whether this version can raise a reason, and so whether a policy may name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a policy must be told every other kind by name")]
pub enum Raised {
    /// A step of the stack raises it.
    Here,
    /// What raises it is not built yet; the text says what.
    Later(&'static str),
    /// It cannot happen at a tool server; the text says where it belongs.
    Elsewhere(&'static str),
}

/// A text that is no reason of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a reason")]
pub struct UnknownReason(pub(crate) Box<str>);

macro_rules! reasons {
    ($( $name:ident $wire:literal $severity:ident $force:ident $code:ident $raised:expr, $when:literal; )*) => {
        /// Why a call was refused, or would have been: the closed vocabulary.
        ///
        /// The table in this file is the one place for spelling, severity, who decides, the code
        /// of the refusal and when the reason fires.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Reason { $( #[doc = $when] $name, )* }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            const fn row(self) -> &'static Row {
                match self { $( Self::$name => &Row {
                    wire: $wire,
                    severity: Severity::$severity,
                    force: Force::$force,
                    code: Code::$code,
                    raised: $raised,
                    when: $when,
                }, )* }
            }
        }
    };
}

struct Row {
    wire: &'static str,
    severity: Severity,
    force: Force,
    code: Code,
    raised: Raised,
    when: &'static str,
}

use Raised::{Elsewhere, Here, Later};

const SKILLS: &str = "skills are loaded by an agent's host, never by a tool server";
const SCANS: &str = "code scans run beside the server, and none is wired in yet";
const INSPECTION: &str = "the inspection of contents is not built yet";
const EVALUATOR: &str = "it needs a contextual evaluator, which is not built yet";

const HOPS: &str =
    "a tool server has a policy and its tools; it concerns hops of `sec0.config.yaml`";

const RECOVERY: &str = "recovery writes it for a call in whose course the process ended";

reasons! {
    // name  wire  severity  who decides  code  raised, when
    MissingAuditSignature "missing_audit_signature" Medium Always AuditUnavailable Here,
        "The record of the call could not be signed or written.";
    ToolNotInAllowlist "tool_not_in_allowlist" High ByPolicy PolicyDenied Here,
        "No entry of `tools.allowlist` matches the tool.";
    VersionUnpinned "version_unpinned" High ByPolicy PolicyDenied Here,
        "`tools.deny_if_unpinned_version` is set and the tool has no version that starts with a digit.";
    MissingIdempotency "missing_idempotency_for_side_effect" Medium ByPolicy PolicyDenied Here,
        "A tool with side effects was called without an idempotency key.";
    EgressViolation "egress_violation" Medium ByPolicy PolicyDenied Here,
        "A URL argument is outside `security.egress_allowlist`.";
    FsViolation "fs_violation" Medium ByPolicy PolicyDenied Here,
        "A path argument is outside `security.fs_allowlist`.";
    PayloadTooLarge "payload_too_large" Medium ByPolicy PolicyDenied Here,
        "The arguments are larger than `security.limits.max_payload_kb`, or than the hard bound.";
    DurationTooLong "duration_too_long" Low ByPolicy DeadlineExceeded Here,
        "The call took longer than `security.limits.max_duration_ms`.";
    RegistryMutation "registry_mutation" Critical Always RegistryFrozen Here,
        "A tool was added or its definition changed after the registry was frozen.";
    HandlerSwap "handler_swap" Critical Always HandlerSwap Here,
        "The handler registered for the tool is not the one that was frozen.";
    ServerCodeChanged "server_code_changed" Critical ByPolicy PolicyDenied Here,
        "The server is not the one in the lock file.";
    ToolCodeChanged "tool_code_changed" Critical ByPolicy PolicyDenied Here,
        "The tool is not the one in the lock file.";
    SkillVersionChanged "skill_version_changed" High ByPolicy PolicyDenied Elsewhere(SKILLS),
        "A known skill has another version.";
    SkillCodeChanged "skill_code_changed" High ByPolicy PolicyDenied Elsewhere(SKILLS),
        "A known skill has another digest.";
    SkillScanPending "skill_scan_pending" Low ByPolicy PolicyDenied Elsewhere(SKILLS),
        "A skill is still being scanned.";
    SkillScanFailed "skill_scan_failed" High ByPolicy PolicyDenied Elsewhere(SKILLS),
        "The scan of a skill failed.";
    SastPending "sast_pending" Low ByPolicy PolicyDenied Later(SCANS),
        "A static scan is still running.";
    SastFailed "sast_failed" Low ByPolicy PolicyDenied Later(SCANS),
        "A static scan failed.";
    DastPending "dast_pending" Low ByPolicy PolicyDenied Later(SCANS),
        "A dynamic scan is still running.";
    DastFailed "dast_failed" Low ByPolicy PolicyDenied Later(SCANS),
        "A dynamic scan failed.";
    AgentGuardFailed "agent_guard_failed" High ByPolicy PolicyDenied Later(INSPECTION),
        "The inspection of arguments or result found something.";
    ContextualEvaluatorDenied "contextual_evaluator_denied" High ByPolicy PolicyDenied
        Later(EVALUATOR), "A contextual evaluator denied the call.";
    ContextualEvaluatorEscalated "contextual_evaluator_escalated" High ByPolicy PolicyDenied
        Later(EVALUATOR), "A contextual evaluator asked for a human.";
    // Ours. None of them can stand in `deny_on`: they act whatever it holds.
    ApprovalRequired "approval_required" High Always PolicyDenied Here,
        "The policy asks for an approval, and the call has none.";
    ApprovalExpired "approval_expired" Medium Always PolicyDenied Here,
        "Nobody approved the call in time, or its approval was used too late.";
    ApprovalInvalid "approval_invalid" High Always PolicyDenied Here,
        "The call presents an approval that does not permit it; the record says why, the reply does not.";
    ApprovalOtherArguments "approval_other_arguments" High Always PolicyDenied Here,
        "The approval is for other arguments.";
    ApprovalOtherPolicy "approval_other_policy" Medium Always PolicyDenied Here,
        "The approval was asked for under another policy.";
    ApprovalOtherPrincipal "approval_other_principal" High Always PolicyDenied Here,
        "The approval is for another caller's call.";
    ApprovalOtherTool "approval_other_tool" High Always PolicyDenied Here,
        "The approval is for another tool, or for one whose definition has changed.";
    ApprovalPending "approval_pending" Medium Always PolicyDenied Here,
        "The call waits for an approval, and nobody has decided yet.";
    ApprovalRejected "approval_rejected" High Always PolicyDenied Here,
        "Somebody who may decide on the call has rejected it.";
    ApprovalSpent "approval_spent" High Always PolicyDenied Here,
        "The approval was used before.";
    ApprovalUnavailable "approval_unavailable" Medium Always PolicyDenied Here,
        "The store of approvals could not be asked, or has no room.";
    ApprovalUnknown "approval_unknown" High Always PolicyDenied Here,
        "There is no such approval.";
    Cancelled "cancelled" Low Always Cancelled Here,
        "The caller gave up before the tool ran.";
    CircuitOpen "circuit_open" Medium InEnforce CircuitOpen Here,
        "The tool failed too often or was too slow of late, by `enforcement.circuit_breakers`.";
    IdempotencyConflict "idempotency_conflict" Medium Always IdempotentDuplicate Here,
        "The idempotency key was used for a call with other arguments.";
    IdempotencyInProgress "idempotency_in_progress" Low Always IdempotentDuplicate Here,
        "The first call with the idempotency key still runs.";
    IdempotencyNotKept "idempotency_not_kept" Low Always IdempotentDuplicate Here,
        "A call with the idempotency key has run, and its result was too large to be kept.";
    IdempotencyUnavailable "idempotency_unavailable" Medium Always IdempotencyUnavailable Here,
        "The store of idempotency keys could not be asked, or has no room.";
    IdempotencyUnknown "idempotency_unknown" High Always IdempotentDuplicate Here,
        "A call with the idempotency key may have had its effect; an operator has to release the key.";
    HopUnavailable "hop_unavailable" Medium Always PolicyDenied Elsewhere(HOPS),
        "The hop is not configured, or runs where it cannot be recorded.";
    LayerFailed "layer_failed" Medium Always PolicyDenied Here,
        "A layer that was put into the stack failed before the handler ran.";
    MalformedArguments "malformed_arguments" Medium Always PolicyDenied Here,
        "The arguments are nested too deeply or hold what JSON cannot say.";
    NoApproversConfigured "no_approvers_configured" High Always PolicyDenied Here,
        "The call needs an approval, and the policy names nobody who may give it.";
    NoPolicy "no_policy" High Always PolicyDenied Elsewhere(HOPS),
        "There is no policy, and `app.without_policy` does not let the hop run.";
    NoRuleAllows "no_rule_allows" Medium InEnforce PolicyDenied Here,
        "`rules` allow certain values of an argument, and the call's is none of them.";
    OutcomeUnknown "outcome_unknown" High Always AuditUnavailable Elsewhere(RECOVERY),
        "The process ended while the tool ran; whether it had its effect is not known.";
    Overloaded "overloaded" Low Always RateLimited Here,
        "A layer that was put into the stack shed the call.";
    RateLimited "rate_limited" Low InEnforce RateLimited Here,
        "The caller has spent what an entry of `security.limits.rate` gives.";
    RuleDenied "rule_denied" High InEnforce PolicyDenied Here,
        "An entry of `rules` denies the arguments; its own `reason` stands in place of this one.";
    RuleError "rule_error" High InEnforce PolicyDenied Here,
        "An argument has a type that an entry of `rules` cannot read.";
    UnknownTool "unknown_tool" Medium Always PolicyDenied Here,
        "The frozen registry has no tool of this name.";
}

impl Reason {
    /// The wire spelling, in replies, records and policies.
    pub fn as_str(self) -> &'static str {
        self.row().wire
    }

    /// How much it weighs.
    pub fn severity(self) -> Severity {
        self.row().severity
    }

    /// Who decides whether it refuses.
    pub fn force(self) -> Force {
        self.row().force
    }

    /// The code of a refusal for this reason.
    pub fn code(self) -> Code {
        self.row().code
    }

    /// Whether this version raises it.
    pub fn raised(self) -> Raised {
        self.row().raised
    }

    /// When it fires, as a sentence.
    pub fn when(self) -> &'static str {
        self.row().when
    }

    /// True for the 23 reasons of the policy's schema; ours are outside `deny_on`.
    pub fn is_in_schema(self) -> bool {
        self < Self::ApprovalRequired
    }

    /// Reads a wire spelling, or the alias `idempotency_missing`.
    ///
    /// # Errors
    ///
    /// The text itself when it is no reason.
    pub fn from_wire(text: &str) -> Result<Self, UnknownReason> {
        if text == "idempotency_missing" {
            return Ok(Self::MissingIdempotency);
        }
        let found = Self::ALL.iter().copied().find(|reason| reason.as_str() == text);
        found.ok_or_else(|| UnknownReason(text.into()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_has_a_spelling_of_its_own_and_reads_back() {
        let spellings: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(spellings.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_wire(reason.as_str()).as_ref(), Ok(reason));
        }
        assert!(Reason::from_wire("tool-not-in-allowlist").is_err());
    }

    #[test]
    fn the_schema_has_its_twenty_three_reasons() {
        assert_eq!(Reason::ALL.iter().filter(|reason| reason.is_in_schema()).count(), 23);
    }

    #[test]
    fn integrity_and_audit_reasons_refuse_whatever_the_policy_says() {
        for reason in [Reason::HandlerSwap, Reason::RegistryMutation, Reason::MissingAuditSignature]
        {
            assert_eq!(reason.force(), Force::Always, "{reason}");
        }
    }
}
