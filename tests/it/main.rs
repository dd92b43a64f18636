#![cfg(test)]
#![expect(
    clippy::cognitive_complexity,
    clippy::wildcard_enum_match_arm,
    reason = "a test tells one story from top to bottom"
)]
//! Whole calls through the layer, from the outside: what a caller gets, whether the handler ran,
//! and what the log says of it.

#[path = "../../examples/demo/mod.rs"]
mod demo;
mod drive;
mod everything;
mod faults;
mod plugins;
mod support;
mod tools;

mod approval_attacks;
mod approval_token;
mod approvals;
mod approvals_damaged;
mod approvals_killed;
mod approving;
mod arguments;
mod asking;
mod bounds;
mod by_hand;
mod claims;
mod connected;
mod dedupe;
mod digests;
mod docs;
mod durable;
mod effects;
mod eliciting;
mod expose;
mod fail_closed;
mod frozen;
mod held;
mod holding;
mod hops;
mod hostile;
mod identity;
mod injection;
mod layers;
mod limits;
mod lock;
mod machine;
mod naming;
#[cfg(feature = "otlp")]
mod otlp;
mod panics;
mod passthrough;
mod places;
mod programs;
mod property;
mod reasons;

mod records;
mod reload;
mod rounds;
mod secrets;
mod strangers;
mod transport;
mod whole;
mod wire;
