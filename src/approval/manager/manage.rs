use super::answer::{Created, Details, Resolve};
use super::backend::EscalationResolver;
use super::create::Create;
use super::env::escalation_timeout;
use super::error::{EscalationError, EscalationErrorClass};
use super::guarded::guarded;
use super::options::{ManagerOptions, WaitOptions};
use super::resolution::Resolution;
use super::shared::Waits;
use super::wait::{Pace, Wait};
use std::sync::Arc;
use std::time::Duration;

/// Opens escalations with a backend, reads and decides them, and waits for decisions.
///
/// A clone is the same manager.
///
#[doc = include_str!("../../../docs/guide/approvals-backends.md")]
#[derive(Debug, Clone)]
pub struct EscalationManager {
    options: Arc<ManagerOptions>,
    create_within: Duration,
    pub(super) waits: Waits,
}

impl EscalationManager {
    /// A manager with these options. It reads `SEC0_ESCALATION_TIMEOUT_MS`, for how long opening an
    /// escalation may take.
    pub fn new(options: ManagerOptions) -> Self {
        let create_within = escalation_timeout().unwrap_or(options.control_plane_timeout);
        Self { options: Arc::new(options), create_within, waits: Waits::default() }
    }

    /// Opens an escalation.
    ///
    /// # Errors
    ///
    /// There is no reporter, nothing is said of the violation, the reporter failed, took too long or
    /// gave no id.
    ///
    /// # Cancel safety
    ///
    /// It may be opened all the same.
    pub async fn create(&self, input: Create) -> Result<Created, EscalationError> {
        self.told(self.open(input).await)
    }

    /// The escalation as it stands; `None` where there is none. The manager's own tenant is asked for
    /// where none is given.
    ///
    /// # Errors
    ///
    /// The id is blank, there is no resolver, or it failed or took too long.
    ///
    /// # Cancel safety
    ///
    /// Nothing changes.
    pub async fn get(
        &self,
        id: &str,
        tenant: Option<&str>,
    ) -> Result<Option<Details>, EscalationError> {
        self.told(self.read(id, tenant).await)
    }

    /// Decides.
    ///
    /// # Errors
    ///
    /// The id is blank, there is no resolver that decides, or it failed or took too long.
    ///
    /// # Cancel safety
    ///
    /// It may be decided all the same.
    pub async fn resolve(&self, decision: Resolve) -> Result<Option<Details>, EscalationError> {
        self.told(self.decide(decision).await)
    }

    /// Waits until the escalation is decided, or the time is up. All who wait for the same escalation
    /// of the same tenant at the same time share one wait: that of the first, with its options and its
    /// cancellation.
    ///
    /// # Errors
    ///
    /// The id is blank, there is no resolver, reading failed once more in a row than may be, or the
    /// wait was given up.
    ///
    /// # Cancel safety
    ///
    /// The wait goes on for the others who share it; without any, it ends.
    pub async fn wait_for_resolution(
        &self,
        id: &str,
        options: WaitOptions,
    ) -> Result<Resolution, EscalationError> {
        let class = EscalationErrorClass::Wait;
        let (id, resolver) = self.told(required(id, class).and_then(|id| {
            let resolver = self.options.resolver.clone();
            Ok((id, resolver.ok_or_else(|| EscalationError::no_resolver(class))?))
        }))?;
        let ours = &self.options;
        let tenant = options.tenant.or_else(|| ours.tenant.clone());
        let pace = Pace {
            timeout: options.timeout.unwrap_or(ours.timeout),
            poll_interval: options.poll_interval.unwrap_or(ours.poll_interval),
            max_retries: options.max_retries.unwrap_or(ours.max_retries),
            retry_backoff: options.retry_backoff.unwrap_or(ours.retry_backoff),
            answer: ours.control_plane_timeout,
        };
        let cancel = options.cancel.unwrap_or_default();
        let run = || {
            let (hooks, clock) = (ours.hooks.clone(), Arc::clone(&ours.clock));
            let wait = Wait {
                resolver,
                id: id.into(),
                tenant: tenant.clone(),
                pace,
                cancel,
                hooks,
                clock,
            };
            wait.run()
        };
        self.waits.join((id.into(), tenant.clone()), run).await
    }

    /// Opens an escalation and waits for what is decided on it.
    ///
    /// # Errors
    ///
    /// As of [`create`](Self::create) and [`wait_for_resolution`](Self::wait_for_resolution).
    ///
    /// # Cancel safety
    ///
    /// As theirs; what was opened stays open.
    pub async fn create_and_wait(
        &self,
        input: Create,
        mut options: WaitOptions,
    ) -> Result<Resolution, EscalationError> {
        if let Some(tenant) = &input.tenant {
            options.tenant.get_or_insert_with(|| tenant.clone());
        }
        let created = self.create(input).await?;
        self.wait_for_resolution(&created.id, options).await
    }

    async fn open(&self, input: Create) -> Result<Created, EscalationError> {
        let reporter = self.options.reporter.as_ref().ok_or_else(EscalationError::no_reporter)?;
        let input = input.completed(&self.options.defaults, self.options.tenant.as_deref());
        if input.violation.is_empty() {
            return Err(EscalationError::violation_required());
        }
        let created = guarded(self.create_within, async { reporter.create(input).await }).await;
        let created = created.map_err(|why| EscalationError::create_failed(why.into()))?;
        let created = created.filter(|created| !created.id.trim().is_empty());
        let created = created.ok_or_else(EscalationError::no_id)?;
        self.options.hooks.created(&created);
        Ok(created)
    }

    async fn read(
        &self,
        id: &str,
        tenant: Option<&str>,
    ) -> Result<Option<Details>, EscalationError> {
        let class = EscalationErrorClass::Get;
        let id = required(id, class)?;
        let resolver = self.options.resolver.as_ref();
        let resolver: &Arc<dyn EscalationResolver> =
            resolver.ok_or_else(|| EscalationError::no_resolver(class))?;
        let tenant = tenant.or(self.options.tenant.as_deref());
        let read = async { resolver.get(id, tenant).await };
        let read = guarded(self.options.control_plane_timeout, read).await;
        read.map_err(|why| EscalationError::get_failed(class, why.into()))
    }

    async fn decide(&self, mut decision: Resolve) -> Result<Option<Details>, EscalationError> {
        decision.id = required(&decision.id, EscalationErrorClass::Resolve)?.into();
        let resolver = self.options.resolver.as_ref();
        let resolver = resolver.ok_or_else(EscalationError::cannot_resolve)?;
        decision.tenant = decision.tenant.or_else(|| self.options.tenant.clone());
        let decide = async {
            match resolver.resolve(decision) {
                Some(decided) => decided.await.map(Some),
                None => Ok(None),
            }
        };
        match guarded(self.options.control_plane_timeout, decide).await {
            Ok(decided) => decided.ok_or_else(EscalationError::cannot_resolve),
            Err(why) => Err(EscalationError::resolve_failed(why.into())),
        }
    }

    /// The same, of which `on_error` was told.
    fn told<T>(&self, result: Result<T, EscalationError>) -> Result<T, EscalationError> {
        if let Err(error) = &result {
            self.options.hooks.failed(error);
        }
        result
    }
}

fn required(id: &str, class: EscalationErrorClass) -> Result<&str, EscalationError> {
    match id.trim() {
        "" => Err(EscalationError::id_required(class)),
        id => Ok(id),
    }
}
