//! Payloads as they are, where that is asked for: beside the log, unsigned, and no evidence.

mod capture;
mod line;
mod options;

#[cfg(test)]
mod tests;

pub use capture::Capture;
pub(super) use line::write_payload;
pub use options::{Direction, RawContext, RawPayloads};
