use super::super::error::shown;
use super::disk::{Disk, follow};
use super::fault::Fault;
use super::spelling::{Spelling, absolute};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// An entry of `security.fs_allowlist`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Root {
    path: PathBuf,
    /// What is below the path, and not the path.
    below: bool,
}

/// `security.fs_allowlist`, compiled: an entry is found by its path.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Roots {
    entries: Vec<Root>,
    exact: HashMap<PathBuf, usize>,
    below: HashMap<PathBuf, usize>,
    base: Option<PathBuf>,
    /// What is never allowed: sec0's own files.
    own: Vec<PathBuf>,
}

impl Root {
    /// Reads an entry. What is wrong is said in words that follow the key.
    pub(in crate::policy) fn parse(text: &str) -> Result<Self, String> {
        let (path, below) = match text.strip_suffix("/*") {
            Some("") => ("/", true),
            Some(path) => (path, true),
            None => (text, false),
        };
        let path = absolute(path).map_err(|fault| format!("is `{}`, {fault}", shown(text)))?;
        Ok(Self { path, below })
    }

    /// True when everything that `later` allows is allowed by this entry.
    pub(in crate::policy) fn covers(&self, later: &Self) -> bool {
        if !self.below {
            return self == later;
        }
        later.path.starts_with(&self.path) && (later.below || later.path != self.path)
    }
}

impl Roots {
    pub(in crate::policy) fn compile(entries: Vec<Root>, base: Option<PathBuf>) -> Self {
        let mut list = Self { base, ..Self::default() };
        for (index, entry) in entries.iter().enumerate() {
            list.insert(entry.below, entry.path.clone(), index);
        }
        Self { entries, ..list }
    }

    fn insert(&mut self, below: bool, path: PathBuf, index: usize) {
        let paths = if below { &mut self.below } else { &mut self.exact };
        paths.entry(path).or_insert(index);
    }

    /// The same list where an entry that leads through links also stands for where it leads now,
    /// and where these files are never allowed.
    pub(super) fn on_disk(mut self, own: &[PathBuf], disk: &dyn Disk) -> Self {
        for (index, entry) in self.entries.clone().into_iter().enumerate() {
            // An entry that cannot be followed stands for itself alone.
            if let Ok(path) = follow(&entry.path, disk) {
                self.insert(entry.below, path, index);
            }
        }
        for path in own {
            self.own.push(path.clone());
            if let Ok(path) = follow(path, disk) {
                self.own.push(path);
            }
        }
        self
    }

    pub(in crate::policy) fn entries(&self) -> &[Root] {
        &self.entries
    }

    /// The first entry that allows this path.
    pub(super) fn judge(&self, text: &str, disk: &dyn Disk) -> Result<usize, Fault> {
        let spelling = Spelling::read(text, self.base.as_deref())?;
        if self.is_own(&spelling.plain) {
            return Err(Fault::Own);
        }
        let found = self.find(&follow(&spelling.plain, disk)?)?;
        // Whoever opens the path goes up from where a link leads.
        if let Some(climbing) = &spelling.climbing {
            self.find(&follow(climbing, disk)?)?;
        }
        Ok(found)
    }

    fn find(&self, path: &Path) -> Result<usize, Fault> {
        if self.is_own(path) {
            return Err(Fault::Own);
        }
        let below = path.ancestors().skip(1).filter_map(|above| self.below.get(above));
        below.chain(self.exact.get(path)).min().copied().ok_or(Fault::Outside)
    }

    fn is_own(&self, path: &Path) -> bool {
        self.own.iter().any(|own| path.starts_with(own))
    }
}
