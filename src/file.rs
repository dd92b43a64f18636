//! Files that somebody else has written.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Reads a regular file: all of it, or one byte more than `most` where it is larger than that, which
/// is enough to see that it is too large, even of an endless one. Links are followed, as
/// configuration is often mounted so.
///
/// # Errors
///
/// The file cannot be opened or read, or is not a regular one.
pub fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    // Without NONBLOCK the open itself waits for a writer where the path is a pipe.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
