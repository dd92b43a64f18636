use super::dedupe::{Dedupe, Lasting};
use super::escalated::Escalated;
use super::found::{Found, keep};
use super::question::Question;
use super::reason::Reason;
use super::seen::Seen;
use super::span::SpanIds;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// How a call ended, as the record says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a reader of the log must know all of them")]
pub enum Status {
    /// The handler ran and returned.
    Ok,
    /// The handler ran and reported a failure.
    Error,
    /// The call was refused before the handler ran.
    Denied,
    /// The deadline ended the call.
    Timeout,
    /// The caller gave up.
    Cancelled,
    /// The handler panicked.
    Panicked,
    /// The process ended while the call was under way.
    Unknown,
}

impl Status {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Denied => "denied",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
            Self::Unknown => "unknown",
        }
    }
}

/// The code of a refusal: what kind it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The call cannot be recorded now.
    AuditUnavailable,
    /// The caller gave up.
    Cancelled,
    /// The tool's circuit is open.
    CircuitOpen,
    /// Time was up.
    DeadlineExceeded,
    /// The handler is not the frozen one.
    HandlerSwap,
    /// Whether the idempotency key was used before cannot be said now.
    IdempotencyUnavailable,
    /// The idempotency key was used before.
    IdempotentDuplicate,
    /// The policy, or a hard rule, refused.
    PolicyDenied,
    /// Too many calls.
    RateLimited,
    /// The registry is frozen.
    RegistryFrozen,
    /// The record cannot be signed.
    SigningFailed,
}

impl Code {
    /// The wire spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuditUnavailable => "AUDIT_UNAVAILABLE",
            Self::Cancelled => "CANCELLED",
            Self::CircuitOpen => "CIRCUIT_OPEN",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::HandlerSwap => "HANDLER_SWAP",
            Self::IdempotencyUnavailable => "IDEMPOTENCY_UNAVAILABLE",
            Self::IdempotentDuplicate => "IDEMPOTENT_DUPLICATE",
            Self::PolicyDenied => "POLICY_DENIED",
            Self::RateLimited => "RATE_LIMITED",
            Self::RegistryFrozen => "REGISTRY_FROZEN",
            Self::SigningFailed => "SIGNING_FAILED",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the caller may do after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each kind has its words on the wire")]
pub enum Retry {
    /// The same call again, after this long.
    After(Duration),
    /// Not this call: the same answer will come.
    Never,
    /// The same call again, whenever the caller likes.
    Soon,
}

/// Why a call was not answered with the handler's own reply: one value, made where it is decided.
///
/// `Display` is the text for the caller. It names the kind and never an argument, a token or
/// another tenant; the record has the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    code: Code,
    reason: Found,
    reasons: Vec<Found>,
    executed: bool,
    retry: Retry,
    /// What the record has in place of the reason.
    recorded: Option<Reason>,
    escalation: Option<Box<Escalated>>,
    question: Option<Box<Question>>,
    detail: Option<Box<str>>,
}

impl Refusal {
    /// A refusal for `reason`, with the code of its row; the caller had better not retry.
    pub fn new(reason: impl Into<Found>) -> Self {
        let reason = reason.into();
        Self(Box::new(Parts {
            code: reason.reason().code(),
            reasons: vec![reason.clone()],
            reason,
            executed: false,
            retry: Retry::Never,
            recorded: None,
            escalation: None,
            question: None,
            detail: None,
        }))
    }

    /// The same refusal under another code.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    /// The same refusal with other advice.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// The same refusal, with what became of the question whether the call may be made.
    #[must_use]
    pub fn with_escalation(mut self, escalation: Option<Escalated>) -> Self {
        self.0.escalation = escalation.map(Box::new);
        self
    }

    /// The same refusal, which asks for something before the call comes again.
    #[must_use]
    pub fn with_question(mut self, question: Option<Question>) -> Self {
        self.0.question = question.map(Box::new);
        self
    }

    /// The same refusal, whose record has `reason` in place of what the caller is told: where the
    /// difference would tell a stranger something.
    #[must_use]
    pub fn recorded_as(mut self, reason: Reason) -> Self {
        self.0.recorded = Some(reason);
        self
    }

    /// The same refusal with all that was found, in the order in which it was found.
    #[must_use]
    pub fn with_reasons<F: Into<Found>>(mut self, reasons: Vec<F>) -> Self {
        self.0.reasons.clear();
        let deciding = self.0.reason.clone();
        for found in reasons.into_iter().map(Into::into).chain([deciding]) {
            keep(&mut self.0.reasons, found);
        }
        self
    }

    /// The same refusal behind what was found before it.
    #[must_use]
    pub(crate) fn with_found_before(mut self, before: Vec<Found>) -> Self {
        let own = std::mem::replace(&mut self.0.reasons, before);
        for found in own {
            keep(&mut self.0.reasons, found);
        }
        self
    }

    /// The same refusal of a call whose handler did start: nothing may be retried blindly.
    #[must_use]
    pub fn after_execution(mut self) -> Self {
        self.0.executed = true;
        self.0.retry = Retry::Never;
        self
    }

    /// The same refusal, with what is known of whether the handler started.
    pub(crate) fn with_executed(mut self, executed: bool) -> Self {
        if executed {
            return self.after_execution();
        }
        self.0.executed = false;
        self
    }

    /// The same refusal with a sentence for whoever has to mend something. It must name nothing that
    /// the caller may not know.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Box<str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// What kind it is.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The reason that decided.
    pub fn reason(&self) -> Reason {
        self.0.reason.reason()
    }

    /// The reason that decided, with the rule that found it.
    pub fn found(&self) -> &Found {
        &self.0.reason
    }

    /// The reason as the record has it.
    pub fn for_record(&self) -> Found {
        self.0.recorded.map_or_else(|| self.0.reason.clone(), Found::from)
    }

    /// What became of the question whether the call may be made; `None` where nobody was asked.
    pub fn escalation(&self) -> Option<&Escalated> {
        self.0.escalation.as_deref()
    }

    /// What is asked before the call comes again.
    pub fn question(&self) -> Option<&Question> {
        self.0.question.as_deref()
    }

    /// All reasons, in the order in which they were found.
    pub fn reasons(&self) -> &[Found] {
        &self.0.reasons
    }

    /// True when the handler started, so that the call may have had an effect.
    pub fn executed(&self) -> bool {
        self.0.executed
    }

    /// What the caller may do.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The status of its record.
    pub fn status(&self) -> Status {
        if self.0.reason == Reason::Cancelled {
            Status::Cancelled
        } else if self.0.reason == Reason::DurationTooLong {
            Status::Timeout
        } else if self.0.executed {
            Status::Error
        } else {
            Status::Denied
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.executed { after(self.0.code) } else { before(self.0.code) };
        write!(f, "{}: {kind} ({})", self.0.code, self.0.reason)?;
        match &self.0.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

/// The words for a call that did not run.
fn before(code: Code) -> &'static str {
    match code {
        Code::AuditUnavailable => "refused: the call cannot be recorded now",
        Code::Cancelled => "refused: the caller gave up before the tool ran",
        Code::CircuitOpen => "refused: the tool's circuit is open",
        Code::DeadlineExceeded => "refused: the deadline passed before the tool ran",
        Code::HandlerSwap => "refused: the tool's handler was changed after the freeze",
        Code::IdempotencyUnavailable => {
            "refused: whether the idempotency key was used before cannot be said now"
        }
        Code::IdempotentDuplicate => "refused: the idempotency key was used before",
        Code::PolicyDenied => "refused by policy",
        Code::RateLimited => "refused: too many calls",
        Code::RegistryFrozen => "refused: the tool registry was changed after the freeze",
        Code::SigningFailed => "refused: the record of the call cannot be signed",
    }
}

/// The words for a call whose handler had started: nobody may read them as if nothing happened.
fn after(code: Code) -> &'static str {
    match code {
        Code::AuditUnavailable => {
            "the tool ran, but the call cannot be recorded now; do not repeat it blindly"
        }
        Code::DeadlineExceeded => "the deadline passed while the tool ran; it may have had effects",
        Code::SigningFailed => {
            "the tool ran, but its record cannot be signed; do not repeat the call blindly"
        }
        Code::Cancelled
        | Code::CircuitOpen
        | Code::HandlerSwap
        | Code::IdempotencyUnavailable
        | Code::IdempotentDuplicate
        | Code::PolicyDenied
        | Code::RateLimited
        | Code::RegistryFrozen => {
            "the call was stopped after the tool had started; it may have had effects"
        }
    }
}

/// What a handler sends along when it asks the client for something.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a reply says all of it")]
pub struct AsksBack<'r> {
    /// The tool's own state, which comes again with the call.
    pub state: Option<&'r str>,
}

/// What a handler gave back, as far as the record needs to know it.
pub trait Reply {
    /// What the output digest is taken of.
    type Body<'a>: Serialize
    where
        Self: 'a;

    /// That the reply asks the client for something before the call comes again; `None` where it does
    /// not.
    fn asks_back(&self) -> Option<AsksBack<'_>> {
        None
    }

    /// The content that the output digest covers; `None` where the reply has none.
    fn body(&self) -> Option<Self::Body<'_>>;

    /// True when the handler reported a failure.
    fn failed(&self) -> bool;

    /// True when the handler reported a failure that another try may not have.
    fn is_worth_another_try(&self) -> bool {
        self.failed()
    }

    /// The task that goes on after this reply, when the reply announces one.
    fn task_id(&self) -> Option<&str> {
        None
    }

    /// What a repeat of the call is answered with.
    fn lasting(&self) -> Lasting {
        Lasting::Unfit
    }

    /// The reply that was [`Lasting::Final`]; `None` where these bytes are none.
    fn from_lasting(_bytes: &[u8]) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// How a call ended, as its door hears it.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "every door must answer each end in its own words")]
pub enum End<R> {
    /// The handler panicked.
    Panicked,
    /// The stack answers instead of the handler.
    Refused(Refusal),
    /// The handler's own reply.
    Replied(R),
}

/// The answer of the whole stack: how the call ended, and the ids of its span.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<R> {
    /// The ids that the reply and the record share.
    pub span: SpanIds,
    /// How the call ended.
    pub end: End<R>,
    /// What became of its idempotency key, where that decided what runs.
    pub dedupe: Option<Dedupe>,
    /// The state that goes to the client in place of the tool's own, which is kept under it; `None`
    /// where the tool's goes out as it is.
    pub next_round: Option<Box<str>>,
    /// What telemetry may say of it; `None` where nobody listens.
    pub seen: Option<Box<Seen>>,
}

impl<R> Outcome<R> {
    /// The call of `span` ended so.
    pub fn new(span: SpanIds, end: End<R>) -> Self {
        Self { span, end, dedupe: None, next_round: None, seen: None }
    }
}
