use super::{PolicySource, PolicyVersion};
use crate::digest::Digest;
use crate::policy::compiled::Policy;
use crate::policy::error::PolicyError;
use crate::policy::yaml;
use std::io;
use std::path::{Path, PathBuf};

/// A file that is read again and again.
///
/// What counts is what stands in it, not its times: it may be written in place, replaced by another
/// one, or be a link that is turned, as a mounted `ConfigMap` is. A version is given when two looks
/// one after the other found the same, so that a file that is being written is not taken by halves.
#[derive(Debug)]
pub struct PolicyFile {
    path: PathBuf,
    given: Found,
    /// What the last look found, where it is not what was given.
    unsettled: Option<Found>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Bytes(Digest),
    Nothing(io::ErrorKind),
}

impl PolicyFile {
    /// Reads the policy that stands there now.
    ///
    /// # Errors
    ///
    /// As [`Policy::from_file`].
    pub fn open(path: impl Into<PathBuf>) -> Result<(Self, Policy), PolicyError> {
        let path = path.into();
        let bytes = yaml::bytes(&path);
        let given = Found::of(&bytes);
        let policy = version(&path, bytes).policy?;
        Ok((Self { path, given, unsettled: None }, policy))
    }
}

impl PolicySource for PolicyFile {
    fn look(&mut self) -> Option<PolicyVersion> {
        let bytes = yaml::bytes(&self.path);
        let found = Found::of(&bytes);
        if found == self.given {
            self.unsettled = None;
            return None;
        }
        if self.unsettled.replace(found) != Some(found) {
            return None;
        }
        (self.given, self.unsettled) = (found, None);
        Some(version(&self.path, bytes))
    }
}

impl Found {
    fn of(bytes: &io::Result<Vec<u8>>) -> Self {
        match bytes {
            Ok(bytes) => Self::Bytes(Digest::of(bytes)),
            Err(error) => Self::Nothing(error.kind()),
        }
    }
}

fn version(path: &Path, bytes: io::Result<Vec<u8>>) -> PolicyVersion {
    let name = path.display().to_string();
    match bytes {
        Ok(bytes) => {
            let found = Some(Digest::of(&bytes));
            let text = yaml::text(bytes, &name);
            let policy = text.and_then(|text| Policy::from_yaml_named(&text, &name));
            PolicyVersion { found, policy }
        }
        Err(cause) => {
            PolicyVersion { found: None, policy: Err(PolicyError::unreadable(&name, cause)) }
        }
    }
}
