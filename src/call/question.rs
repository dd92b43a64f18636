use std::fmt;

/// What the client is asked in place of an answer, before the call comes again.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a door says all of it")]
pub struct Question {
    /// What the user is shown.
    pub text: Box<str>,
    /// What the client sends along with the next round.
    pub state: Box<str>,
}

/// Shows neither: the text has arguments in it, and whoever has the state may answer.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").finish_non_exhaustive()
    }
}
