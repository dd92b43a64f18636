//! Who calls, and what a caller says of itself.
//!
//! A claim is text from outside: it is bounded, normalised, recorded as claimed, and nothing is
//! granted or counted on it. A principal is what calls are counted on.

mod claims;
mod principal;
mod traceparent;

pub use claims::{ClaimName, Claimant, claims};
pub use principal::{Origin, Principal};
pub use traceparent::parse_traceparent;
