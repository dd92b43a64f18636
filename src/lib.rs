#![doc = include_str!("../README.md")]
//!
//! # The modules, by floor
//!
//! A module uses only modules of lower floors.
#![cfg_attr(docsrs, feature(doc_cfg))]

// Floor 0: values.
pub mod call; // A call and its words.
pub mod clock; // Time as a parameter.
pub mod secret; // What is never printed.

// Floor 1: bytes.
pub mod canonical; // One value, one text (RFC 8785).
pub mod digest; // SHA-256 of exact bytes, with and without a key.
pub mod file; // Files that somebody else has written.
pub mod sign; // Who signs the records.
pub mod tlog; // One root for all records, and proofs that lead to it.

// Floor 2: domains.
pub mod approval; // A human decides on exactly this call.
pub mod audit; // One signed, chained line per call.
pub mod dedupe; // What becomes of a repeated idempotency key.
pub mod identity; // Who calls, and what a caller says of itself.
pub mod limit; // How large, how long.
pub mod policy; // What may be called.
pub mod registry; // Which tools there are, and whether they still are.

// Floor 3: glue to other people's types.
pub mod mcp; // rmcp in and out.
pub mod otel; // Where telemetry is to go.
#[cfg(feature = "sqlite")]
pub mod store; // Where what must outlive a process is kept.

// Floor 4: the call's way.
pub mod stack; // One tower layer per step.

// Floor 5: what was written, then what is resolved.
pub mod config; // One file for a program with hops.

// Floor 6: whole products over the stack.
pub mod hop; // Functions of a program behind the same steps.

// The paved path.
pub use approval::{EscalationManager, EscalationReporter, EscalationResolver};
pub use audit::AuditSink;
pub use call::{AuditMode, LineSigning, Refusal};
pub use hop::{HopLayer, Sec0App};
pub use mcp::{MapRegistry, ServerHandlerExt, ToolRouterExt};
pub use policy::Policy;
#[cfg(feature = "hops")]
#[doc = include_str!("hop/hop.md")]
pub use sec0_macros::hop;
#[cfg(feature = "hops")]
#[doc = include_str!("hop/hops.md")]
pub use sec0_macros::hops;
pub use sign::{LocalDevSigner, Signer};
pub use stack::{Sec0Options, Sec0SecurityLayer};
