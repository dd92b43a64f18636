//! The directory as the log needs it: what may fail, hang or be lost in a crash goes through here.

mod local;
mod look;
mod seam;

pub use local::LocalDisk;
pub use seam::{Disk, DiskFile};
