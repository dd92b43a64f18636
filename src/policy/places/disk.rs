use super::fault::Fault;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "following links depends on every kind")]
pub enum Seen {
    /// Nothing, or a part before it is no directory.
    Missing,
    /// A symbolic link with this text.
    Link(PathBuf),
    /// Something that is no link.
    Other,
}

/// What a check of paths may look at: one name at a time, and only whether it is a link.
pub trait Disk: fmt::Debug + Send + Sync {
    /// What lies at this absolute path, whose parents are no links.
    ///
    /// # Errors
    ///
    /// It cannot be said; the path then counts as one that is not allowed.
    fn see(&self, path: &Path) -> io::Result<Seen>;
}

/// The disk of this machine, as this process sees it.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is one disk, and nothing to set")]
pub struct LocalDisk;

/// No disk: paths are compared by their letters alone.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to set")]
pub struct NoDisk;

impl Disk for LocalDisk {
    fn see(&self, path: &Path) -> io::Result<Seen> {
        match path.symlink_metadata() {
            Ok(found) if found.is_symlink() => path.read_link().map(Seen::Link),
            Ok(_) => Ok(Seen::Other),
            Err(error) if is_nothing(error.kind()) => Ok(Seen::Missing),
            Err(error) => Err(error),
        }
    }
}

impl Disk for NoDisk {
    fn see(&self, _: &Path) -> io::Result<Seen> {
        Ok(Seen::Missing)
    }
}

/// A disk that is looked at so often and no more: what is asked behind that cannot be said.
#[derive(Debug)]
pub(super) struct Rationed<'d> {
    disk: &'d dyn Disk,
    left: AtomicUsize,
}

impl<'d> Rationed<'d> {
    /// The most names that are looked up for one call. Each costs its thread a call of the system.
    pub(super) const MOST: usize = 65_536;

    pub(super) fn new(disk: &'d dyn Disk) -> Self {
        Self { disk, left: AtomicUsize::new(Self::MOST) }
    }
}

impl Disk for Rationed<'_> {
    fn see(&self, path: &Path) -> io::Result<Seen> {
        let take = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => self.disk.see(path),
            Err(_) => Err(io::ErrorKind::QuotaExceeded.into()),
        }
    }
}

fn is_nothing(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The most links on one way, as in Linux.
const MOST_LINKS: usize = 40;

/// Where an absolute path leads: links are followed as far as it exists, and what does not exist is
/// left as it is.
pub(super) fn follow(path: &Path, disk: &dyn Disk) -> Result<PathBuf, Fault> {
    let mut ahead = VecDeque::new();
    put(&mut ahead, path);
    let mut reached = PathBuf::from("/");
    let (mut links, mut missing) = (0_usize, 0_usize);
    while let Some(step) = ahead.pop_front() {
        let Step::Into(name) = step else {
            // Where nothing is there is nothing to go up from; the part is taken away by its name.
            reached.pop();
            missing = missing.saturating_sub(1);
            continue;
        };
        reached.push(name);
        if missing > 0 {
            missing = missing.saturating_add(1);
            continue;
        }
        match disk.see(&reached).map_err(|error| fault(&error))? {
            Seen::Missing => missing = 1,
            Seen::Other => {}
            Seen::Link(target) => {
                links = links.saturating_add(1);
                if links > MOST_LINKS {
                    return Err(Fault::Links);
                }
                if target.is_absolute() {
                    reached = PathBuf::from("/");
                } else {
                    reached.pop();
                }
                put(&mut ahead, &target);
            }
        }
    }
    Ok(reached)
}

fn fault(error: &io::Error) -> Fault {
    if error.kind() == io::ErrorKind::QuotaExceeded { Fault::TooMany } else { Fault::Unreadable }
}

enum Step {
    Up,
    Into(OsString),
}

/// Puts the parts of `path` in front of what is still ahead.
fn put(ahead: &mut VecDeque<Step>, path: &Path) {
    for part in path.components().rev() {
        match part {
            Component::Normal(name) => ahead.push_front(Step::Into(name.to_owned())),
            Component::ParentDir => ahead.push_front(Step::Up),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
}
