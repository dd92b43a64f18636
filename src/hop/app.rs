use super::context::{Current, HopContext};
use super::error::AppError;
use super::handle::HopHandle;
use super::invoke::{Handler, Handlers};
use super::options::AppOptions;
use super::run::{Run, RunParts};
use super::running::Running;
use super::transport::HopTransport;
use crate::audit::{Program, ShutdownError};
use crate::call::{Reason, Refusal};
use crate::config::{Config, ConfigReader, Environment, Form, HopError, HopType, Resolved};
use crate::policy::Policy;
use crate::stack::{Sec0Options, Sec0SecurityLayer};
use serde_json::Value;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A configuration at work: its hops, behind one policy and over one log.
///
/// A value: two apps in one process do not see each other. Clones share everything.
///
/// ```no_run
/// use sec0::Refusal;
/// use sec0::hop::Sec0App;
/// # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// let app = Sec0App::load("sec0.config.yaml")?;
/// let greeting = app
///     .hop("Greeter.greet")?
///     .run("ana", |_hop| async { Ok::<_, Refusal>("hello ana".to_owned()) })
///     .await?;
/// app.shutdown().await;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Sec0App(Arc<Inner>);

struct Inner {
    resolved: Resolved,
    layer: Sec0SecurityLayer,
    hops: HashMap<String, Arc<Running>>,
    /// The run of all hops where they are switched off.
    off: Option<Arc<RunParts>>,
    handlers: Handlers,
    transport: Option<Arc<dyn HopTransport>>,
}

impl Sec0App {
    /// Reads a configuration of either form, and starts it.
    ///
    /// # Errors
    ///
    /// The configuration or its policy has something wrong (with file, line, column and the fix), or
    /// the key or the log cannot be opened.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, AppError> {
        Self::init(Config::from_file(path)?)
    }

    /// Reads `sec0.config.yaml` in the current directory, in the standard form, and starts it.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_standard_config() -> Result<Self, AppError> {
        Self::init(ConfigReader::new().form(Form::Standard).file("sec0.config.yaml")?)
    }

    /// Starts a configuration that was read before, with what the program adds to it.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn init(options: impl Into<AppOptions>) -> Result<Self, AppError> {
        let AppOptions { config, is_off, transport, set } = options.into();
        let resolved = config.resolve()?;
        let layer = Sec0SecurityLayer::try_new(set(layer_options(&resolved)?))?;
        let mut hops = HashMap::new();
        for hop in resolved.hops() {
            let running = Running::new(hop.clone(), &resolved, &layer)?;
            hops.insert(hop.key.clone(), Arc::new(running));
        }
        let off = is_off.then(|| Arc::new(RunParts::fresh()));
        if is_off {
            tracing::warn!("hops are switched off in code: they run unjudged and unrecorded");
        }
        Ok(Self(Arc::new(Inner {
            resolved,
            layer,
            hops,
            off,
            handlers: Handlers::default(),
            transport,
        })))
    }

    /// The app in whose scope this code runs.
    pub fn current() -> Option<Self> {
        Current::get().map(|current| current.app().clone())
    }

    /// What was configured.
    pub fn config(&self) -> &Resolved {
        &self.0.resolved
    }

    /// The hop of this name, to be run.
    ///
    /// # Errors
    ///
    /// `[sec0] No hop configuration found for …`, or it calls through the gateway.
    pub fn hop(&self, key: &str) -> Result<HopHandle, HopError> {
        self.0.resolved.hop(key)?;
        match self.0.hops.get(key) {
            Some(running) => Ok(HopHandle::new(self.clone(), Arc::clone(running))),
            None => Err(HopError::Gateway { key: key.to_owned() }),
        }
    }

    /// The hop of this name, which has to be of this type.
    ///
    /// # Errors
    ///
    /// As [`hop`](Self::hop), and where it is of another type.
    pub fn hop_of(&self, key: &str, kind: HopType) -> Result<HopHandle, HopError> {
        self.0.resolved.hop_of(key, kind)?;
        self.hop(key)
    }

    /// Registers what runs a hop that is [invoked](super::HopContext::invoke) by its name, in place of
    /// what was registered before.
    ///
    /// # Errors
    ///
    /// As [`hop`](Self::hop).
    pub fn on<F, R, E>(&self, key: &str, handler: F) -> Result<(), HopError>
    where
        F: Fn(Value, HopContext) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.hop(key)?;
        let handler: Handler = Arc::new(move |params, hop| {
            let running = handler(params, hop);
            Box::pin(async move { running.await.map_err(Into::into) })
        });
        self.0.handlers.put(key.to_owned(), handler);
        Ok(())
    }

    /// Runs a future whose hops are this app's, in a run of their own.
    ///
    /// Where it already runs in a hop of this app, that goes on: its hops belong to the same run.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        self.here().scope(future)
    }

    /// The same for code that is not async.
    pub fn scope_sync<T>(&self, act: impl FnOnce() -> T) -> T {
        self.here().sync_scope(act)
    }

    /// A run with more to say: its id, what came with a request, a grant.
    pub fn run(&self) -> Run {
        Run::new(self.clone())
    }

    /// Ends admission, writes and syncs all records, and closes the log.
    ///
    /// # Errors
    ///
    /// What could not be written, and why.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the writer at work; calling it again waits again.
    pub async fn try_shutdown(&self) -> Result<(), ShutdownError> {
        self.0.layer.try_shutdown().await
    }

    /// [`try_shutdown`](Self::try_shutdown), with the error sent to `tracing`.
    pub async fn shutdown(&self) {
        self.0.layer.shutdown().await;
    }

    /// Where hops of this app run from here.
    pub(super) fn here(&self) -> Current {
        let run = || match &self.0.off {
            // What is not recorded needs no run of its own.
            Some(run) => Arc::clone(run),
            None => Arc::new(RunParts::fresh()),
        };
        Current::of(self).unwrap_or_else(|| Current::Scope(self.clone(), run()))
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(super) fn handler(&self, key: &str) -> Option<Handler> {
        self.0.handlers.get(key)
    }

    pub(super) fn transport(&self) -> Option<&dyn HopTransport> {
        self.0.transport.as_deref()
    }

    pub(super) fn is_off(&self) -> bool {
        self.0.off.is_some()
    }
}

impl AsRef<Self> for Sec0App {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Sec0App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sec0App").field("config", &self.0.resolved).finish_non_exhaustive()
    }
}

/// A hop that cannot be had is refused like one that may not run.
impl From<HopError> for Refusal {
    fn from(error: HopError) -> Self {
        Self::new(Reason::HopUnavailable).with_detail(error.to_string())
    }
}

fn layer_options(resolved: &Resolved) -> Result<Sec0Options, AppError> {
    let dir = resolved.appender_dir().unwrap_or(resolved.sec0_dir());
    let program = Program {
        env: resolved.environment().map(Environment::as_str).map(Into::into),
        client: resolved.client_name().map(Into::into),
        client_version: resolved.client_version().map(Into::into),
    };
    let mut options = Sec0Options::new(policy(resolved)?)
        .program(program)
        .audit_dir(dir)
        .shared_signer(resolved.signer().clone())
        .agent_copies(AGENT_FILES)
        .record_agent_variables();
    if let Some(otel) = resolved.otel() {
        options = options.otel(otel.clone());
    }
    Ok(options)
}

/// How many runs of a day have a file of their own.
const AGENT_FILES: usize = 1000;

fn policy(resolved: &Resolved) -> Result<Policy, AppError> {
    let Some(path) = resolved.policy() else {
        return Ok(Policy::absent(resolved.tenant().unwrap_or("unknown"), true)?);
    };
    let policy = Policy::from_file(path)?;
    match resolved.tenant() {
        Some(tenant) if tenant != policy.tenant() => Err(AppError::OtherTenant {
            app: tenant.to_owned(),
            policy: policy.tenant().to_owned(),
            file: policy.file().to_owned(),
        }),
        Some(_) | None => Ok(policy),
    }
}
