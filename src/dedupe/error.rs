/// Why a store does not say whether a key is free.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It was closed.
    #[error("the idempotency store is closed")]
    Closed,
    /// It has no room for another key.
    #[error(
        "the idempotency store has no room for another key; old keys go when their time is over"
    )]
    Full,
    /// It took too long.
    #[error("the idempotency store did not answer in time")]
    Slow,
    /// It failed.
    #[error("the idempotency store failed: {0}")]
    Failed(Box<str>),
}
