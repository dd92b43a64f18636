//! The audit log: one signed, chained line for every call, in one file a day.
//!
//! [`Log`] is the way in: a call is admitted before it runs and its record is pushed when it ends;
//! a thread of its own serialises, chains, signs and writes. [`verify_dir`] is the way back.
//! `docs/audit.md` has the line field by field, and what to do when something fails.

// A line.
mod day;
mod json;
mod stream;

mod chain;
mod envelope;
mod lapse;
mod listed;
mod event;

// Where its threads meet.
mod sync;

// Reading it back.
mod fault;
mod recipe;

mod read;
mod scan;
mod verify;
mod tree;

// Where lines go.
mod error;

mod disk;
mod sink;

mod tape;

mod file;
mod memory;

// The way there.
mod behind;
mod sync_watch;
mod journal;
mod leftovers;
mod ledger;
mod options;
mod queue;
mod past;
mod signing;

// Beside it, and what goes again.
mod side_file;

mod agents;
mod raw;

mod aside;
mod retention;

mod writer;

mod log;

#[cfg(test)]
mod tests;

pub use aside::LeftOut;
pub use day::Day;
pub use disk::{Disk, DiskFile, LocalDisk};
pub use envelope::{Program, Site};
pub use error::{OpenError, ShutdownError};
pub use event::{Event, PolicyReload};
pub use fault::{CheckpointFault, Fault, VerifyError};
pub use file::FileSink;
pub use lapse::Lapse;
pub use listed::Listed;
pub use log::{Admit, Durable, Log, NotDurable, Refused};
pub use memory::MemorySink;
pub use options::LogOptions;
pub use queue::{Health, Slot};
pub use raw::{Capture, Direction, RawContext, RawPayloads};
pub use sink::{AuditSink, Cut, Tail};
pub use stream::{BadWriterId, Stream};
pub use sync_watch::{SyncWatch, SyncedFile};
pub use tree::{LinePlace, LineSigned, RunLink, RunNode, RunRecord, RunTree};
pub use verify::{
    ApprovalCheck, ProveError, Proven, Totals, Verifier, prove, verify_dir, verify_line,
};

/// The most bytes of one line, without its line end: a longer one is no record.
pub const MAX_LINE: usize = 1024 * 1024;
