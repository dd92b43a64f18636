//! Who calls, and what a caller says of itself.
//!
//! A claim is text from outside: it is bounded, normalised, recorded as claimed, and nothing is
//! granted or counted on it. A principal is what calls are counted on: the caller whom the
//! program's own authentication has verified ([`VerifiedPrincipal`]), the local user, or a bucket
//! for all whom nobody verified.

mod printable;
mod json;
mod verified;
mod principal;
mod traceparent;
pub mod agent_state;
mod auth_context;
mod carriage;
mod claim;
mod claims;

#[cfg(test)]
mod tests;

pub use carriage::Carriage;
pub use claim::{ClaimName, Claimant, Said};
pub use claims::{Detail, claims, sent_idempotency_key};
pub use principal::{Origin, Principal};
pub use traceparent::{Traceparent, parse_traceparent, read_traceparent};
pub use verified::{PrincipalError, VerifiedPrincipal};
