use super::app::Sec0App;
use super::error::AppError;
use crate::audit::AuditSink;
use crate::call::AuditMode;
use crate::clock::Clock;
use crate::config::Config;
use crate::stack::Sec0Options;
use std::fmt;
use std::sync::Arc;

/// What a program may set besides its configuration.
///
/// ```
/// use sec0::config::Config;
/// use sec0::hop::{AppOptions, Sec0App};
/// # fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::from_file("sec0.config.yaml")?;
/// let app = Sec0App::init(AppOptions::new(config))?;
/// # Ok(()) }
/// ```
pub struct AppOptions {
    pub(super) config: Config,
    pub(super) is_off: bool,
    pub(super) set: Box<dyn FnOnce(Sec0Options) -> Sec0Options + Send>,
}

impl AppOptions {
    /// The configuration as it is.
    pub fn new(config: Config) -> Self {
        Self { config, is_off: false, set: Box::new(|options| options) }
    }

    /// When the records are durable, whatever the policy says.
    #[must_use]
    pub fn audit_mode(self, mode: AuditMode) -> Self {
        self.layer_options(move |options| options.audit_mode(mode))
    }

    /// Another sink for the records than files in `appenderDir`: for tests.
    #[must_use]
    pub fn audit_sink(self, sink: impl AuditSink + 'static) -> Self {
        self.layer_options(move |options| options.audit_sink(sink))
    }

    /// Another clock: for tests.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        self.layer_options(move |options| options.clock(clock))
    }

    /// Everything else that a [`Sec0SecurityLayer`](crate::Sec0SecurityLayer) can be told. What the
    /// configuration says (key, tenant, directory) is set before.
    #[must_use]
    pub fn layer_options(
        mut self,
        set: impl FnOnce(Sec0Options) -> Sec0Options + Send + 'static,
    ) -> Self {
        let before = self.set;
        self.set = Box::new(move |options| set(before(options)));
        self
    }

    /// Bodies run unjudged and unrecorded: for benchmarks and for tests of the bodies themselves. It
    /// can be said in code only, and is told as a warning.
    #[must_use]
    pub fn off(mut self) -> Self {
        self.is_off = true;
        self
    }

    /// Starts the app.
    ///
    /// # Errors
    ///
    /// As [`Sec0App::init`].
    pub fn start(self) -> Result<Sec0App, AppError> {
        Sec0App::init(self)
    }
}

impl From<Config> for AppOptions {
    fn from(config: Config) -> Self {
        Self::new(config)
    }
}

impl fmt::Debug for AppOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppOptions").field("is_off", &self.is_off).finish_non_exhaustive()
    }
}
