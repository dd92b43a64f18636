use rustix::fs::{Access, access};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What is wrong with a directory that is to be written into, and the fix. One that is not there is
/// made at the first start, when that can be done. The path is not repeated: it may have a value of the
/// environment, and the check has it as it is written.
pub(super) fn writable(path: &Path) -> Result<(), (String, String)> {
    let other = || "name another directory, or take the file away".to_owned();
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_symlink() => {
            let cause = "it is a link, and records are not written through links";
            Err((cause.to_owned(), "name the directory itself".to_owned()))
        }
        Ok(meta) if !meta.is_dir() => Err(("it is not a directory".to_owned(), other())),
        Ok(meta) => own(&meta).and_then(|()| allowed(path, "it")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match path.parent() {
            Some(parent) => above(parent),
            None => Ok(()),
        },
        Err(error) => Err((format!("it cannot be looked at: {error}"), other())),
    }
}

/// The nearest directory that is there.
fn above(path: &Path) -> Result<(), (String, String)> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => allowed(path, "it cannot be made: the directory above"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), above)
        }
        Ok(_) => {
            let cause = "it cannot be made: what stands above it is not a directory";
            Err((cause.to_owned(), "name another directory".to_owned()))
        }
        Err(error) => {
            let cause = format!("it cannot be made: {error}");
            Err((cause, "name another directory".to_owned()))
        }
    }
}

fn own(meta: &Metadata) -> Result<(), (String, String)> {
    if meta.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let cause = "it belongs to another user".to_owned();
    Err((cause, "name a directory of your own, or run `chown` on this one".to_owned()))
}

fn allowed(path: &Path, what: &str) -> Result<(), (String, String)> {
    access(path, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        (
            format!("{what} cannot be written into: {error}"),
            "give this user write access, or name another directory".to_owned(),
        )
    })
}
