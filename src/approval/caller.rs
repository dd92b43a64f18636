use super::round::Round;
use super::user::Reach;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The door's part of a call, through which the one who called can be told something while the call
/// waits.
pub trait Connected {
    /// The way to the caller; `None` where there is none but the reply.
    fn caller(&self) -> Option<Arc<dyn Caller>> {
        None
    }

    /// False where the call cannot wait for anybody: it is refused at once with the id of its
    /// escalation.
    fn may_wait(&self) -> bool {
        true
    }

    /// The way to the user behind the caller; `None` where the user cannot be asked.
    fn user(&self) -> Option<Reach> {
        None
    }

    /// What the call brings from the round before; `None` where it is the first, or the tool's own
    /// next one.
    fn round(&self) -> Option<&Round> {
        None
    }

    /// Gives the handler back the tool's own state, which was kept for it.
    fn restore(&self, state: Box<str>) {
        drop(state);
    }
}

/// The way to somebody who waits for the reply to a call.
pub trait Caller: fmt::Debug + Send + Sync {
    /// Tells how far the waiting has come. That it arrived is not known.
    fn tell(&self, waiting: Waiting) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// How far the waiting for a decision has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a door says all of it")]
pub struct Waiting {
    /// For how long the call has waited.
    pub waited: Duration,
    /// For how long it will, at most.
    pub at_most: Duration,
}
