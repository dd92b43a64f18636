use super::answer::{BackendError, Created};
use super::backend::EscalationReporter;
use super::create::Create;
use super::guarded::{Unanswered, guarded, words};
use std::fmt;
use std::time::Duration;

/// Why an escalation was not opened: the `escalation_error` of replies and records. Of what the
/// reporter failed with it holds the status of an HTTP answer at most, since the rest may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a record has one of these")]
pub enum NotReported {
    /// It took too long.
    #[error("the escalation reporter did not answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// It failed.
    #[error("the escalation reporter failed{0}")]
    Failed(HttpStatus),
    /// It panicked.
    #[error("the escalation reporter panicked")]
    Panicked,
    /// It opened one without a name.
    #[error("the escalation reporter gave no escalation id")]
    NoId,
}

/// The status of an HTTP answer, where one is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpStatus(Option<u16>);

/// Opens an escalation, and gives up after `limit`: a call that is refused anyway does not hang on a
/// reporter that does. `None` where the reporter has nobody to ask.
///
/// # Errors
///
/// The text for `escalation_error`.
///
/// # Cancel safety
///
/// Dropped, the reporter is dropped. What was on its way may still be opened.
pub async fn report_within(
    reporter: &dyn EscalationReporter,
    create: Create,
    limit: Duration,
) -> Result<Option<Created>, NotReported> {
    match guarded(limit, async { reporter.create(create).await }).await {
        Ok(Some(created)) if created.id.trim().is_empty() => Err(NotReported::NoId),
        Ok(created) => Ok(created),
        Err(Unanswered::Failed(error)) => Err(NotReported::Failed(HttpStatus::of(&error))),
        Err(Unanswered::Panicked) => Err(NotReported::Panicked),
        Err(Unanswered::Late(limit)) => Err(NotReported::Late(limit)),
    }
}

impl HttpStatus {
    /// The number; `None` where the reporter's error does not say one.
    pub fn get(self) -> Option<u16> {
        self.0
    }

    /// Of `escalation_create_failed:<status>:<body>`, as the control plane's client fails.
    fn of(error: &BackendError) -> Self {
        let text = words(error);
        let status = text.strip_prefix("escalation_create_failed:").and_then(|rest| rest.get(..3));
        let status = status.filter(|status| status.bytes().all(|byte| byte.is_ascii_digit()));
        Self(status.and_then(|status| status.parse().ok()))
    }
}

impl fmt::Display for HttpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => write!(f, " with HTTP status {status}"),
            None => Ok(()),
        }
    }
}
