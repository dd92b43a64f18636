use super::error::{ConfigError, ConfigProblem};
use super::hop::{Hop, HopError, HopType};
use super::path::WrittenPath;
use super::said::Said;
use super::written::{Config, Environment, Form, WithoutPolicy};
use crate::otel::Otel;
use crate::policy::reading::{Place, nearest};
use crate::sign::LocalDevSigner;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A configuration with its key loaded and its hops settled: what a program runs by.
///
/// A value: nothing of it is shared with another one in the same process.
#[derive(Debug, Clone)]
pub struct Resolved {
    config: Arc<Config>,
    key_ref: String,
    signer: Arc<LocalDevSigner>,
    hops: BTreeMap<String, Hop>,
}

impl Config {
    /// Looks for the key, and settles each hop.
    ///
    /// # Errors
    ///
    /// The key cannot be used, hops have nowhere to write their records or lack what their type
    /// needs, or their policy would come from a control plane.
    pub fn resolve(self) -> Result<Resolved, ConfigError> {
        let (signer, hops) = (self.signer(), self.settle());
        match (signer, hops) {
            (Ok(signer), Ok(hops)) => Ok(Resolved {
                key_ref: self.key_ref(),
                config: Arc::new(self),
                signer: Arc::new(signer),
                hops,
            }),
            (signer, hops) => {
                let mut problems: Vec<_> = signer.err().into_iter().collect();
                problems.extend(hops.err().unwrap_or_default());
                Err(ConfigError::new(&self.file, problems))
            }
        }
    }

    /// The hops that call through the gateway, which is not built yet.
    pub fn gateway_hops(&self) -> impl Iterator<Item = &str> {
        let gateways = self.hops.iter().filter(|(_, hop)| hop.kind == HopType::Gateway);
        gateways.map(|(key, _)| key.as_str())
    }

    /// What is wrong with the hops that reading them cannot tell; nothing where there are none.
    pub fn hop_problems(&self) -> Vec<ConfigProblem> {
        self.settle().err().unwrap_or_default()
    }

    fn settle(&self) -> Result<BTreeMap<String, Hop>, Vec<ConfigProblem>> {
        let (mut problems, mut settled) = (Vec::new(), BTreeMap::new());
        if !self.hops.is_empty() {
            problems.extend(self.nowhere_to_write());
            problems.extend(self.policy_of_control_plane());
        }
        for (key, hop) in &self.hops {
            match hop.settle(key) {
                Ok(hop) => {
                    settled.insert(key.clone(), hop);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(settled) } else { Err(problems) }
    }

    fn nowhere_to_write(&self) -> Option<ConfigProblem> {
        let path = match self.form {
            Form::Standard => "controlPlane.appenderDir",
            Form::Flat => "appender.dir",
        };
        let said = || ConfigProblem::said(Place::START, path, &Said::AppenderDir);
        self.appender_dir.is_none().then(said)
    }

    /// With a key of the control plane and nothing said of a policy, the original fetches one.
    fn policy_of_control_plane(&self) -> Option<ConfigProblem> {
        let is_said = self.policy.is_some() || self.without_policy.is_some();
        let path = match self.form {
            Form::Standard => "auth.sec0ApiKey",
            Form::Flat => "apiKey",
        };
        let problem = || {
            let message = format!(
                "`{path}` asks for the policy of a control plane, which is not fetched yet"
            );
            let fix =
                "name a file with `app.policy`, or say `app.without_policy: refuse` or `allow`";
            ConfigProblem::new(Place::START, path, message, fix.to_owned())
        };
        (self.api_key.is_some() && !is_said).then(problem)
    }
}

impl Resolved {
    /// What was written.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// `app.tenant`.
    pub fn tenant(&self) -> Option<&str> {
        self.config.tenant()
    }

    /// `app.environment`.
    pub fn environment(&self) -> Option<Environment> {
        self.config.environment()
    }

    /// `app.client.name`.
    pub fn client_name(&self) -> Option<&str> {
        self.config.client_name.as_deref()
    }

    /// `app.client.version`.
    pub fn client_version(&self) -> Option<&str> {
        self.config.client_version.as_deref()
    }

    /// The directory of the log, absolute.
    pub fn sec0_dir(&self) -> &Path {
        self.config.sec0_dir.path()
    }

    /// Where hops write their records, absolute; never absent where there are hops.
    pub fn appender_dir(&self) -> Option<&Path> {
        self.config.appender_dir.as_ref().map(WrittenPath::path)
    }

    /// The key as a reference: `file://` and an absolute path.
    pub fn key_ref(&self) -> &str {
        &self.key_ref
    }

    /// What signs, with the key that was found.
    pub fn signer(&self) -> &Arc<LocalDevSigner> {
        &self.signer
    }

    /// The policy file of all hops, absolute.
    pub fn policy(&self) -> Option<&Path> {
        self.config.policy.as_ref().map(WrittenPath::path)
    }

    /// What becomes of hops where there is no policy.
    pub fn without_policy(&self) -> WithoutPolicy {
        self.config.without_policy.unwrap_or_default()
    }

    /// `otel`: what [`Sec0Options::otel`](crate::stack::Sec0Options::otel) takes; `None` where
    /// telemetry goes nowhere.
    pub fn otel(&self) -> Option<&Otel> {
        self.config.otel()
    }

    /// Where the control plane is, without a slash at the end.
    pub fn control_plane_url(&self) -> &str {
        &self.config.control_plane_url
    }

    /// The hops that a program can run, by name. Those that call through the gateway are not yet
    /// among them.
    pub fn hops(&self) -> impl Iterator<Item = &Hop> {
        self.hops.values().filter(|hop| hop.kind != HopType::Gateway)
    }

    /// The hop of this name.
    ///
    /// # Errors
    ///
    /// There is none, or it calls through the gateway.
    pub fn hop(&self, key: &str) -> Result<&Hop, HopError> {
        let key_of = || key.to_owned();
        match self.hops.get(key) {
            Some(hop) if hop.kind == HopType::Gateway => Err(HopError::Gateway { key: key_of() }),
            Some(hop) => Ok(hop),
            None => {
                let names: Vec<_> = self.hops.keys().map(String::as_str).collect();
                let hint = nearest(key, &names).map(str::to_owned);
                Err(HopError::NotFound { key: key_of(), hint })
            }
        }
    }

    /// The hop of this name, which is of this type.
    ///
    /// # Errors
    ///
    /// As [`hop`](Self::hop), and where it is of another type.
    pub fn hop_of(&self, key: &str, wanted: HopType) -> Result<&Hop, HopError> {
        match self.hops.get(key) {
            Some(Hop { kind, .. }) if *kind != wanted => {
                Err(HopError::OfAnotherType { key: key.to_owned(), found: *kind, wanted })
            }
            Some(_) | None => self.hop(key),
        }
    }
}
