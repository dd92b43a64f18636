use super::error::LockError;
use crate::digest::Digest;
use std::fs::File;
use std::io;
use std::path::Path;

/// SHA-256 of the executable that runs now. Where the system tells it, this is the file that was
/// started, also when another one lies in its place by now.
///
/// # Errors
///
/// The executable cannot be found or read.
pub fn digest_of_this_program() -> Result<Digest, LockError> {
    let running = Path::new("/proc/self/exe");
    let path = match running.try_exists() {
        Ok(true) => Ok(running.to_owned()),
        Ok(false) | Err(_) => std::env::current_exe(),
    };
    let path = path.map_err(|cause| LockError::Binary { file: "of this program".into(), cause })?;
    digest_of_file(&path)
}

/// SHA-256 of a file, such as the executable of a server.
///
/// # Errors
///
/// The file cannot be read, or is none.
pub fn digest_of_file(path: &Path) -> Result<Digest, LockError> {
    let digest = File::open(path).and_then(|file| {
        if file.metadata()?.is_file() {
            Digest::of_reader(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
        }
    });
    digest.map_err(|cause| LockError::Binary { file: path.display().to_string().into(), cause })
}
