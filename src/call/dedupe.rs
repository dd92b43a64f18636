/// What became of a call that holds an idempotency key and has side effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a reader of the log must know all of them")]
pub enum Dedupe {
    /// The key was free: this call is the one that may run under it.
    First,
    /// The key had a stored result, which was given back; nothing ran.
    Replay,
}

impl Dedupe {
    /// The wire spelling, in replies and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Replay => "replay",
        }
    }
}

/// What a repeat of the call is to be answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store must know what to do with each")]
pub enum Lasting {
    /// This, from which the reply can be made again.
    Final(Vec<u8>),
    /// Nothing yet: the reply is a question, and the same call comes again with the answer.
    Open,
    /// Nothing: the reply cannot be kept.
    Unfit,
}
