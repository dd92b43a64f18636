use super::super::compiled::Policy;
use std::path::{Path, PathBuf, absolute};

/// The lock file of tool definitions, beside the policy.
const LOCK: &str = "sec0.lock";

/// sec0's own files.
impl Policy {
    /// The files that this policy is read from or names, as absolute paths: the policy itself, the
    /// lock file beside it, and the keys. With the audit directory they are what
    /// [`on_disk`](Self::on_disk) keeps calls away from.
    pub fn own_files(&self) -> Vec<PathBuf> {
        let policy = PathBuf::from(self.file());
        let mut own = vec![policy.with_file_name(LOCK), policy];
        for key_ref in [self.key_ref(), self.digest_key_ref()].into_iter().flatten() {
            let key = PathBuf::from(key_ref.strip_prefix("file://").unwrap_or(key_ref));
            own.push(key.with_extension("pub"));
            own.push(key);
        }
        own.iter().map(|path| in_full(path)).collect()
    }
}

/// Where there is no current directory, nothing relative can be opened, ours neither.
fn in_full(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_error| path.to_owned())
}
