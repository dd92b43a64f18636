use super::expose::Expose;
use super::limits::{CircuitBreakers, RateEntry};
use super::observability::Observability;
use super::words;
use crate::call::{AuditMode, AuditModes, LineSigning, LockRule, Op, Reason};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fmt;
use std::time::Duration;

/// What of a policy this version enforces, as written and after the check against the schema.
///
/// The types are closed on their own account too: a key that the schema calls enforced and that
/// nothing here takes is an error, and the tests would show it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) tenant: String,
    pub(super) default_retention: Retention,
    pub(super) signing: Signing,
    pub(super) tools: Tools,
    pub(super) enforcement: Enforcement,
    #[serde(default)]
    pub(super) security: Security,
    #[serde(default)]
    pub(super) side_effects: SideEffects,
    #[serde(default)]
    pub(super) audit: Audit,
    #[serde(default)]
    pub(super) privacy: Privacy,
    #[serde(default)]
    pub(super) observability: Observability,
    #[serde(default)]
    pub(super) registry: Registry,
    #[serde(default)]
    pub(super) expose: Expose,
    /// Read from the tree, where each part has its place.
    #[serde(default, rename = "rules")]
    pub(super) _rules: Vec<IgnoredAny>,
    /// Likewise, with all that is said of asking.
    #[serde(rename = "approval_sets")]
    pub(super) _approval_sets: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registry {
    pub(super) lock: Option<LockRule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Privacy {
    #[serde(default)]
    pub(super) store_raw_payloads: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Signing {
    pub(super) key_ref: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tools {
    pub(super) allowlist: Vec<String>,
    #[serde(default = "yes")]
    pub(super) deny_if_unpinned_version: bool,
    #[serde(default)]
    pub(super) overrides: Vec<Said>,
}

/// What the policy says of what some tools do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    pub(super) tool: String,
    pub(super) op: Option<Op>,
    pub(super) side_effect: Option<bool>,
    #[serde(default)]
    pub(super) url_args: Vec<String>,
    #[serde(default)]
    pub(super) path_args: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enforcement {
    pub(super) mode: Option<Mode>,
    #[serde(default)]
    pub(super) deny_on: Vec<Denied>,
    #[serde(default)]
    pub(super) circuit_breakers: CircuitBreakers,
    #[serde(rename = "escalate_on")]
    pub(super) _escalate_on: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Security {
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) side_effects: GatewaySideEffects,
    pub(super) egress_allowlist: Option<Vec<String>>,
    pub(super) fs_allowlist: Option<Vec<String>>,
    pub(super) fs_base: Option<String>,
}

/// `side_effects`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SideEffects {
    #[serde(default)]
    pub(super) require_idempotency_key: bool,
    pub(super) max_retries: Option<f64>,
}

/// `security.side_effects`, which is the original's gateway's. What it says of asking is read from
/// the tree, where each part has its place.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewaySideEffects {
    #[serde(default)]
    pub(super) require_idempotency_key: bool,
    #[serde(rename = "approve_high_risk")]
    _approve_high_risk: Option<IgnoredAny>,
    #[serde(rename = "escalation_ttl_seconds")]
    _escalation_ttl_seconds: Option<IgnoredAny>,
    #[serde(rename = "ttl_seconds")]
    _ttl_seconds: Option<IgnoredAny>,
    #[serde(rename = "escalationTtlSeconds")]
    _escalation_ttl_seconds_of_old: Option<IgnoredAny>,
    #[serde(rename = "escalation_on_timeout")]
    _escalation_on_timeout: Option<IgnoredAny>,
    #[serde(rename = "timeout_action")]
    _timeout_action: Option<IgnoredAny>,
    #[serde(rename = "escalationOnTimeout")]
    _escalation_on_timeout_of_old: Option<IgnoredAny>,
    #[serde(rename = "human_escalation")]
    _human_escalation: Option<IgnoredAny>,
    #[serde(rename = "humanEscalation")]
    _human_escalation_of_old: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    max_payload_kb: Option<f64>,
    max_duration_ms: Option<f64>,
    #[serde(default)]
    rate: Vec<RateEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audit {
    mode: Option<Modes>,
    #[serde(default)]
    pub(super) signing: LineSigning,
    pub(super) digest_key: Option<String>,
    retain_days: Option<f64>,
}

/// `audit.mode`: one for all, or one for each class.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Modes {
    All(AuditMode),
    Each(Each),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Each {
    read: Option<AuditMode>,
    write: Option<AuditMode>,
}

/// An entry of `deny_on`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Denied(pub(super) Reason);

/// How long records are meant to be kept: `default_retention`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "the three are fixed by the contract")]
pub enum Retention {
    /// 30 days.
    #[serde(rename = "30d")]
    Days30,
    /// 90 days.
    #[serde(rename = "90d")]
    Days90,
    /// 180 days.
    #[serde(rename = "180d")]
    Days180,
}

/// Whether what the policy finds refuses: `enforcement.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a third mode must be handled by every step")]
pub enum Mode {
    /// A reason in `deny_on` refuses the call; any other is recorded.
    Enforce,
    /// Nothing that the policy decides refuses; it is recorded as `would_deny`.
    Observe,
}

impl Retention {
    /// The spelling in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Days30 => "30d",
            Self::Days90 => "90d",
            Self::Days180 => "180d",
        }
    }
}

impl Mode {
    /// The spelling in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Audit {
    /// The modes, a class that is not named at its default.
    pub(super) fn modes(&self) -> AuditModes {
        let usual = AuditModes::default();
        match self.mode {
            None => usual,
            Some(Modes::All(mode)) => AuditModes::all(mode),
            Some(Modes::Each(Each { read, write })) => {
                AuditModes { read: read.unwrap_or(usual.read), write: write.unwrap_or(usual.write) }
            }
        }
    }
}

impl Audit {
    /// For how many days a closed day is kept. A part of one counts as a whole.
    pub(super) fn retain_days(&self) -> Option<u32> {
        // Through seconds: whole ones come out, and the conversion neither wraps nor panics.
        let days = Duration::try_from_secs_f64(self.retain_days?.ceil()).unwrap_or(Duration::MAX);
        Some(u32::try_from(days.as_secs()).unwrap_or(u32::MAX))
    }
}

impl Limits {
    pub(super) fn rate(&self) -> &[RateEntry] {
        &self.rate
    }

    /// The most bytes of arguments; 0 in the document is no limit.
    ///
    /// A size counts in whole kilobytes of 1,024, rounded up, so a part of one in the limit
    /// allows nothing more.
    pub(super) fn payload_bytes(&self) -> Option<u64> {
        let kilobytes = self.max_payload_kb.filter(|limit| *limit > 0.0)?;
        // Through seconds: whole ones come out, and the conversion neither wraps nor panics.
        let whole = Duration::try_from_secs_f64(kilobytes).unwrap_or(Duration::MAX);
        Some(whole.as_secs().saturating_mul(1024))
    }

    /// The longest time of a call; 0 in the document is no limit.
    pub(super) fn duration(&self) -> Option<Duration> {
        // A century is as good as any longer time, and can be added to a clock's reading.
        const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);
        let milliseconds = self.max_duration_ms.filter(|limit| *limit > 0.0)?;
        let limit = Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or(LONGEST);
        Some(limit.min(LONGEST))
    }
}

impl TryFrom<String> for Denied {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        words::known(&text).map(Self)
    }
}

fn yes() -> bool {
    true
}
