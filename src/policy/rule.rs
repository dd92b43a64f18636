use super::compiled::Policy;
use super::pattern::MatchKind;
use super::places::Places;
use super::verdict::{Ruling, Verdict};
use crate::call::{Arguments, Operation, Reason, ToolRef, ToolVersion};

/// What a policy is asked about a call whose tool is known.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// The tool, with its declared version.
    pub tool: ToolRef<'a>,
    /// What the call does, by [`Policy::operation`].
    pub operation: Operation,
    /// Whether the caller sent an idempotency key.
    pub has_idempotency_key: bool,
    /// Where the arguments lead, by [`Policy::look`].
    pub places: Option<&'a Places>,
    /// The arguments, for the rules on them; `None` is judged as an empty map of them.
    pub arguments: Option<&'a Arguments>,
}

impl<'a> Asked<'a> {
    /// A call of `tool` that does this, without an idempotency key and without arguments.
    pub fn new(tool: ToolRef<'a>, operation: Operation) -> Self {
        Self { tool, operation, has_idempotency_key: false, places: None, arguments: None }
    }

    /// The same call with an idempotency key, or without one.
    #[must_use]
    pub fn with_idempotency_key(mut self, has_key: bool) -> Self {
        self.has_idempotency_key = has_key;
        self
    }

    /// The same call with arguments that lead there.
    #[must_use]
    pub fn with_places(mut self, places: &'a Places) -> Self {
        self.places = Some(places);
        self
    }

    /// The same call with these arguments.
    #[must_use]
    pub fn with_arguments(mut self, arguments: Option<&'a Arguments>) -> Self {
        self.arguments = arguments;
        self
    }
}

/// A rule that finds something against calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// `security.limits.max_payload_kb`.
    Payload,
    /// `tools.allowlist`.
    Allowlist,
    /// `tools.deny_if_unpinned_version`.
    Pinning,
    /// `side_effects.require_idempotency_key`.
    IdempotencyKey,
    /// `security.egress_allowlist`.
    Egress,
    /// `security.fs_allowlist`.
    Paths,
    /// `security.limits.max_duration_ms`.
    Duration,
}

/// A rule that was held against a call, and whether it found what it looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) rule: Rule,
    pub(super) found: bool,
}

impl Rule {
    /// What it finds.
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Payload => Reason::PayloadTooLarge,
            Self::Allowlist => Reason::ToolNotInAllowlist,
            Self::Pinning => Reason::VersionUnpinned,
            Self::IdempotencyKey => Reason::MissingIdempotency,
            Self::Egress => Reason::EgressViolation,
            Self::Paths => Reason::FsViolation,
            Self::Duration => Reason::DurationTooLong,
        }
    }
}

/// The judgement. Calls and explanations go by the same rules in the same order.
impl Policy {
    /// Judges the size of a call's arguments, in bytes of canonical JSON. This comes first: what is
    /// refused for its size is not judged further.
    pub fn judge_size(&self, bytes: u64) -> Verdict {
        let mut verdict = Verdict::allow();
        for held in self.hold_size(Some(bytes)).iter().filter(|held| held.found) {
            let reason = held.rule.reason();
            verdict.add(reason, self.effect(reason).into());
        }
        verdict
    }

    /// Judges a call by the allowlist, by the version of its tool, by what it does, by where its
    /// arguments lead, and by the rules on them.
    pub fn judge(&self, asked: &Asked<'_>) -> Verdict {
        let mut verdict = Verdict::allow();
        if let Some(reason) = self.refuses() {
            verdict.add(reason, Ruling::Deny);
        }
        self.fold(&mut verdict, asked.tool, &self.hold_call(asked));
        self.rules().judge(asked.tool, asked.arguments, self.mode(), &mut verdict);
        verdict
    }

    /// The rules for the size of arguments; `None` where there are no arguments.
    pub(super) fn hold_size(&self, bytes: Option<u64>) -> [Held; 1] {
        let too_many = bytes.zip(self.max_payload_bytes()).is_some_and(|(bytes, max)| bytes > max);
        [Held { rule: Rule::Payload, found: too_many }]
    }

    /// The rules for the call as a whole.
    pub(super) fn hold_call(&self, asked: &Asked<'_>) -> [Held; 5] {
        let kind = self.allowlist().matches(asked.tool);
        let unpinned = self.denies_unpinned() && is_unpinned(asked.tool.version, kind);
        let keyless = self.requires_idempotency_key()
            && asked.operation.side_effect
            && !asked.has_idempotency_key;
        let places = asked.places;
        [
            Held { rule: Rule::Allowlist, found: kind.is_none() },
            Held { rule: Rule::Pinning, found: unpinned },
            Held { rule: Rule::IdempotencyKey, found: keyless },
            Held {
                rule: Rule::Egress,
                found: places.is_some_and(|it| it.egress_violation().is_some()),
            },
            Held { rule: Rule::Paths, found: places.is_some_and(|it| it.fs_violation().is_some()) },
        ]
    }

    /// Adds what the rules found.
    pub(super) fn fold(&self, verdict: &mut Verdict, tool: ToolRef<'_>, held: &[Held]) {
        for held in held.iter().filter(|held| held.found) {
            let reason = held.rule.reason();
            verdict.add(reason, self.ruling(reason, tool));
        }
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
