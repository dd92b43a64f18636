//! A stand-in for the crate `sec0`: it writes down what hops hand over, in order.

use serde::Serialize;
use serde_json::Value;
use std::cell::{Cell, RefCell};

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static REFUSES: Cell<bool> = const { Cell::new(false) };
}

/// Puts a line into the log of this thread.
pub(crate) fn note(line: impl Into<String>) {
    LOG.with_borrow_mut(|log| log.push(line.into()));
}

/// The log so far; it starts anew.
pub(crate) fn log() -> Vec<String> {
    LOG.take()
}

/// Whether hops of this thread are refused.
pub(crate) fn refuses(yes: bool) {
    REFUSES.set(yes);
}

/// What a refused hop answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal;

/// An error with a refusal in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    Refused,
    Other(String),
}

impl From<Refusal> for Failed {
    fn from(Refusal: Refusal) -> Self {
        Self::Refused
    }
}

impl From<std::num::ParseIntError> for Failed {
    fn from(error: std::num::ParseIntError) -> Self {
        Self::Other(error.to_string())
    }
}

/// The modules that hops name.
pub(crate) mod hop {
    use super::{REFUSES, Refusal, Serialize, Value, note};

    /// The name of an app.
    #[derive(Debug, Clone)]
    pub(crate) struct Sec0App(pub(crate) &'static str);

    pub(crate) mod by_macro {
        use super::{Sec0App, Value};

        pub(crate) struct Found<'a, T: ?Sized>(pub(crate) &'a T);

        pub(crate) trait OfSelf {
            fn app(&self) -> Option<Sec0App>;
        }

        pub(crate) trait OfScope {
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

        pub(crate) fn app_of_scope() -> Option<Sec0App> {
            None
        }

        pub(crate) struct Args(pub(super) Vec<(&'static str, Value)>);

        impl Args {
            pub(crate) fn new() -> Self {
                Self(Vec::new())
            }
        }
    }

    pub(crate) mod bounds {
        use super::by_macro::Args;
        use super::{REFUSES, Refusal, Sec0App, Serialize, note};

        pub(crate) fn argument<T: Serialize + ?Sized>(
            mut args: Args,
            name: &'static str,
            value: &T,
        ) -> Args {
            args.0.push((name, serde_json::to_value(value).unwrap()));
            args
        }

        pub(crate) trait Returns {
            type Value;
            type Error;
        }

        impl<T, E> Returns for Result<T, E> {
            type Value = T;
            type Error = E;
        }

        fn enter(app: Option<Sec0App>, key: &str, args: Args) -> Result<(), Refusal> {
            let app = app.map_or("scope", |app| app.0);
            let args: Vec<_> =
                args.0.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
            note(format!("{key} by {app} ({})", args.join(" ")));
            if REFUSES.get() { Err(Refusal) } else { Ok(()) }
        }

        fn leave<T: Serialize>(value: &T) {
            note(format!("-> {}", serde_json::to_string(value).unwrap()));
        }

        pub(crate) async fn run<
            T: Serialize,
            E: From<Refusal>,
            F: Future<Output = Result<T, E>>,
        >(
            app: Option<Sec0App>,
            key: &'static str,
            args: Args,
            body: F,
        ) -> Result<T, E> {
            enter(app, key, args)?;
            body.await.inspect(leave)
        }

        pub(crate) async fn run_unseen<T, E: From<Refusal>, F: Future<Output = Result<T, E>>>(
            app: Option<Sec0App>,
            key: &'static str,
            args: Args,
            body: F,
        ) -> Result<T, E> {
            enter(app, key, args)?;
            body.await
        }

        pub(crate) fn run_sync<T: Serialize, E: From<Refusal>, F: FnOnce() -> Result<T, E>>(
            app: Option<Sec0App>,
            key: &'static str,
            args: Args,
            body: F,
        ) -> Result<T, E> {
            enter(app, key, args)?;
            body().inspect(leave)
        }

        pub(crate) fn run_sync_unseen<T, E: From<Refusal>, F: FnOnce() -> Result<T, E>>(
            app: Option<Sec0App>,
            key: &'static str,
            args: Args,
            body: F,
        ) -> Result<T, E> {
            enter(app, key, args)?;
            body()
        }
    }
}
