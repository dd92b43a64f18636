use super::error::StoreError;
use super::key::Asked;
use crate::clock::Timestamp;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// What a store answers, later.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Where idempotency keys and results are kept.
///
/// # Errors
///
/// A call whose key cannot be looked up is refused, so an error is always a refusal: a store must
/// rather fail than say that a key is free which may not be.
pub trait DedupeStore: fmt::Debug + Send + Sync {
    /// Takes the key if it is free, and says what became of it.
    ///
    /// Of any number of callers that ask at once, in however many processes, at most one gets a
    /// [`Ticket`].
    ///
    /// # Cancel safety
    ///
    /// A ticket that nobody received is given back.
    fn begin(&self, asked: &Arc<Asked>, now: Timestamp) -> Answer<Begun>;

    /// Ends when all tickets that were given back before are accounted for.
    fn flush(&self) -> Answer<()>;

    /// Whether the keys survive the end of this process.
    fn is_durable(&self) -> bool;
}

/// What a caller is told of its key.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the step answers each in its own words")]
pub enum Begun {
    /// The key is this call's; the ticket says later what became of it.
    First(Ticket),
    /// The key was used with other arguments.
    OtherArguments,
    /// Another call runs under it.
    Running,
    /// A call has run under it, with this result.
    Stored(Vec<u8>),
    /// A call has run under it, but its result was not kept.
    NotKept,
    /// A call may have run under it; only an operator can free the key.
    Unknown,
}

/// What became of the call that held the key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every store must know what to do with each")]
pub enum Ending {
    /// It has run. A repeat gets this result; `None` where it cannot be kept.
    Done(Option<Vec<u8>>),
    /// The key is free again: the call did not run, or its tool said itself that it failed, or it
    /// asked its caller something first.
    Freed,
    /// It may have had its effect.
    Unknown,
}

type Settle = Box<dyn FnOnce(Ending, Option<Timestamp>) -> Answer<()> + Send>;

/// The right to run under a key. Dropped, it gives the key back: whoever receives one and runs the
/// call must see to it that [`end`](Self::end) is called in every case.
pub struct Ticket(Option<Settle>);

impl Ticket {
    /// A ticket that ends with `settle`. That must take effect when it is called: what it returns
    /// only waits. It has no time of its own when the ticket was dropped.
    pub fn new(
        settle: impl FnOnce(Ending, Option<Timestamp>) -> Answer<()> + Send + 'static,
    ) -> Self {
        Self(Some(Box::new(settle)))
    }

    /// Says what became of the call. The answer comes when the store has it for good.
    ///
    /// # Cancel safety
    ///
    /// It is on its way when this returns; dropping the answer only stops the waiting.
    pub fn end(mut self, ending: Ending, now: Timestamp) -> Answer<()> {
        match self.0.take() {
            Some(settle) => settle(ending, Some(now)),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(settle) = self.0.take() {
            drop(settle(Ending::Freed, None));
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}
