use super::day::Day;
use super::disk::Disk;
use super::stream::Stream;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Where the lines go: a directory of day files, memory, or something of your own.
///
/// The writer's thread owns it and calls it from there only, so a slow sink delays records and,
/// once the backlog is full, the admission of calls; it never delays a reply.
pub trait AuditSink: fmt::Debug + Send {
    /// Finds where the log ends, and cuts off what a crash left of an unfinished line. Called
    /// once, before the first [`append`](Self::append). `None` for a log that has no file yet.
    ///
    /// # Errors
    ///
    /// The end of the log cannot be read or mended; the log then does not open.
    fn tail(&mut self) -> io::Result<Option<Tail>>;

    /// Appends `lines`, each with its line end, to the file of `day`: all of them or nothing.
    /// `day` never goes back. After an error the same lines come again.
    ///
    /// # Errors
    ///
    /// Nothing of `lines` was kept. Calls are refused until an append succeeds.
    fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()>;

    /// Makes all that was appended durable. Called when the log is shut down.
    ///
    /// # Errors
    ///
    /// What was appended may not survive a loss of power.
    fn sync(&mut self) -> io::Result<()>;

    /// The disk on which intents and checkpoints have their place beside the lines; `None` where
    /// there is none. Without it only the audit mode `batch` works.
    fn disk(&self) -> Option<(Arc<dyn Disk>, Stream)> {
        None
    }

    /// The place of the last line, for a message: a file and a line number where there are any.
    fn last_place(&mut self) -> String {
        "the last line of the log".to_owned()
    }
}

/// Where a log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a sink of somebody else's makes it")]
pub struct Tail {
    /// The newest day that has a file; nothing is written to an earlier one.
    pub day: Day,
    /// The last complete line, without its line end; `None` where no file has one.
    pub line: Option<Vec<u8>>,
    /// What was cut off.
    pub cuts: Vec<Cut>,
}

/// What was cut off the end of a file: a line that a crash left unfinished.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a sink of somebody else's makes it")]
pub struct Cut {
    /// The file, by its name.
    pub file: String,
    /// How many bytes were cut off.
    pub bytes: u64,
}

/// A sink that was chosen while the program runs.
impl<S: AuditSink + ?Sized> AuditSink for Box<S> {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        (**self).tail()
    }

    fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()> {
        (**self).append(day, lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        (**self).sync()
    }

    fn disk(&self) -> Option<(Arc<dyn Disk>, Stream)> {
        (**self).disk()
    }

    fn last_place(&mut self) -> String {
        (**self).last_place()
    }
}
