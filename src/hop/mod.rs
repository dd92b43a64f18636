//! Functions of a program that run under the same steps as tool calls.

mod app;
#[doc(hidden)]
pub mod bounds;
#[doc(hidden)]
pub mod by_macro;

pub use app::Sec0App;
