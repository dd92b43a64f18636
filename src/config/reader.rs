use super::environment::Lookup;
use super::error::{ConfigError, ConfigProblem};
use super::path::WrittenPath;
use super::read::{Source, read};
use super::said::Said;
use super::written::{Config, Form};
use crate::policy::reading::{bytes, text};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where configurations come from.
impl Config {
    /// Reads a configuration from a file, in the form that its keys show. Relative paths in it are
    /// meant from its directory on. Links are followed, as configuration is often mounted so.
    ///
    /// Variables are those of this process, read once.
    ///
    /// # Errors
    ///
    /// A file that is not there, cannot be read, is not a regular one, is not UTF-8 or is larger
    /// than a mebibyte; else everything that is wrong with it, each with its place.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        ConfigReader::new().file(path)
    }

    /// Reads a configuration from its text; errors name it `sec0.config.yaml`, and relative paths
    /// in it are meant from the current directory on.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place.
    pub fn from_yaml(text: &str) -> Result<Self, ConfigError> {
        ConfigReader::new().yaml(text)
    }
}

/// How a configuration is read, where the defaults of [`Config::from_file`] do not fit.
///
/// ```
/// # fn main() -> Result<(), sec0::config::ConfigError> {
/// use sec0::config::ConfigReader;
/// let reader = ConfigReader::new().relative_to("/srv/shop").variables(|name| match name {
///     "DATA" => Some("var".into()),
///     _ => None,
/// });
/// let config = reader.yaml("{localDir: '${DATA}/log', localSignerPath: keys/ed25519.key}")?;
/// assert_eq!(config.sec0_dir().path(), std::path::Path::new("/srv/shop/var/log"));
/// assert_eq!(config.sec0_dir().shown(), "${DATA}/log");
/// # Ok(()) }
/// ```
pub struct ConfigReader<'e> {
    form: Option<Form>,
    base: PathBuf,
    lookup: Box<Lookup<'e>>,
}

impl<'e> ConfigReader<'e> {
    /// The defaults: either form, paths from the file's directory on, the variables of this process.
    pub fn new() -> Self {
        Self { form: None, base: PathBuf::new(), lookup: Box::new(of_process) }
    }

    /// Reads files of this form and no other.
    #[must_use]
    pub fn form(mut self, form: Form) -> Self {
        self.form = Some(form);
        self
    }

    /// Relative paths in a text are meant from this directory on; those in a file from its own.
    #[must_use]
    pub fn relative_to(mut self, base: impl Into<PathBuf>) -> Self {
        self.base = base.into();
        self
    }

    /// Takes variables from here in place of this process's environment: those that the file names,
    /// `SEC0_SIGNER_KEY_DIRS`, and those for the URL of the control plane.
    #[must_use]
    pub fn variables(mut self, lookup: impl Fn(&str) -> Option<OsString> + 'e) -> Self {
        self.lookup = Box::new(lookup);
        self
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// As [`Config::from_file`].
    pub fn file(&self, path: impl AsRef<Path>) -> Result<Config, ConfigError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        if path.as_os_str().is_empty() {
            return Err(ConfigError::of_file(&name, &Said::NothingGiven, None));
        }
        let full = WrittenPath::new(&name, None, Path::new(""));
        let bytes = bytes(path).map_err(|cause| {
            if cause.kind() == io::ErrorKind::NotFound {
                ConfigError::of_file(&name, &Said::NotFound(full.shown()), Some(cause))
            } else {
                ConfigError::unreadable(&name, cause)
            }
        })?;
        let base = path.parent().unwrap_or(Path::new(""));
        self.read(&text(bytes, &name)?, &name, (base, full.shown()))
    }

    /// Reads a text, which errors name `sec0.config.yaml`.
    ///
    /// # Errors
    ///
    /// As [`Config::from_yaml`].
    pub fn yaml(&self, text: &str) -> Result<Config, ConfigError> {
        const NAME: &str = "sec0.config.yaml";
        self.read(text, NAME, (&self.base, NAME))
    }

    fn read(
        &self,
        text: &str,
        name: &str,
        (base, full): (&Path, &str),
    ) -> Result<Config, ConfigError> {
        let source = Source { name, full, base, form: self.form, lookup: &self.lookup };
        let refused = |problems: Vec<ConfigProblem>| ConfigError::new(name, problems);
        read(text, &source).map_err(refused)
    }
}

impl Default for ConfigReader<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ConfigReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { form, base, lookup: _ } = self;
        f.debug_struct("ConfigReader").field("form", form).field("base", base).finish()
    }
}

fn of_process(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
