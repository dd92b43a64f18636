//! When a tool that fails, or is slow, is left alone for a while.

mod circuit;
mod circuits;
mod window;

pub use circuit::{Passage, Probe};
pub use circuits::Circuits;
pub use window::Sample;

#[cfg(test)]
mod tests;
