use super::app::Sec0App;
use super::context::HopContext;
use super::drive::{Order, drive, drive_sync, unjudged};
use super::running::Running;
use crate::call::{Arguments, Reason, Refusal};
use crate::config::Hop;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// One hop of an app, to be run.
#[derive(Debug, Clone)]
pub struct HopHandle {
    app: Sec0App,
    running: Arc<Running>,
}

impl HopHandle {
    pub(super) fn new(app: Sec0App, running: Arc<Running>) -> Self {
        Self { app, running }
    }

    /// What was configured.
    pub fn hop(&self) -> &Hop {
        &self.running.hop
    }

    /// Runs `body`, if the policy lets it, and records it.
    ///
    /// `input` is what the policy judges and the record has the digest of: a map is taken as the
    /// arguments, anything else as the one argument `input`. The body gets its own input by capturing
    /// it. What it returns passes unchanged.
    ///
    /// # Errors
    ///
    /// The body's own, or the refusal: the body has not run then, unless the refusal says
    /// [`executed`](Refusal::executed).
    ///
    /// # Panics
    ///
    /// When the body does; the record says so.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the body, and the record says `cancelled`.
    pub async fn run<I, T, E, F>(
        &self,
        input: I,
        body: impl FnOnce(HopContext) -> F,
    ) -> Result<T, E>
    where
        I: Serialize,
        T: Serialize,
        E: From<Refusal>,
        F: Future<Output = Result<T, E>>,
    {
        if self.app.is_off() {
            return Box::pin(unjudged(&self.app, &self.running, body)).await;
        }
        let order = self.order(arguments(&input));
        // It may borrow what the caller does not keep.
        drop(input);
        drive(order, body, seen).await
    }

    /// The same for a body that is not async. It never waits for a human: what the policy asks about is
    /// refused at once, with the id.
    ///
    /// On a thread of a multi-thread runtime it waits for the disk as `block_in_place` does; on a
    /// current-thread runtime it does not wait, and a hop whose record has to be durable is refused.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub fn run_sync<I, T, E>(
        &self,
        input: I,
        body: impl FnOnce(HopContext) -> Result<T, E>,
    ) -> Result<T, E>
    where
        I: Serialize,
        T: Serialize,
        E: From<Refusal>,
    {
        let order = self.order(arguments(&input));
        drop(input);
        drive_sync(order, body, seen)
    }

    pub(super) fn order(&self, arguments: Result<Option<Arguments>, Refusal>) -> Order {
        Order { app: self.app.clone(), running: Arc::clone(&self.running), arguments }
    }
}

/// What a record has of a result: its JSON. A result that has none is recorded without a digest.
pub(super) fn seen<T: Serialize>(value: &T) -> Option<Value> {
    match serde_json::to_value(value) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!(%error, "the result of a hop has no JSON; its record has no output digest");
            None
        }
    }
}

pub(super) fn arguments<I: Serialize>(input: &I) -> Result<Option<Arguments>, Refusal> {
    match serde_json::to_value(input) {
        Ok(Value::Object(arguments)) => Ok(Some(arguments)),
        Ok(Value::Null) => Ok(None),
        Ok(other) => Ok(Some(Arguments::from_iter([("input".to_owned(), other)]))),
        Err(_) => Err(no_json("input")),
    }
}

/// The refusal of arguments that have no JSON. It is not recorded: there is nothing that could be
/// judged.
pub(super) fn no_json(name: &str) -> Refusal {
    Refusal::new(Reason::MalformedArguments).with_detail(format!(
        "`{name}` has no JSON; take it out of what is recorded, or give its maps text keys"
    ))
}
