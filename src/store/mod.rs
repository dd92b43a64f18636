//! Where what must outlive a process is kept.

pub mod sqlite;
