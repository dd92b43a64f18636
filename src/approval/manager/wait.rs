use super::answer::Details;
use super::backend::EscalationResolver;
use super::cause::Cause;
use super::error::{EscalationError, EscalationErrorClass};
use super::guarded::{Unanswered, guarded};
use super::hooks::Hooks;
use super::resolution::{Resolution, ResolutionMetadata, ResolutionStatus};
use crate::clock::{Clock, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// What comes of one wait, for all who share it.
pub(super) type Outcome = Result<Resolution, EscalationError>;

/// One wait that has not begun.
pub(super) struct Wait {
    pub(super) resolver: Arc<dyn EscalationResolver>,
    pub(super) id: Box<str>,
    pub(super) tenant: Option<Box<str>>,
    pub(super) pace: Pace,
    pub(super) cancel: CancellationToken,
    pub(super) hooks: Hooks,
    pub(super) clock: Arc<dyn Clock>,
}

/// How long it waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) timeout: Duration,
    pub(super) poll_interval: Duration,
    pub(super) max_retries: u32,
    pub(super) retry_backoff: Duration,
    pub(super) answer: Duration,
}

/// How far it has come.
struct Course {
    started_at: Timestamp,
    started: Instant,
    attempts: u64,
    failures: u32,
    last: Option<Details>,
    /// It reads because the backend has told of news.
    was_told: bool,
}

/// What to do before the next reading.
enum Pause {
    /// Wait for news of the escalation, or for the next poll.
    News,
    /// The backend is in trouble, or its news are none.
    Sleep(Duration),
}

impl Wait {
    /// Reads until something is decided, the time is up, or too much has failed.
    pub(super) async fn run(self) -> Outcome {
        let mut course = Course {
            started_at: self.clock.wall(),
            started: Instant::now(),
            attempts: 0,
            failures: 0,
            last: None,
            was_told: false,
        };
        let ended = self.cancel.run_until_cancelled(self.end(&mut course)).await;
        match ended.ok_or_else(EscalationError::aborted)? {
            Ok(status) => {
                let resolution = self.resolution(status, course);
                if status != ResolutionStatus::Timeout {
                    self.hooks.resolved(&resolution);
                }
                Ok(resolution)
            }
            Err(cause) => {
                let error = EscalationError::get_failed(EscalationErrorClass::Wait, cause);
                self.hooks.failed(&error);
                Err(error)
            }
        }
    }

    async fn end(&self, course: &mut Course) -> Result<ResolutionStatus, Cause> {
        loop {
            course.attempts = course.attempts.saturating_add(1);
            let read = async { self.resolver.get(&self.id, self.tenant.as_deref()).await };
            let pause = match guarded(self.pace.answer, read).await {
                Ok(read) => {
                    let end =
                        read.as_ref().and_then(|read| ResolutionStatus::of_backend(&read.status));
                    let pause = course.take(read, self.pace.poll_interval);
                    if let Some(status) = end {
                        return Ok(status);
                    }
                    course.failures = 0;
                    pause
                }
                Err(unanswered) => {
                    course.failures = course.failures.saturating_add(1);
                    if course.failures > self.pace.max_retries {
                        return Err(unanswered.into());
                    }
                    Pause::Sleep(self.pace.retry_backoff.saturating_mul(course.failures))
                }
            };
            if self.left(course).is_zero() {
                return Ok(ResolutionStatus::Timeout);
            }
            self.pause(pause, course).await;
        }
    }

    fn left(&self, course: &Course) -> Duration {
        self.pace.timeout.saturating_sub(course.started.elapsed())
    }

    /// Pauses, but no longer than what is left of the wait: its last reading is at its very end.
    async fn pause(&self, pause: Pause, course: &mut Course) {
        let pause = match (pause, &course.last) {
            (Pause::Sleep(pause), _) => pause,
            (Pause::News, None) => self.pace.poll_interval,
            (Pause::News, Some(last)) => {
                course.was_told = self.is_told_of_news(last, self.left(course)).await;
                if course.was_told {
                    return;
                }
                self.pace.poll_interval
            }
        };
        sleep(pause.min(self.left(course))).await;
    }

    /// True when it is time to read again; false at once where the backend tells nobody.
    async fn is_told_of_news(&self, last: &Details, left: Duration) -> bool {
        let told = async {
            match self.resolver.changed(last) {
                Some(changed) => changed.await.map(|()| true),
                None => Ok(false),
            }
        };
        match guarded(left, told).await {
            Ok(is_told) => is_told,
            Err(Unanswered::Late(_)) => true,
            // It is polled instead; if the backend is in trouble, reading says so, too.
            Err(Unanswered::Failed(_) | Unanswered::Panicked) => false,
        }
    }

    fn resolution(&self, status: ResolutionStatus, course: Course) -> Resolution {
        let Course { started_at, started, attempts, failures, last, was_told: _ } = course;
        let metadata = ResolutionMetadata {
            attempts,
            retry_count: failures,
            started_at,
            resolved_at: self.clock.wall(),
            elapsed: started.elapsed(),
            last_known_status: last.as_ref().map(|last| last.status.clone()),
            finalization_reason: last.as_ref().and_then(|last| last.finalization_reason.clone()),
        };
        Resolution { escalation_id: self.id.clone(), status, details: last, metadata }
    }
}

impl Course {
    /// Keeps what was read. A backend that has told of news and then has none is slept on once, so
    /// that it is not asked without a pause.
    fn take(&mut self, read: Option<Details>, poll_interval: Duration) -> Pause {
        let was_told = std::mem::take(&mut self.was_told);
        let Some(read) = read else { return Pause::Sleep(poll_interval) };
        let is_same = self.last.as_ref() == Some(&read);
        self.last = Some(read);
        if was_told && is_same { Pause::Sleep(poll_interval) } else { Pause::News }
    }
}
