//! The call's way: one tower layer per step, in the order in which a call passes them.
//!
//! ```text
//!  Call ─ trace ─ record ─┬─ settle ─ identify ─┬─ limit ─ verify ─┬─ authorize ─┬─ approve ─┬─ reserve ─┬─ invoke ─ handler
//!                      Entered              Identified          Intact        Judged     Permitted    Reserved
//! ```
//!
//! The request's type changes where a step adds something that later steps rely on. Each type has
//! private fields and is made in the file of its step alone, so a stack in another order, or with
//! a step left out, does not compile:
//!
//! ```
//! # use sec0::{call::*, identity::Claimant, registry::Sighted, stack::Steps};
//! # use std::convert::Infallible;
//! use tower::{Service, ServiceBuilder};
//! fn stack<H, X, R>(steps: &Steps, handler: H) -> impl Service<Call<X>>
//! where
//!     H: Service<Cleared<X>, Response = R, Error = Infallible> + Clone,
//!     X: Claimant + Sighted,
//!     R: Reply,
//! {
//!     ServiceBuilder::new()
//!         .layer(steps.trace())
//!         .layer(steps.record())
//!         .layer(steps.settle())
//!         .layer(steps.identify())
//!         .layer(steps.limit())
//!         .layer(steps.verify())
//!         .layer(steps.authorize())
//!         .layer(steps.approve())
//!         .layer(steps.reserve())
//!         .layer(steps.invoke())
//!         .service(handler)
//! }
//! ```
//!
//! ```compile_fail,E0277
//! # use sec0::{call::*, identity::Claimant, registry::Sighted, stack::Steps};
//! # use std::convert::Infallible;
//! use tower::{Service, ServiceBuilder};
//! fn stack<H, X, R>(steps: &Steps, handler: H) -> impl Service<Call<X>>
//! where
//!     H: Service<Cleared<X>, Response = R, Error = Infallible> + Clone,
//!     X: Claimant + Sighted,
//!     R: Reply,
//! {
//!     ServiceBuilder::new()
//!         .layer(steps.trace())
//!         .layer(steps.record())
//!         .layer(steps.settle())
//!         .layer(steps.identify())
//!         .layer(steps.limit())
//!         .layer(steps.authorize()) // nothing says yet that the tool is the frozen one
//!         .layer(steps.verify())
//!         .layer(steps.approve())
//!         .layer(steps.reserve())
//!         .layer(steps.invoke())
//!         .service(handler)
//! }
//! ```
//!
//! Nor can a handler be reached with less than [`Reserved`]:
//!
//! ```compile_fail,E0277
//! # use sec0::{call::*, identity::Claimant, registry::Sighted, stack::Steps};
//! # use std::convert::Infallible;
//! use tower::{Layer, Service};
//! fn shortcut<H, X, R>(steps: &Steps, handler: H) -> impl Service<Call<X>>
//! where
//!     H: Service<Cleared<X>, Response = R, Error = Infallible> + Clone,
//!     X: Claimant + Sighted,
//!     R: Reply,
//! {
//!     steps.invoke().layer(handler)
//! }
//! ```
//!
//! [`Limit`] changes no type; a test holds that it is in its place.

mod shared; // The state that the steps share.
mod step; // The shape that they share.
mod future; // The future that they share.
mod guard; // The certainty of a record, held from entry to end.
mod options; // What an author may set.
mod trace; // Opens the span, closes it with the outcome.
mod record; // Exactly one record per call.
mod settle; // Every fault below becomes an answer.
mod identify; // Who calls.
mod limit; // How large, how long.
mod verify; // The tool is the tool that was frozen.
mod authorize; // What the policy says.
// inspect: the arguments on the way in, the result on the way out.
// dedupe: a repeated key gets its stored result.
mod approve; // What a human says.
mod reserve; // The intent is recorded.
mod invoke; // The handler runs.
mod layer; // All of them, as one layer.

pub use approve::{Approve, ApproveLayer, Permitted};
pub use authorize::{Authorize, AuthorizeLayer, Judged};
pub use future::StepFuture;
pub use identify::{Identified, Identify, IdentifyLayer};
pub use invoke::{Invoke, InvokeFuture, InvokeLayer};
pub use layer::{Sec0SecurityLayer, Secured, Steps};
pub use limit::{Limit, LimitFuture, LimitLayer};
pub use options::{Sec0Options, StartError};
pub use record::{Entered, Record, RecordFuture, RecordLayer};
pub use reserve::{Reserve, ReserveLayer, Reserved};
pub use settle::{Settle, SettleFuture, SettleLayer};
pub use trace::{Trace, TraceFuture, TraceLayer};
pub use verify::{Intact, Verify, VerifyLayer};
