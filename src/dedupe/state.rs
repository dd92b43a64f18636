use super::key::Asked;
use crate::clock::Timestamp;

/// What a store holds of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every store must tell each from the others")]
pub enum Holding {
    /// A call runs under it.
    Running {
        /// False when the process that ran the call has ended without a word.
        owner_lives: bool,
    },
    /// A call has run under it.
    Done {
        /// Whether its result was kept.
        is_kept: bool,
        /// Until when that counts.
        until: Timestamp,
    },
    /// A call ended under it, and nobody knows how far it came.
    Unknown,
}

/// What a call that asks for a key is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the step answers each in its own words")]
pub enum Finding {
    /// The key is free: the call may run.
    Free,
    /// The key was used with other arguments.
    OtherArguments,
    /// Another call runs under it.
    Running,
    /// There is a result to give back.
    Stored,
    /// A call has run, but its result was not kept.
    NotKept,
    /// A call may have run; only an operator can free the key.
    Unknown,
}

/// The rule: what a call with these arguments is told at `now` of a key that is held so.
///
/// Time frees only what is done. A key whose call may or may not have had its effect is never free
/// again by itself.
pub fn judge(held: Option<(Holding, [u8; 32])>, asked: &Asked, now: Timestamp) -> Finding {
    let Some((holding, arguments)) = held else { return Finding::Free };
    if let Holding::Done { until, .. } = holding
        && until <= now
    {
        return Finding::Free;
    }
    if arguments != asked.arguments {
        return Finding::OtherArguments;
    }
    match holding {
        Holding::Running { owner_lives: true } => Finding::Running,
        Holding::Running { owner_lives: false } | Holding::Unknown => Finding::Unknown,
        Holding::Done { is_kept: true, .. } => Finding::Stored,
        Holding::Done { is_kept: false, .. } => Finding::NotKept,
    }
}
