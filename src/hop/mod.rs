//! Hops: functions of a program that run behind the same steps as a tool call.
//!
//! [`Sec0App`] is a configuration at work. `app.hop("OrderAgent.run")?.run(input, |hop| async { … })`
//! runs a body if the policy lets it, and records it, whatever becomes of it; the attribute
//! `#[sec0::hop]` (feature `hops`) does the same to a function, [`HopLayer`] to a tower service.
//! There is no second pipeline: a hop is a call, and [`crate::stack`] is its way.
//!
//! Which hop runs is known from the task: [`HopContext::current`]. What a hop calls is linked to it by
//! its run and its cause; a task that is spawned takes the context along with
//! [`HopContext::scope`], another process with [`HopContext::headers`].

mod context; // What a running hop knows.
mod door; // The hop's own part of a call.
mod run; // Under which run hops are called.
mod handover; // The body waits for the stack, and the stack for the body.
mod error; // Why an app cannot start.
mod options; // What a program may set.
mod running; // A hop behind its steps.
mod app; // The configuration at work.
mod waiting; // Waits in code that is not async.
mod drive; // Runs a body behind the steps.
mod handle; // One hop, to be run.
mod invoke; // A hop by its name, here or elsewhere.
mod transport; // Hops of other processes.
mod layer; // Any tower service as a hop.
#[doc(hidden)]
pub mod by_macro; // What the attributes expand to.
#[doc(hidden)]
pub mod bounds; // What they need, in words of hops.

pub use app::Sec0App;
pub use context::HopContext;
pub use error::AppError;
pub use handle::HopHandle;
pub use invoke::InvokeError;
pub use layer::{HopLayer, HopService};
pub use options::AppOptions;
pub use run::Run;
pub use transport::{Answering, HopTransport, MAX_BODY, RemoteCall, RemoteReply};
