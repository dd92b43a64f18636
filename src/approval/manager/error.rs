use super::cause::Cause;

/// Which of the manager's doings failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the contract has these five")]
pub enum EscalationErrorClass {
    /// Opening an escalation.
    Create,
    /// Reading one.
    Get,
    /// Deciding on one.
    Resolve,
    /// Waiting, since reading failed too often.
    Wait,
    /// Waiting, since whoever waited gave up.
    Abort,
}

/// Why the manager has no answer. It prints as the text of the contract; what the backend failed with
/// is its source.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct EscalationError {
    class: EscalationErrorClass,
    message: &'static str,
    #[source]
    cause: Option<Cause>,
}

impl EscalationErrorClass {
    /// The name that it has in the TypeScript SDK.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "Sec0EscalationCreateError",
            Self::Get => "Sec0EscalationGetError",
            Self::Resolve => "Sec0EscalationResolveError",
            Self::Wait => "Sec0EscalationWaitError",
            Self::Abort => "Sec0EscalationAbortError",
        }
    }
}

impl EscalationError {
    /// What failed.
    pub fn class(&self) -> EscalationErrorClass {
        self.class
    }

    /// What the backend failed with.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    pub(super) fn id_required(class: EscalationErrorClass) -> Self {
        Self { class, message: "Escalation id is required", cause: None }
    }

    pub(super) fn no_reporter() -> Self {
        Self::create("Escalation reporter is not configured", None)
    }

    pub(super) fn violation_required() -> Self {
        Self::create("Escalation violation is required", None)
    }

    pub(super) fn no_id() -> Self {
        Self::create("Escalation reporter did not return an escalation id", None)
    }

    pub(super) fn create_failed(cause: Cause) -> Self {
        Self::create("Escalation create failed", Some(cause))
    }

    pub(super) fn no_resolver(class: EscalationErrorClass) -> Self {
        Self { class, message: "Escalation resolver is not configured", cause: None }
    }

    /// Of a single reading, or of the last one in a wait.
    pub(super) fn get_failed(class: EscalationErrorClass, cause: Cause) -> Self {
        Self { class, message: "Escalation get failed", cause: Some(cause) }
    }

    pub(super) fn cannot_resolve() -> Self {
        Self {
            class: EscalationErrorClass::Resolve,
            message: "Escalation resolver.resolve is not configured",
            cause: None,
        }
    }

    pub(super) fn resolve_failed(cause: Cause) -> Self {
        Self {
            class: EscalationErrorClass::Resolve,
            message: "Escalation resolve failed",
            cause: Some(cause),
        }
    }

    pub(super) fn aborted() -> Self {
        Self {
            class: EscalationErrorClass::Abort,
            message: "Escalation wait was aborted by AbortSignal",
            cause: None,
        }
    }

    fn create(message: &'static str, cause: Option<Cause>) -> Self {
        Self { class: EscalationErrorClass::Create, message, cause }
    }
}
