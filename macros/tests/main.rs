#![cfg(test)]
//! What the attributes expand to, and what they refuse.
//!
//! `spied` and the modules below it run against a stand-in for the crate `sec0` that writes down
//! what it is given, `real` against the crate itself.

mod arguments;
mod keys;
mod real;
mod shapes;
mod spy;

/// Each file in `ui` fails to compile, with the text that lies beside it. To write the texts anew:
/// `TRYBUILD=overwrite cargo test --test macros refuses`.
#[test]
fn refuses_what_cannot_be_a_hop_in_words_of_hops() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
