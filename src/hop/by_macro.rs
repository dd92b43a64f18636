//! What `#[sec0::hop]` expands to. Not for use by hand: it may change with any version.

use super::app::Sec0App;
use super::context::Current;
use super::drive::{Order, Seen, drive, drive_sync};
use super::handle::{no_json, seen};
use crate::call::{Arguments, Reason, Refusal};
use serde::Serialize;

/// Whatever `self` is.
#[derive(Debug)]
pub struct Found<'a, T: ?Sized>(pub &'a T);

/// The app of a `self` that has one.
pub trait OfSelf {
    /// The app.
    fn app(&self) -> Option<Sec0App>;
}

/// The app of the scope, for any other `self`.
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

/// The app in whose scope this code runs.
pub fn app_of_scope() -> Option<Sec0App> {
    Current::get().map(|current| current.app().clone())
}

/// The arguments of a function, by name.
#[derive(Debug)]
pub struct Args(Result<Arguments, Refusal>);

impl Default for Args {
    fn default() -> Self {
        Self::new()
    }
}

impl Args {
    /// None yet.
    pub fn new() -> Self {
        Self(Ok(Arguments::new()))
    }

    /// The same with one more.
    #[must_use]
    pub fn with<T: Serialize + ?Sized>(mut self, name: &'static str, value: &T) -> Self {
        if let Ok(arguments) = &mut self.0 {
            match serde_json::to_value(value) {
                Ok(value) => {
                    arguments.insert(name.to_owned(), value);
                }
                Err(_) => self.0 = Err(no_json(name)),
            }
        }
        self
    }
}

/// Runs an async function as a hop.
pub async fn run<T, E, F>(app: Option<Sec0App>, key: &str, args: Args, body: F) -> Result<T, E>
where
    T: Serialize,
    E: From<Refusal>,
    F: Future<Output = Result<T, E>>,
{
    drive(order(app, key, args)?, |_hop| body, seen).await
}

/// The same, whose result is not recorded.
pub async fn run_unseen<T, E, F>(
    app: Option<Sec0App>,
    key: &str,
    args: Args,
    body: F,
) -> Result<T, E>
where
    E: From<Refusal>,
    F: Future<Output = Result<T, E>>,
{
    let unseen: Seen<T> = |_| None;
    drive(order(app, key, args)?, |_hop| body, unseen).await
}

/// Runs a function as a hop.
pub fn run_sync<T, E>(
    app: Option<Sec0App>,
    key: &str,
    args: Args,
    body: impl FnOnce() -> Result<T, E>,
) -> Result<T, E>
where
    T: Serialize,
    E: From<Refusal>,
{
    drive_sync(order(app, key, args)?, |_hop| body(), seen)
}

/// The same, whose result is not recorded.
pub fn run_sync_unseen<T, E>(
    app: Option<Sec0App>,
    key: &str,
    args: Args,
    body: impl FnOnce() -> Result<T, E>,
) -> Result<T, E>
where
    E: From<Refusal>,
{
    let unseen: Seen<T> = |_| None;
    drive_sync(order(app, key, args)?, |_hop| body(), unseen)
}

fn order(app: Option<Sec0App>, key: &str, args: Args) -> Result<Order, Refusal> {
    let app = app.ok_or_else(|| {
        Refusal::new(Reason::HopUnavailable).with_detail(format!(
            "[sec0] hop \"{key}\" runs outside any app; call it within `app.scope(..)`, or implement \
             `AsRef<Sec0App>` for its `self`"
        ))
    })?;
    let handle = app.hop(key)?;
    let arguments = args.0.map(|arguments| (!arguments.is_empty()).then_some(arguments));
    Ok(handle.order(arguments))
}
