//! Where the arguments of a call lead: `security.egress_allowlist` and `security.fs_allowlist`.
//!
//! `find` says which arguments are URLs and paths, by the tool's schema, the policy, and their
//! names. `url` and `egress` judge the one, `spelling`, `disk` and `roots` the other; only `disk`
//! looks at anything outside of its arguments. `look` puts them together.

mod disk;
mod egress;
mod fault;
mod find;
mod look;
mod name;
mod own;
mod pointer;
mod roots;
mod spelling;
mod url;

pub use disk::{Disk, LocalDisk, NoDisk, Seen};
pub(super) use egress::{Egress, EgressEntry};
pub use look::Places;
pub(super) use look::Scope;
pub(super) use pointer::Pointer;
pub(super) use roots::{Root, Roots};
pub(super) use spelling::base;

#[cfg(test)]
mod tests;
