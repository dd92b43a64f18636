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
}

/// What to do before the next reading.
enum Pause {
    /// Wait for news of the escalation, or for the next poll.
    News,
    /// The backend is in trouble, or its news are none.
    Sleep(Duration),
}

/// What a backend says of changes.
enum News {
    /// It is time to read again.
    Read,
    /// Nothing.
    NotTold,
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
            let left = self.pace.timeout.saturating_sub(course.started.elapsed());
            if left.is_zero() {
                return Ok(ResolutionStatus::Timeout);
            }
            self.pause(pause, left, course.last.as_ref()).await;
        }
    }

    /// Pauses, but no longer than what is `left` of the wait: its last reading is at its very end.
    async fn pause(&self, pause: Pause, left: Duration, last: Option<&Details>) {
        let news = match (&pause, last) {
            (Pause::News, Some(last)) => self.news(last, left).await,
            (Pause::News, None) | (Pause::Sleep(_), _) => News::NotTold,
        };
        let pause = match (news, pause) {
            (News::Read, _) => return,
            (News::NotTold, Pause::Sleep(pause)) => pause,
            (News::NotTold, Pause::News) => self.pace.poll_interval,
        };
        sleep(pause.min(left)).await;
    }

    async fn news(&self, last: &Details, left: Duration) -> News {
        let told = async {
            match self.resolver.changed(last) {
                Some(changed) => changed.await.map(|()| News::Read),
                None => Ok(News::NotTold),
            }
        };
        match guarded(left, told).await {
            Ok(news) => news,
            Err(Unanswered::Late(_)) => News::Read,
            // It is polled instead; if the backend is in trouble, reading says so, too.
            Err(Unanswered::Failed(_) | Unanswered::Panicked) => News::NotTold,
        }
    }

    fn resolution(&self, status: ResolutionStatus, course: Course) -> Resolution {
        let Course { started_at, started, attempts, failures, last } = course;
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
    /// Keeps what was read. Backends that tell of news and then have none are slept on, so that they
    /// are not asked without a pause.
    fn take(&mut self, read: Option<Details>, poll_interval: Duration) -> Pause {
        let Some(read) = read else { return Pause::Sleep(poll_interval) };
        let is_news = self.last.as_ref() != Some(&read);
        self.last = Some(read);
        if is_news { Pause::News } else { Pause::Sleep(poll_interval) }
    }
}
