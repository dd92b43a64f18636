use super::binding::Binding;
use super::form;
use super::id::EscalationId;
use super::terms::Terms;
use crate::call::Severity;
use crate::canonical::{self, Limits};
use crate::clock::Timestamp;
use crate::digest::Digest;
use serde::{Deserialize, Serialize, Serializer};
use std::time::Duration;

/// The most bytes of an escalation in its canonical form, with all its people.
pub const MAX_ESCALATION: usize = 128 * 1024;

/// The largest whole number that every reader of JSON has exactly (RFC 8785, appendix D).
pub(super) const MAX_EXACT: i64 = (1 << 53) - 1;

/// What is asked, before it is an [`Escalation`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "approvers sign all of it")]
pub struct Asked {
    /// Its name.
    pub id: EscalationId,
    /// The call.
    pub binding: Binding,
    /// By which rules it is decided.
    pub terms: Terms,
    /// Why it was asked, in the spelling of replies and records, in order.
    pub reasons: Vec<Box<str>>,
    /// The rules of the policy behind them, by id, in order.
    pub rules: Vec<Box<str>>,
    /// How grave the gravest of these reasons is.
    pub severity: Severity,
    /// When.
    pub created_at: Timestamp,
    /// [`Shown::digest`](super::Shown::digest) of what approvers are shown.
    pub shown: Digest,
}

/// One call that waits for a decision, exactly as approvers sign it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    form: Form,
    canonical: Box<str>,
    digest: Digest,
}

/// The canonical form, member by member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    binding: Binding,
    #[serde(rename = "created_at_ms", with = "form::millis")]
    created_at: Timestamp,
    #[serde(rename = "expires_at_ms", with = "form::millis")]
    expires_at: Timestamp,
    id: EscalationId,
    reasons: Vec<Box<str>>,
    rules: Vec<Box<str>>,
    #[serde(with = "form::severity")]
    severity: Severity,
    #[serde(rename = "shown_sha256", with = "form::digest")]
    shown: Digest,
    terms: Terms,
}

/// Why something is no escalation. It never holds a part of what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAnEscalation {
    /// Longer than [`MAX_ESCALATION`].
    #[error(
        "the escalation has more than {MAX_ESCALATION} bytes; give its approval set fewer members, \
         roles or principals"
    )]
    TooLong,
    /// The time of creation or of expiry cannot be written exactly.
    #[error("the escalation would end outside the times that JSON can write; lower `ttl_seconds`")]
    Time,
    /// No JSON, or other members.
    #[error("the escalation is not in the form that sec0 writes, at line {line}, column {column}")]
    Form {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// Another text for the same value, or an expiry that is not what the terms say.
    #[error("the escalation is not in its canonical form, or its expiry is not that of its terms")]
    NotCanonical,
}

impl Escalation {
    /// Asks. It ends [`Terms::ttl_seconds`] after it was created.
    ///
    /// # Errors
    ///
    /// It is too long, or ends beyond all times.
    pub fn new(asked: Asked) -> Result<Self, NotAnEscalation> {
        let Asked { id, binding, terms, reasons, rules, severity, created_at, shown } = asked;
        let expires_at = later(created_at, terms.ttl());
        let exact = 0..=MAX_EXACT;
        // A count beyond 2^53 seconds would not be written as it is either, and ends later still.
        if !exact.contains(&created_at.as_millis()) || !exact.contains(&expires_at.as_millis()) {
            return Err(NotAnEscalation::Time);
        }
        Self::of(Form {
            binding,
            created_at,
            expires_at,
            id,
            reasons,
            rules,
            severity,
            shown,
            terms,
        })
    }

    /// Reads the canonical form.
    ///
    /// # Errors
    ///
    /// It is anything but the text that [`Escalation::canonical`] gives.
    pub fn parse(text: &str) -> Result<Self, NotAnEscalation> {
        if text.len() > MAX_ESCALATION {
            return Err(NotAnEscalation::TooLong);
        }
        let form: Form = serde_json::from_str(text).map_err(|error| NotAnEscalation::Form {
            line: error.line(),
            column: error.column(),
        })?;
        let Form { binding, created_at, expires_at: _, id, reasons, rules, severity, shown, terms } =
            form;
        let asked = Asked { id, binding, terms, reasons, rules, severity, created_at, shown };
        let read = Self::new(asked)?;
        if &*read.canonical == text { Ok(read) } else { Err(NotAnEscalation::NotCanonical) }
    }

    fn of(form: Form) -> Result<Self, NotAnEscalation> {
        let mut bytes = Vec::new();
        let limits = Limits { max_len: MAX_ESCALATION, ..Limits::default() };
        canonical::append(&mut bytes, &form, limits)
            .map_err(|_only_length| NotAnEscalation::TooLong)?;
        let canonical =
            String::from_utf8(bytes).map_err(|_json_is_text| NotAnEscalation::TooLong)?;
        let digest = Digest::of(canonical.as_bytes());
        Ok(Self { form, canonical: canonical.into(), digest })
    }

    /// Its name.
    pub fn id(&self) -> EscalationId {
        self.form.id
    }

    /// The call.
    pub fn binding(&self) -> &Binding {
        &self.form.binding
    }

    /// The rules and people as they were. A decision is by those of the policy, which must be the
    /// same.
    pub fn terms(&self) -> &Terms {
        &self.form.terms
    }

    /// Why it was asked.
    pub fn reasons(&self) -> &[Box<str>] {
        &self.form.reasons
    }

    /// The rules of the policy behind the reasons, by id.
    pub fn rules(&self) -> &[Box<str>] {
        &self.form.rules
    }

    /// How grave it was.
    pub fn severity(&self) -> Severity {
        self.form.severity
    }

    /// When it was asked.
    pub fn created_at(&self) -> Timestamp {
        self.form.created_at
    }

    /// From when on it can be neither approved nor, if votes approved it, used.
    pub fn expires_at(&self) -> Timestamp {
        self.form.expires_at
    }

    /// The digest of what approvers are shown.
    pub fn shown(&self) -> Digest {
        self.form.shown
    }

    /// The form of RFC 8785: what stores keep and records hold.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// SHA-256 of the canonical form: what votes are over.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Serialize for Escalation {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.form.serialize(to)
    }
}

/// The time so much later, or the end of all time.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.as_millis().saturating_add(by))
}
