//! Canonical JSON: one value, one text (RFC 8785, the JSON Canonicalization Scheme).
//!
//! Digests and signatures are taken over this form, so two programs that hold the same value
//! arrive at the same bytes. The writer is a [`serde::Serializer`]: maps, structs and
//! [`serde_json::Value`] all come out canonical, without a copy as a tree in between.
//!
//! - Members are sorted by the UTF-16 code units of their names. They are written as they come;
//!   only objects that came out of order are put right, all of them in one pass at the end.
//! - Every number is an IEEE 754 double, written as ECMAScript writes it. An integer beyond 2^53
//!   therefore loses digits, as RFC 8785 section 3.2.2.3 says: carry such values as strings.
//! - What has no canonical form is an error: NaN, infinities, a name that occurs twice.
//! - `serde_json` numbers of any precision are read as the nearest double; raw JSON texts are
//!   refused.
//!
//! The TypeScript original writes members whose names look like array indices first, in numeric
//! order. RFC 8785 does not, and neither does this module; for all other objects both agree.

mod compound;
mod key;
mod limits;
mod number;
mod order;
mod text;
mod write;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use number::is_canonical_number;
pub(crate) use order::Name;
pub(crate) use text::escape;

pub use limits::{CanonicalError, Limits};
pub use write::{Measured, append, fingerprint, measure, to_vec};
