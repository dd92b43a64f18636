use super::span::SpanIds;

/// What a caller said of itself: bounded, well formed, and not verified.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claimed {
    /// `x-node-id`.
    pub node_id: Option<Box<str>>,
    /// `x-agent-ref`.
    pub agent_ref: Option<Box<str>>,
    /// `x-idempotency-key`, as it is recorded: one of more than 64 characters as its digest,
    /// `sha256:<hex>`, or `hmac-sha256:<hex>` where digests are keyed.
    pub idempotency_key: Option<Box<str>>,
    /// The span that caused this call, from `x-cause-trace` and `x-cause-span`, else from
    /// `traceparent`.
    pub cause: Option<SpanIds>,
    /// What few callers say; apart, so that the others do not pay for it.
    pub rare: Option<Box<RareClaims>>,
}

/// Claims that few callers make, and those that could not be used.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RareClaims {
    /// `x-agent-parent-ref`.
    pub parent_ref: Option<Box<str>>,
    /// SHA-256 of `x-agent-state` as it was sent, when it could be used; `None` where digests are
    /// keyed.
    pub state_sha256: Option<[u8; 32]>,
    /// The same where digests are keyed: HMAC-SHA-256.
    pub state_hmac_sha256: Option<[u8; 32]>,
    /// The variables of `x-agent-state`, where they are to be recorded.
    pub variables: Option<JsonText>,
    /// What `x-auth-context` says, else `authorization`.
    pub auth: Option<JsonText>,
    /// What was given and could not be used, each claim once.
    pub rejected: Vec<RejectedClaim>,
}

/// A JSON value in the form of RFC 8785, which may stand in a record as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonText(Box<str>);

impl JsonText {
    /// Takes a text that is canonical. For code that has just made it so: nothing looks at it
    /// again before it is signed.
    pub(crate) fn from_canonical(text: String) -> Self {
        Self(text.into_boxed_str())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A claim that was given and counts as absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectedClaim {
    /// The claim, by the name of its HTTP header.
    pub claim: &'static str,
    /// What is wrong with it.
    pub why: Unusable,
}

impl RejectedClaim {
    pub(crate) fn new(claim: &'static str, why: Unusable) -> Self {
        Self { claim, why }
    }
}

/// Why a claim cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a reader of the log must know all of them")]
pub enum Unusable {
    /// It was sent more than once, with different values.
    Ambiguous,
    /// It contradicts another claim, or lacks one that it needs.
    Inconsistent,
    /// It is not of its form.
    Malformed,
    /// It is longer than its bound.
    TooLong,
    /// It has characters that cannot be shown, or that change how others are shown.
    Unprintable,
}

impl Unusable {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Inconsistent => "inconsistent",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::Unprintable => "unprintable",
        }
    }
}
