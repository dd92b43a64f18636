//! What approvers are shown of a call's arguments: indented JSON, bounded, with secrets masked and
//! with nothing in it that a terminal obeys or hides.
//!
//! `name` knows which members hold secrets, `credential` which parts of a text are some, `sight`
//! which characters nobody sees, and `page` where the text ends. `write` puts them together.

mod credential;
mod name;
mod page;
mod sight;
mod write;

#[cfg(test)]
mod tests;

pub use sight::Visible;
