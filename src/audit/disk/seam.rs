use std::fmt;
use std::io;

/// One directory of files, as the audit log needs it.
///
/// [`LocalDisk`](super::LocalDisk) is the real one. The seam is there for tests that fill a disk,
/// break it or cut its power at a chosen moment, and for storage that is no local file system.
///
/// Names are relative, with `/` between a folder and what is in it. Folders are made when a file in
/// them is. A name that comes back from [`open`](Self::open) with `create` set is durable.
///
/// # Security
///
/// No part of a name is followed if it is a link; files and folders are for the owner alone.
pub trait Disk: fmt::Debug + Send + Sync {
    /// The directory, for messages.
    fn place(&self) -> String;

    /// How often the directory was taken into possession, this time included: whoever finds a
    /// higher number there has been overtaken. 0 where nobody counts.
    fn epoch(&self) -> u64 {
        0
    }

    /// Opens a file to read and write; makes it, durably, if `create` is set.
    ///
    /// # Errors
    ///
    /// `NotFound` without `create` when there is none; whatever the storage says.
    fn open(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>>;

    /// The names in `folder`, `""` for the directory itself; none where there is no such folder.
    ///
    /// # Errors
    ///
    /// Whatever the storage says.
    fn names(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Puts `bytes` in the place of the whole file `name`: after a crash there is the old content
    /// or the new, and after success the new.
    ///
    /// # Errors
    ///
    /// Whatever the storage says; the old content is then still there, or the new.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Removes a file, durably. One that is not there is removed already.
    ///
    /// # Errors
    ///
    /// Whatever the storage says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Removes a folder if nothing is in it. What is not there, not empty or no
    /// folder stays as it is, and is no error.
    ///
    /// # Errors
    ///
    /// Whatever the storage says.
    fn remove_folder(&self, _name: &str) -> io::Result<()> {
        Ok(())
    }

    /// Sees to it that the directory is the one that its name leads to. When it was removed or
    /// moved, it is made anew.
    ///
    /// # Errors
    ///
    /// It cannot be had.
    fn hold(&self) -> io::Result<()> {
        Ok(())
    }
}

/// One open file of a [`Disk`].
pub trait DiskFile: fmt::Debug + Send {
    /// How long it is, in bytes.
    ///
    /// # Errors
    ///
    /// Whatever the storage says.
    fn length(&self) -> io::Result<u64>;

    /// Reads what is at `offset`, as [`read_at`](std::os::unix::fs::FileExt::read_at).
    ///
    /// # Errors
    ///
    /// Whatever the storage says.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at `offset`, and says how much of `bytes` was written.
    ///
    /// # Errors
    ///
    /// Whatever the storage says.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts or extends it.
    ///
    /// # Errors
    ///
    /// Whatever the storage says.
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Makes its content and length durable (`fdatasync`). After an error nobody knows what is: it
    /// has to be written again before the next sync means anything.
    ///
    /// # Errors
    ///
    /// Whatever the storage says.
    fn sync(&mut self) -> io::Result<()>;

    /// True while its name leads to it.
    ///
    /// # Errors
    ///
    /// Nobody can say.
    fn is_in_place(&self) -> io::Result<bool>;
}

impl dyn DiskFile + '_ {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// As [`write_at`](DiskFile::write_at); any part may have been written.
    pub fn write_whole_at(&mut self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    // One that says it wrote more than it was given wrote nobody knows what.
                    bytes = bytes.get(written..).ok_or(io::ErrorKind::InvalidData)?;
                    offset = offset.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads all of `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` when there is less; as [`read_at`](DiskFile::read_at).
    pub fn read_whole_at(&self, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.read_at(bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    bytes = bytes.get_mut(read..).ok_or(io::ErrorKind::InvalidData)?;
                    offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
