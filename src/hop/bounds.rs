//! What a hop's types must be, so that the compiler says it in words of hops.
//!
//! The attributes call [`by_macro`](super::by_macro) through these traits. `do_not_recommend` makes
//! the compiler name the trait of this file, with its message, and not the one behind it.

use super::Sec0App;
use super::by_macro::{self, Args};
use crate::call::Refusal;
use serde::Serialize;

/// What a hop returns: a `Result`, also under another name.
#[diagnostic::on_unimplemented(
    message = "a hop returns `Result<_, E>` with `E: From<sec0::Refusal>`, and `{Self}` is no `Result`",
    label = "not a `Result`",
    note = "a call that is refused answers with an error, so the function needs one"
)]
pub trait Returns {
    /// What it returns where all is well.
    type Value;
    /// What it returns elsewhere, and where it is refused.
    type Error;
}

impl<T, E> Returns for Result<T, E> {
    type Value = T;
    type Error = E;
}

/// The value of a hop: its digest is recorded.
#[diagnostic::on_unimplemented(
    message = "the result of a hop is recorded by its digest, and `{Self}` cannot be serialised",
    label = "no `serde::Serialize`",
    note = "derive `serde::Serialize` for it (a type parameter needs it as a bound), or leave the result out of the record with `skip(return)`"
)]
pub trait Recorded: Serialize {}

/// The error of a hop: a refusal becomes one.
#[diagnostic::on_unimplemented(
    message = "a hop returns `Result<_, E>` with `E: From<sec0::Refusal>`, and `{Self}` is not made from a refusal",
    label = "no `From<sec0::Refusal>`",
    note = "write `impl From<sec0::Refusal> for …` for the error, with `#[from]` where it is derived"
)]
pub trait FromRefusal: From<Refusal> {}

/// An argument of a hop: its digest is recorded.
#[diagnostic::on_unimplemented(
    message = "the arguments of a hop are recorded by their digest, and `{Self}` cannot be serialised",
    label = "no `serde::Serialize`",
    note = "derive `serde::Serialize` for it (a type parameter needs it as a bound), or name the argument in `skip(..)`"
)]
pub trait Argument: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize> Recorded for T {}

#[diagnostic::do_not_recommend]
impl<E: From<Refusal>> FromRefusal for E {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Argument for T {}

/// Runs an async hop.
pub fn run<T: Recorded, E: FromRefusal, F: Future<Output = Result<T, E>>>(
    app: Option<Sec0App>,
    key: &'static str,
    args: Args,
    body: F,
) -> impl Future<Output = Result<T, E>> {
    // In a box: what is around would hold it twice over at each level of nested hops.
    by_macro::run(app, key, args, Box::pin(body))
}

/// Runs an async hop whose result is left out of the record.
pub fn run_unseen<T, E: FromRefusal, F: Future<Output = Result<T, E>>>(
    app: Option<Sec0App>,
    key: &'static str,
    args: Args,
    body: F,
) -> impl Future<Output = Result<T, E>> {
    by_macro::run_unseen(app, key, args, Box::pin(body))
}

/// Runs a sync hop.
///
/// # Errors
/// Those of `body`, and refusals.
pub fn run_sync<T: Recorded, E: FromRefusal, F: FnOnce() -> Result<T, E>>(
    app: Option<Sec0App>,
    key: &'static str,
    args: Args,
    body: F,
) -> Result<T, E> {
    by_macro::run_sync(app, key, args, body)
}

/// Runs a sync hop whose result is left out of the record.
///
/// # Errors
/// Those of `body`, and refusals.
pub fn run_sync_unseen<T, E: FromRefusal, F: FnOnce() -> Result<T, E>>(
    app: Option<Sec0App>,
    key: &'static str,
    args: Args,
    body: F,
) -> Result<T, E> {
    by_macro::run_sync_unseen(app, key, args, body)
}

/// The arguments and one more.
pub fn argument<T: Argument + ?Sized>(args: Args, name: &'static str, value: &T) -> Args {
    args.with(name, value)
}
