//! Which files a key reference may name.

use super::KeyError;
use std::path::{Component, Path, PathBuf};

/// Where keys may lie when nothing else is said, from the current directory on.
const DEFAULT: [&str; 5] = [".sec0/keys", "keys", "config/keys", ".sec0/secrets", "secrets"];

/// The path that `key_ref` names: `file://` and a path, made absolute.
pub(super) fn path_of(key_ref: &str) -> Result<PathBuf, KeyError> {
    if key_ref.is_empty() {
        return Err(KeyError::RefMissing);
    }
    let Some(path) = key_ref.strip_prefix("file://") else {
        return Err(KeyError::RefUnsupported { key_ref: key_ref.to_owned() });
    };
    match path.trim() {
        "" => Err(KeyError::PathEmpty),
        path => absolute(Path::new(path)),
    }
}

/// The variable that names the directories that key references may name, instead of the default
/// ones.
pub(crate) const DIRS: &str = "SEC0_SIGNER_KEY_DIRS";

/// The directories that the environment allows now.
pub(super) fn from_env() -> Result<Vec<PathBuf>, KeyError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the key's place is settled where the options are made: at each load"
    )]
    match std::env::var(DIRS) {
        Ok(list) => Ok(allowed(Some(&list))),
        Err(std::env::VarError::NotPresent) => Ok(allowed(None)),
        Err(std::env::VarError::NotUnicode(_)) => Err(KeyError::DirsNotText),
    }
}

/// The directories that `variable`, a list with commas, allows; without it or when it is blank, the
/// default ones.
pub(crate) fn allowed(variable: Option<&str>) -> Vec<PathBuf> {
    match variable.filter(|list| !list.trim().is_empty()) {
        Some(list) => {
            let entries = list.split(',').map(str::trim);
            entries.filter(|entry| !entry.is_empty()).map(PathBuf::from).collect()
        }
        None => DEFAULT.iter().map(PathBuf::from).collect(),
    }
}

/// The file behind `path`, links resolved, when it lies in one of `dirs`, links resolved.
///
/// A file that is not there is told from one that may not be named by what the paths say: then
/// there is nothing to be read either way.
pub(super) fn contained(path: &Path, dirs: &[PathBuf]) -> Result<PathBuf, KeyError> {
    let dirs = dirs.iter().map(|dir| absolute(dir)).collect::<Result<Vec<_>, _>>()?;
    match path.canonicalize() {
        Ok(resolved) if dirs.iter().any(|dir| holds(dir, &resolved)) => Ok(resolved),
        Err(cause) if dirs.iter().any(|dir| path.starts_with(dir)) => {
            Err(KeyError::Unreadable { path: path.to_owned(), cause })
        }
        Ok(_) | Err(_) => Err(KeyError::Outside { path: path.to_owned() }),
    }
}

/// Whole components are compared, so `keys-old` is not in `keys`, and `..x` is a name like others.
fn holds(dir: &Path, resolved: &Path) -> bool {
    dir.canonicalize().is_ok_and(|dir| resolved.starts_with(dir))
}

/// The path from the root, with `.` and `..` taken out by their letters, as Node resolves paths.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, KeyError> {
    let from_root = if path.is_absolute() {
        path.to_owned()
    } else {
        std::env::current_dir().map_err(KeyError::NoCurrentDir)?.join(path)
    };
    let mut plain = PathBuf::new();
    for component in from_root.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                plain.push(component);
            }
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_dots_by_their_letters() {
        let path = absolute(Path::new("/a/./b/../../../c/..d/")).unwrap();
        assert_eq!(path, Path::new("/c/..d"));
        let here = std::env::current_dir().unwrap();
        assert_eq!(path_of("file:// ./keys/x.key ").unwrap(), here.join("keys/x.key"));
    }

    #[test]
    fn replaces_the_default_directories_by_a_list_that_is_not_blank() {
        assert_eq!(allowed(Some(" a , /b ,,")), [PathBuf::from("a"), PathBuf::from("/b")]);
        assert!(allowed(Some(" , ")).is_empty());
        for blank in [None, Some(""), Some("  ")] {
            assert_eq!(allowed(blank).len(), 5);
        }
    }
}
