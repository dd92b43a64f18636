use super::binding::CallKey;
use super::bounds::{ApprovalBounds, Used};
use super::id::EscalationId;
use super::user::Said;
use crate::call::Hex;
use crate::clock::Timestamp;
use std::collections::HashMap;
use std::fmt;

/// Names the next round of a call that was answered with a question: 128 random bits. Prints as
/// [`RoundId::PREFIX`] and 32 lower-case hex digits, which is the state that the client sends back.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoundId([u8; 16]);

impl RoundId {
    /// What every state of sec0 begins with, and no state of a tool may.
    pub const PREFIX: &str = "sec0/round/";

    /// The id with these bits, which must come from the system's source of randomness.
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    /// Reads only what is printed; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(Self::PREFIX)?;
        let bits: Result<EscalationId, _> = digits.parse();
        bits.map_or(None, |bits| Some(Self(*bits.as_bytes())))
    }

    /// Its 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for RoundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, Hex(&self.0))
    }
}

/// Whoever has it may go on with the call, so it is not shown.
impl fmt::Debug for RoundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoundId")
    }
}

/// What a call brings from the round before.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "a door says all of it")]
pub struct Round {
    /// Which round it is; `None` where what was sent is no state of sec0, or none came with the
    /// answer.
    pub id: Option<RoundId>,
    /// What the user said.
    pub said: Said,
}

/// A round that may come: kept by a store, and taken once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store keeps all of it")]
pub struct NextRound {
    /// The call, and no other.
    pub call: CallKey,
    /// Whose part of the store it takes: [`Binding::share`](super::Binding::share).
    pub share: [u8; 32],
    /// The escalation that it belongs to.
    pub escalation: EscalationId,
    /// From when on it no longer counts.
    pub until: Timestamp,
    /// What the client was asked.
    pub about: RoundAbout,
}

/// What the client was asked with the answer to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the next round goes on in one of two ways")]
pub enum RoundAbout {
    /// Whether the call may be made.
    Approval,
    /// Something by the tool, in a call that was approved: with the tool's own state.
    Tool(Option<Box<str>>),
}

/// What came of taking a round.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each is refused or goes on in its own way")]
pub enum TakenRound {
    /// It was for this call, and nobody can take it again.
    This(EscalationId, RoundAbout),
    /// It is for another call, which can still take it.
    OtherCall(EscalationId),
    /// There is none: it was taken, it is over, or it never was.
    None,
}

impl NextRound {
    /// The most bytes of a tool's own state.
    pub const MAX_STATE: usize = 64 * 1024;

    /// How much of them a store keeps, in all and of one principal: 16,384 and 64 MiB, and a
    /// quarter.
    pub fn bounds() -> ApprovalBounds {
        ApprovalBounds::default().max_rows(16_384).max_bytes(64 << 20)
    }

    /// How many bytes it takes in a store.
    pub fn bytes(&self) -> u64 {
        let state = match &self.about {
            RoundAbout::Approval | RoundAbout::Tool(None) => 0,
            RoundAbout::Tool(Some(state)) => state.len(),
        };
        u64::try_from(state).unwrap_or(u64::MAX).saturating_add(128)
    }
}

/// Rounds that may come, in memory.
#[derive(Debug, Default)]
pub(super) struct Rounds(HashMap<RoundId, NextRound>);

impl Rounds {
    /// False where there is no room.
    pub(super) fn expect(&mut self, id: RoundId, next: &NextRound, now: Timestamp) -> bool {
        let bounds = NextRound::bounds();
        let fits = |rounds: &Self| {
            let (all, share) = (rounds.used(|_| true), rounds.used(|it| it.share == next.share));
            bounds.fits_all(all, next.bytes()) && bounds.fits_share(share, next.bytes())
        };
        if !fits(self) {
            self.0.retain(|_, next| now < next.until);
        }
        let fits = fits(self);
        if fits {
            self.0.insert(id, next.clone());
        }
        fits
    }

    pub(super) fn take(&mut self, id: RoundId, call: CallKey, now: Timestamp) -> TakenRound {
        match self.0.get(&id) {
            Some(next) if now >= next.until => TakenRound::None,
            Some(next) if next.call != call => TakenRound::OtherCall(next.escalation),
            Some(_) | None => self
                .0
                .remove(&id)
                .map_or(TakenRound::None, |next| TakenRound::This(next.escalation, next.about)),
        }
    }

    fn used(&self, counts: impl Fn(&NextRound) -> bool) -> Used {
        let counted = self.0.values().filter(|next| counts(next));
        counted.fold(Used::default(), |used, next| Used {
            rows: used.rows.saturating_add(1),
            bytes: used.bytes.saturating_add(next.bytes()),
        })
    }
}
