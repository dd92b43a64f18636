use super::error::ConfigProblem;
use super::hop::WrittenHop;
use super::path::WrittenPath;
use crate::otel::Otel;
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// What a `sec0.config.yaml` says: checked, with the environment put in and paths made absolute.
/// Nothing has been looked for yet; that is [`resolve`](Self::resolve).
#[derive(Debug, Clone)]
pub struct Config {
    pub(super) file: String,
    pub(super) form: Form,
    pub(super) tenant: Option<String>,
    pub(super) environment: Option<Environment>,
    pub(super) client_name: Option<String>,
    pub(super) client_version: Option<String>,
    pub(super) sec0_dir: WrittenPath,
    pub(super) signer_path: WrittenPath,
    pub(super) appender_dir: Option<WrittenPath>,
    pub(super) policy: Option<WrittenPath>,
    pub(super) without_policy: Option<WithoutPolicy>,
    pub(super) control_plane_url: String,
    pub(super) api_key: Option<Secret<String>>,
    pub(super) hops: BTreeMap<String, WrittenHop>,
    pub(super) key_dirs: Vec<PathBuf>,
    pub(super) otel: Option<Otel>,
    pub(super) warnings: Vec<ConfigProblem>,
}

/// How a configuration is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// With `app` and `controlPlane`, as `loadStandardConfig` has it.
    Standard,
    /// With `localDir` and `localSignerPath`, as `initSec0` has it.
    Flat,
}

/// `app.environment`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Environment {
    /// `dev`.
    Dev,
    /// `staging`.
    Staging,
    /// `prod`.
    Prod,
}

/// What becomes of hops where no policy is named: `app.without_policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum WithoutPolicy {
    /// All are refused.
    Refuse,
    /// None is refused for that.
    Allow,
    /// Those that do not only read are refused: what is done when nothing is said.
    #[default]
    ReadsOnly,
}

impl Config {
    /// The file as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How it is laid out.
    pub fn form(&self) -> Form {
        self.form
    }

    /// `app.tenant`, or `tenant` in the flat form, where it may be absent.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// `app.environment`; never absent in the standard form.
    pub fn environment(&self) -> Option<Environment> {
        self.environment
    }

    /// The directory of the log: `controlPlane.sec0Dir`, or `localDir`.
    pub fn sec0_dir(&self) -> &WrittenPath {
        &self.sec0_dir
    }

    /// The file with the signing key.
    pub fn signer_path(&self) -> &WrittenPath {
        &self.signer_path
    }

    /// Where hops write their records: `controlPlane.appenderDir`, `appender.dir` or `appenderDir`.
    pub fn appender_dir(&self) -> Option<&WrittenPath> {
        self.appender_dir.as_ref()
    }

    /// The file that `app.policy` names.
    pub fn policy(&self) -> Option<&WrittenPath> {
        self.policy.as_ref()
    }

    /// `otel`: where telemetry goes; `None` where it goes nowhere.
    pub fn otel(&self) -> Option<&Otel> {
        self.otel.as_ref()
    }

    /// The names of the hops, sorted.
    pub fn hop_keys(&self) -> impl Iterator<Item = &str> {
        self.hops.keys().map(String::as_str)
    }

    /// What is accepted and probably not meant.
    pub fn warnings(&self) -> &[ConfigProblem] {
        &self.warnings
    }
}

impl Environment {
    /// The environment of this name, in any case and with space around it, as the original has it.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Dev, Self::Staging, Self::Prod];
        all.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(name.trim()))
    }

    /// The name, as records have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Staging => "staging",
            Self::Prod => "prod",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
