use super::contents::Lock;
use std::io;
use std::sync::Arc;

/// Why there is no lock to compare with, or none was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// There is no such file.
    #[error(
        "lock file `{file}` is missing; look at the server's tools and write it with `sec0 tools \
         lock`, or take `registry.lock` out of the policy"
    )]
    Missing {
        /// The file.
        file: Box<str>,
    },
    /// It cannot be read.
    #[error("lock file `{file}` cannot be read: {cause}; check the path and who may read it")]
    Unreadable {
        /// The file.
        file: Box<str>,
        /// Why.
        cause: io::Error,
    },
    /// It is larger than the bound.
    #[error("lock file `{file}` is larger than {max} bytes; write it anew", max = Lock::MAX_LEN)]
    TooLarge {
        /// The file.
        file: Box<str>,
    },
    /// It is no lock file.
    #[error("{file}:{line}:{column}: this is no lock file: {why}; write it anew")]
    Malformed {
        /// The file.
        file: Box<str>,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        why: Box<str>,
    },
    /// What it says of a tool cannot be.
    #[error("{file}: `tools[{index}]` {why}; write the lock file anew")]
    Tool {
        /// The file.
        file: Box<str>,
        /// Which tool, from 0.
        index: usize,
        /// What is wrong.
        why: Box<str>,
    },
    /// It is of another version of the format.
    #[error("lock file `{file}` has format {found}, and this version reads format {reads}; write it anew", reads = Lock::FORMAT)]
    Format {
        /// The file.
        file: Box<str>,
        /// The version that it has.
        found: u64,
    },
    /// A definition that could not be read back.
    #[error(
        "tool `{tool}` cannot be locked: its definition is nested deeper than {max} levels; make it \
         flatter", max = Lock::MAX_DEPTH
    )]
    TooDeep {
        /// The tool.
        tool: Box<str>,
    },
    /// No tools were seen so far.
    #[error(
        "there is nothing to lock yet: the tools are frozen when the server is wrapped, or at its \
         first request about tools"
    )]
    NothingFrozen,
    /// The executable cannot be read.
    #[error("the executable `{file}` cannot be read: {cause}; lock the server without it")]
    Binary {
        /// The file.
        file: Box<str>,
        /// Why.
        cause: io::Error,
    },
    /// It cannot be written.
    #[error(
        "lock file `{file}` cannot be written: {cause}; check the directory and its free space"
    )]
    NotWritten {
        /// The file.
        file: Box<str>,
        /// Why.
        cause: io::Error,
    },
}

/// The server is not the one in its lock file, and the policy requires that it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`registry.lock: require` refuses this server: {why}; if that is meant, look at `sec0 tools \
     diff` and write the lock file anew"
)]
pub struct LockRefused {
    why: Arc<str>,
}

impl LockRefused {
    /// Refused, because of this.
    pub fn new(why: &str) -> Self {
        Self { why: why.into() }
    }
}
