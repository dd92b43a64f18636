use super::contents::Lock;
use super::error::LockError;
use super::hidden::visible;
use super::text::depth;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

pub(super) fn file(lock: &Lock, path: &Path) -> Result<(), LockError> {
    if let Some(tool) = lock.tools.iter().find(|tool| depth(&tool.definition) > Lock::MAX_DEPTH) {
        return Err(LockError::TooDeep { tool: visible(&tool.name).into() });
    }
    let name = || path.display().to_string().into();
    let text = lock.to_string();
    if text.len() > Lock::MAX_LEN {
        return Err(LockError::TooLarge { file: name() });
    }
    replace(path, text.as_bytes()).map_err(|cause| LockError::NotWritten { file: name(), cause })
}

/// Puts a file with these bytes in the place of `path`.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link stays one: what it leads to is replaced.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    let draft = directory.join(format!(".sec0-lock-{:016x}", u64::from_be_bytes(nonce)));
    let written = fill(&draft, bytes).and_then(|()| std::fs::rename(&draft, &target));
    if written.is_err() {
        // The first error is the one that counts.
        match std::fs::remove_file(&draft) {
            Ok(()) | Err(_) => {}
        }
        return written;
    }
    File::open(&directory)?.sync_all()
}

fn fill(draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()
}
