use super::environment::Lookup;
use super::error::ConfigProblem;
use super::said::Said;
use super::written::{Config, Form};
use crate::policy::reading::Place;
use crate::sign::{KEY_DIRS_VARIABLE, KeyError, LocalDevSigner, allowed_key_dirs};
use std::path::{Path, PathBuf};

/// The key that a configuration names.
impl Config {
    /// Loads the signing key, as the signer loads what a policy's `signing.key_ref` names: the file
    /// must lie in an allowed directory once links are resolved, be this user's and closed to
    /// others. Allowed are `.sec0/keys`, `keys`, `config/keys`, `.sec0/secrets` and `secrets` in
    /// the configuration's directory and in the current one, or those of `SEC0_SIGNER_KEY_DIRS` in
    /// their place.
    ///
    /// # Errors
    ///
    /// The file is not there, lies elsewhere, cannot be read or holds no key.
    pub fn signer(&self) -> Result<LocalDevSigner, ConfigProblem> {
        let (file, key) = (self.signer_path.path(), self.signer_path.shown());
        let path = match self.form {
            Form::Standard => "controlPlane.localSignerPath",
            Form::Flat => "localSignerPath",
        };
        // What may not be looked at is there, and the signer says what is wrong with it.
        if matches!(file.try_exists(), Ok(false)) {
            return Err(ConfigProblem::said(Place::WHOLE, path, &Said::KeyNotFound(key)));
        }
        LocalDevSigner::from_key_ref_in(&self.key_ref(), &self.key_dirs).map_err(|error| {
            let said = self.signer_path.veiled(&error.to_string());
            let (message, fix) = match said.split_once("; ") {
                Some((message, fix)) => (message.to_owned(), fix.to_owned()),
                None => (said, String::new()),
            };
            ConfigProblem::new(Place::WHOLE, path, message, fix)
        })
    }

    /// The key as a reference: `file://` and its path.
    pub fn key_ref(&self) -> String {
        format!("file://{}", self.signer_path.path().display())
    }
}

/// The directories that keys may lie in.
pub(super) fn key_dirs(lookup: &Lookup<'_>, base: &Path) -> Result<Vec<PathBuf>, ConfigProblem> {
    let refused =
        |error: &KeyError| ConfigProblem::new(Place::WHOLE, "", error.to_string(), String::new());
    let list = match lookup(KEY_DIRS_VARIABLE).map(std::ffi::OsString::into_string) {
        Some(Ok(list)) => Some(list),
        None => None,
        Some(Err(_)) => return Err(refused(&KeyError::DirsNotText)),
    };
    let dirs = allowed_key_dirs(list.as_deref());
    // Only the default ones are meant from anywhere else than the current directory.
    let is_default = list.is_none_or(|list| list.trim().is_empty());
    let of_file = dirs.iter().filter(|_| is_default).map(|dir| base.join(dir));
    let of_file: Vec<_> = of_file.collect();
    Ok(of_file.into_iter().chain(dirs).collect())
}
