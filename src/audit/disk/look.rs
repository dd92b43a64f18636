//! What is asked of a file before each write.
//!
//! Nobody asks for its times. A Linux that was asked when a file changed stamps the next write in
//! finer grain, and ext4 without a journal then syncs the inode with the data: one more block for
//! each sync of the log, and 40 % more time.

#[cfg(not(target_os = "linux"))]
pub(super) use by_metadata::{is_at, length};
#[cfg(target_os = "linux")]
pub(super) use by_statx::{is_at, length};

#[cfg(target_os = "linux")]
mod by_statx {
    use rustix::fs::{AtFlags, CWD, Statx, StatxFlags, statx};
    use rustix::io::Errno;
    use std::fs::File;
    use std::io;
    use std::path::Path;

    /// True when `path` leads to this file.
    pub(in crate::audit::disk) fn is_at(path: &Path, file: &File) -> io::Result<bool> {
        let asked = StatxFlags::INO;
        let here = statx(file, "", AtFlags::EMPTY_PATH, asked)?;
        match statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, asked) {
            Ok(there) => Ok(identity(&there) == identity(&here)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(in crate::audit::disk) fn length(file: &File) -> io::Result<u64> {
        Ok(statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::SIZE)?.stx_size)
    }

    fn identity(of: &Statx) -> (u32, u32, u64) {
        (of.stx_dev_major, of.stx_dev_minor, of.stx_ino)
    }
}

#[cfg(not(target_os = "linux"))]
mod by_metadata {
    use std::fs::{File, Metadata, symlink_metadata};
    use std::io;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    /// True when `path` leads to this file.
    pub(in crate::audit::disk) fn is_at(path: &Path, file: &File) -> io::Result<bool> {
        let here = file.metadata()?;
        match symlink_metadata(path) {
            Ok(there) => Ok(identity(&there) == identity(&here)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(in crate::audit::disk) fn length(file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn identity(of: &Metadata) -> (u64, u64) {
        (of.dev(), of.ino())
    }
}
