//! A run drawn by cause: which records belong to it, and which of them follows from which.
//!
//! The lines are read as they stand: whether a log holds is the affair of [`super::verify`]. What they
//! claim decides nothing here but where a record is drawn, and no log, whatever is in it, makes this
//! endless: lines, texts and the number of records are bounded, and nothing is recursive.

mod record; // What a line says of one call.
mod forest; // Which record hangs below which.
mod gather; // The lines of one run, out of directories.

#[cfg(test)]
mod tests;

pub use forest::{RunLink, RunNode};
pub use gather::RunTree;
pub use record::{LinePlace, LineSigned, RunRecord};
