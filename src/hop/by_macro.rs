//! What the attributes expand to.

use super::Sec0App;
use crate::call::{Reason, Refusal};
use serde::Serialize;

/// Finds the app of `self`: by `AsRef` where its type has it, in the scope elsewhere. The choice is
/// the compiler's, which prefers the method that needs no further borrow.
#[derive(Debug)]
pub struct Found<'a, T: ?Sized>(pub &'a T);

/// The app that `self` has.
pub trait OfSelf {
    /// The app.
    fn app(&self) -> Option<Sec0App>;
}

/// The app of the scope.
pub trait OfScope {
    /// The app.
    fn app(&self) -> Option<Sec0App>;
}

impl<T: AsRef<Sec0App> + ?Sized> OfSelf for Found<'_, T> {
    fn app(&self) -> Option<Sec0App> {
        Some(self.0.as_ref().clone())
    }
}

impl<T: ?Sized> OfScope for &Found<'_, T> {
    fn app(&self) -> Option<Sec0App> {
        app_of_scope()
    }
}

/// The app of the scope, for functions without `self`.
pub fn app_of_scope() -> Option<Sec0App> {
    Sec0App::current()
}

/// The arguments of a hop, as they are recorded.
#[derive(Debug, Default)]
pub struct Args {
    map: serde_json::Map<String, serde_json::Value>,
    error: Option<serde_json::Error>,
}

impl Args {
    /// No arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// These and one more.
    #[must_use]
    pub fn with<T: Serialize + ?Sized>(mut self, name: &'static str, value: &T) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => {
                self.map.insert(name.to_owned(), value);
            }
            Err(error) => self.error = Some(error),
        }
        self
    }
}

fn may_run(app: Option<Sec0App>, args: Args) -> Result<(), Refusal> {
    match (app, args.error) {
        (Some(_), None) => Ok(()),
        _ => Err(Refusal::new(Reason::UnknownTool)),
    }
}

/// Runs an async hop.
///
/// # Errors
/// Those of `body`, and refusals.
///
/// # Cancel safety
/// As safe as `body`.
pub async fn run<T, E, F>(app: Option<Sec0App>, _key: &str, args: Args, body: F) -> Result<T, E>
where
    T: Serialize,
    E: From<Refusal>,
    F: Future<Output = Result<T, E>>,
{
    may_run(app, args)?;
    body.await
}

/// Runs an async hop whose result is not recorded.
///
/// # Errors
/// Those of `body`, and refusals.
///
/// # Cancel safety
/// As safe as `body`.
pub async fn run_unseen<T, E, F>(
    app: Option<Sec0App>,
    _key: &str,
    args: Args,
    body: F,
) -> Result<T, E>
where
    E: From<Refusal>,
    F: Future<Output = Result<T, E>>,
{
    may_run(app, args)?;
    body.await
}

/// Runs a sync hop.
///
/// # Errors
/// Those of `body`, and refusals.
pub fn run_sync<T, E, F>(app: Option<Sec0App>, _key: &str, args: Args, body: F) -> Result<T, E>
where
    T: Serialize,
    E: From<Refusal>,
    F: FnOnce() -> Result<T, E>,
{
    may_run(app, args)?;
    body()
}

/// Runs a sync hop whose result is not recorded.
///
/// # Errors
/// Those of `body`, and refusals.
pub fn run_sync_unseen<T, E, F>(
    app: Option<Sec0App>,
    _key: &str,
    args: Args,
    body: F,
) -> Result<T, E>
where
    E: From<Refusal>,
    F: FnOnce() -> Result<T, E>,
{
    may_run(app, args)?;
    body()
}
