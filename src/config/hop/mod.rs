//! The hops of a configuration: functions of a program, each under the name of its class and method.
//!
//! `read` holds each against the keys of its type; `settled` is what is left of it for a program.

mod automation;
mod enforcement;
mod error;
mod kind;
mod read;
mod settled;

pub use automation::{Automated, Automation};
pub use enforcement::{HopEnforcement, PolicyLevel, Strategy};
pub use error::HopError;
pub use kind::HopType;
pub use settled::Hop;

pub(super) use read::{Around, WrittenHop, read, take};
