use super::words::Choice;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// The way to the user at the other end of the connection.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "whoever asks must know each way")]
pub enum Reach {
    /// Asked while the call waits.
    Now(Arc<dyn User>),
    /// Asked with the answer to the call, which then comes again.
    NextRound,
}

/// A user who can be asked while a call waits.
pub trait User: fmt::Debug + Send + Sync {
    /// Asks, and gives what the user said.
    ///
    /// # Cancel safety
    ///
    /// Dropping it takes the question back, as far as the connection allows.
    fn ask(&self, question: Box<str>) -> Pin<Box<dyn Future<Output = Said> + Send>>;
}

/// What the user said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what is none of these is nothing")]
pub enum Said {
    /// Whether the call may be made, and why.
    Vote {
        /// Whether it may.
        choice: Choice,
        /// In which words besides; may be empty.
        note: Box<str>,
    },
    /// Nothing that is a decision: the question was put away, could not be asked, or was answered
    /// with something else.
    Nothing,
    /// Nothing any more: the connection is over, and so is the call.
    Gone,
}

impl Said {
    /// The most characters of the user's note.
    pub const MAX_NOTE: u32 = 200;
}
