use super::answer::Created;
use super::backend::{EscalationReporter, EscalationResolver};
use super::create::Create;
use super::error::EscalationError;
use super::hooks::Hooks;
use super::resolution::Resolution;
use crate::clock::{Clock, System};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The shortest pause between two readings.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The shortest time that one answer of a backend gets.
const MIN_CONTROL_PLANE_TIMEOUT: Duration = Duration::from_secs(1);

/// How an [`EscalationManager`](super::EscalationManager) works.
#[derive(Clone)]
pub struct ManagerOptions {
    pub(super) reporter: Option<Arc<dyn EscalationReporter>>,
    pub(super) resolver: Option<Arc<dyn EscalationResolver>>,
    pub(super) timeout: Duration,
    pub(super) poll_interval: Duration,
    pub(super) max_retries: u32,
    pub(super) retry_backoff: Duration,
    pub(super) control_plane_timeout: Duration,
    pub(super) tenant: Option<Box<str>>,
    pub(super) defaults: Create,
    pub(super) hooks: Hooks,
    pub(super) clock: Arc<dyn Clock>,
}

/// How one wait differs from the manager's options.
#[derive(Debug, Clone, Default)]
pub struct WaitOptions {
    pub(super) cancel: Option<CancellationToken>,
    pub(super) timeout: Option<Duration>,
    pub(super) poll_interval: Option<Duration>,
    pub(super) max_retries: Option<u32>,
    pub(super) retry_backoff: Option<Duration>,
    pub(super) tenant: Option<Box<str>>,
}

impl ManagerOptions {
    /// Who opens escalations. Without one, none can be opened.
    #[must_use]
    pub fn reporter(mut self, reporter: Arc<dyn EscalationReporter>) -> Self {
        self.reporter = Some(reporter);
        self
    }

    /// Who reads them and decides on them. Without one, nothing can be waited for.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn EscalationResolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// How long a wait takes at most (ten minutes); then its status is `timeout`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a wait pauses between two readings (two seconds); at least a millisecond.
    #[must_use]
    pub fn poll_interval(mut self, pause: Duration) -> Self {
        self.poll_interval = at_least_a_millisecond(pause);
        self
    }

    /// How many readings in a row may fail (3); with one more the wait fails.
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// How long a wait pauses after a reading that failed (250 ms), times the number of those in a
    /// row.
    #[must_use]
    pub fn retry_backoff(mut self, pause: Duration) -> Self {
        self.retry_backoff = pause;
        self
    }

    /// How long one answer of reporter or resolver may take (eight seconds); at least a second. For
    /// opening an escalation `SEC0_ESCALATION_TIMEOUT_MS` takes its place.
    #[must_use]
    pub fn control_plane_timeout(mut self, timeout: Duration) -> Self {
        self.control_plane_timeout = timeout.max(MIN_CONTROL_PLANE_TIMEOUT);
        self
    }

    /// On whose behalf, where a call to the manager does not say (nobody in particular).
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<Box<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// What new escalations have where a field of theirs is missing (nothing).
    #[must_use]
    pub fn defaults(mut self, defaults: Create) -> Self {
        self.defaults = defaults;
        self
    }

    /// Is called for each escalation that was opened. A panic in it changes nothing.
    #[must_use]
    pub fn on_created(mut self, hook: impl Fn(&Created) + Send + Sync + 'static) -> Self {
        self.hooks.created = Some(Arc::new(hook));
        self
    }

    /// Is called when a wait saw a decision; once, however many wait, and not when the time was up.
    /// A panic in it changes nothing.
    #[must_use]
    pub fn on_resolved(mut self, hook: impl Fn(&Resolution) + Send + Sync + 'static) -> Self {
        self.hooks.resolved = Some(Arc::new(hook));
        self
    }

    /// Is called for each error that the manager returns, except where a wait was given up. A panic
    /// in it changes nothing.
    #[must_use]
    pub fn on_error(mut self, hook: impl Fn(&EscalationError) + Send + Sync + 'static) -> Self {
        self.hooks.failed = Some(Arc::new(hook));
        self
    }

    /// The clock that dates resolutions (the machine's). What passes is measured with the timers of
    /// tokio, which a test can pause.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl Default for ManagerOptions {
    fn default() -> Self {
        Self {
            reporter: None,
            resolver: None,
            timeout: Duration::from_mins(10),
            poll_interval: Duration::from_secs(2),
            max_retries: 3,
            retry_backoff: Duration::from_millis(250),
            control_plane_timeout: Duration::from_secs(8),
            tenant: None,
            defaults: Create::default(),
            hooks: Hooks::default(),
            clock: System::shared(),
        }
    }
}

impl fmt::Debug for ManagerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerOptions")
            .field("reporter", &self.reporter.is_some())
            .field("resolver", &self.resolver.is_some())
            .field("timeout", &self.timeout)
            .field("poll_interval", &self.poll_interval)
            .field("max_retries", &self.max_retries)
            .field("retry_backoff", &self.retry_backoff)
            .field("control_plane_timeout", &self.control_plane_timeout)
            .field("tenant", &self.tenant)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

impl WaitOptions {
    /// Gives the wait up when it is cancelled: the wait then fails with
    /// [`EscalationErrorClass::Abort`](super::EscalationErrorClass::Abort).
    #[must_use]
    pub fn cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// See [`ManagerOptions::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// See [`ManagerOptions::poll_interval`].
    #[must_use]
    pub fn poll_interval(mut self, pause: Duration) -> Self {
        self.poll_interval = Some(at_least_a_millisecond(pause));
        self
    }

    /// See [`ManagerOptions::max_retries`].
    #[must_use]
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = Some(retries);
        self
    }

    /// See [`ManagerOptions::retry_backoff`].
    #[must_use]
    pub fn retry_backoff(mut self, pause: Duration) -> Self {
        self.retry_backoff = Some(pause);
        self
    }

    /// See [`ManagerOptions::tenant`].
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<Box<str>>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }
}

fn at_least_a_millisecond(pause: Duration) -> Duration {
    pause.max(MIN_POLL_INTERVAL)
}
