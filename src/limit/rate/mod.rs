//! How often a caller may call.
//!
//! A quota is a token bucket, kept as one number: the moment at which it is full again. Libraries
//! that keep one bucket for each key either grow without bound or forget keys by age, and to forget
//! a bucket that is not full gives its caller a new one.

mod quota;
mod rates;

pub use quota::Quota;
pub use rates::Rates;
