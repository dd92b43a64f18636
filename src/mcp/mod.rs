//! rmcp in and out: the only folder that names that crate.
//!
//! [`ToolRouterExt::serving`] takes a server's routes; [`ToolService::layer`] puts a layer such as
//! [`Sec0SecurityLayer`](crate::stack::Sec0SecurityLayer) on them and gives back a
//! `ServerHandler`. [`ServerHandlerExt::layer`] does so with any server, as a whole. Everything that
//! is not about tools passes through it untouched.

mod by_name;
mod caller;
mod claims;
mod definition;
mod detached;
mod handler;
mod held;
mod layered;
mod listing;
mod mock;
mod reply;
mod request;
mod round;
mod routes;
mod service;
mod session;
mod user;
mod whole;

pub use detached::detached_context;
pub use held::HeldRouter;
pub use layered::Layered;
pub use listing::{ListingError, read_tools};
pub use mock::{MapRegistry, MockCall, MockServer};
pub use reply::{Body, DEDUPE_META, DENIAL_META, DENIED, REGISTRY_FROZEN, TRACE_META, ToolReply};
pub use request::ToolRequest;
pub use service::{ServerHandlerExt, ToolRouterExt, ToolService};
