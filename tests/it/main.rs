#![cfg(test)]
#![expect(
    clippy::cognitive_complexity,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    clippy::unnecessary_wraps,
    reason = "a test tells one story from top to bottom"
)]
//! Whole calls through the layer, from the outside: what a caller gets, whether the handler ran,
//! and what the log says of it.

mod drive;
mod faults;
mod support;

mod bounds;
mod by_hand;
mod docs;
mod everything;
mod fail_closed;
mod held;
mod layers;
mod naming;
mod panics;
mod passthrough;
mod property;
mod reasons;
mod records;
mod transport;
mod wire;
