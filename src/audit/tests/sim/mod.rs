//! A disk in memory that breaks at a chosen moment, and what the log keeps on it.
//!
//! [`SimDisk`] knows what is durable and what only the page cache has. A plan says at which
//! operation the power is cut, or what fails; [`SimDisk::after_crash`] is what the next start
//! finds, and [`check`] holds it against the promises of the log.

mod image;
mod plan;

mod disk;

mod check;

mod script;

mod crashes;
mod days;
mod faults;
mod intents;

pub(super) use check::check;
pub(in crate::audit) use disk::SimDisk;
pub(super) use image::Survival;
pub(super) use plan::{Fault, Gate, Op};
