mod create;
mod doing;
mod local;
mod options;
mod report;
mod sharing;
mod waiting;

use super::*;
use crate::approval::Choice;
use crate::clock::{Manual, Timestamp};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub(super) const NOON: i64 = 1_700_000_000_000;

/// What the backend does with one request.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Answers with this status.
    Says(&'static str),
    /// Knows no such escalation.
    Nothing,
    /// Fails with this text.
    Fails(&'static str),
    Panics,
    Hangs,
}

/// A backend that does what it is told, and the last of it from then on.
pub(super) struct Backend {
    acts: Mutex<VecDeque<Act>>,
    begun: Instant,
    /// When it was read, for which tenant.
    pub(super) reads: Mutex<Vec<(u64, Option<String>)>>,
    pub(super) created: Mutex<Vec<Create>>,
    pub(super) decided: Mutex<Vec<Resolve>>,
}

impl Backend {
    pub(super) fn of(acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self {
            acts: Mutex::new(acts.into_iter().collect()),
            begun: Instant::now(),
            reads: Mutex::default(),
            created: Mutex::default(),
            decided: Mutex::default(),
        })
    }

    /// When it was read, in milliseconds since it was made.
    pub(super) fn read_at(&self) -> Vec<u64> {
        self.reads.lock().iter().map(|(at, _)| *at).collect()
    }

    fn act(&self) -> Act {
        let mut acts = self.acts.lock();
        if acts.len() > 1 { acts.pop_front().unwrap() } else { acts.front().unwrap().clone() }
    }

    async fn answer(&self, id: String) -> Result<Option<Details>, BackendError> {
        match self.act() {
            Act::Says(status) => Ok(Some(Details {
                id: id.into(),
                status: status.into(),
                finalization_reason: Some("quorum_reached".into()),
                ..Details::default()
            })),
            Act::Nothing => Ok(None),
            Act::Fails(text) => Err(text.into()),
            Act::Panics => panic!("the backend of a test"),
            Act::Hangs => std::future::pending().await,
        }
    }
}

impl EscalationReporter for Backend {
    fn create(&self, input: Create) -> BackendAnswer<'_, Option<Created>> {
        let id = format!("for {}", input.violation);
        self.created.lock().push(input);
        Box::pin(async move {
            let created = |kept: Details| Created {
                // The word is the id, so that a test can say which.
                id: if kept.status.trim().is_empty() { kept.status.clone() } else { kept.id },
                status: kept.status,
                ..Created::default()
            };
            Ok(self.answer(id).await?.map(created))
        })
    }
}

impl EscalationResolver for Backend {
    fn get<'a>(
        &'a self,
        id: &'a str,
        tenant: Option<&'a str>,
    ) -> BackendAnswer<'a, Option<Details>> {
        let at = u64::try_from(self.begun.elapsed().as_millis()).unwrap();
        self.reads.lock().push((at, tenant.map(str::to_owned)));
        Box::pin(self.answer(id.to_owned()))
    }

    fn resolve(&self, decision: Resolve) -> Option<BackendAnswer<'_, Option<Details>>> {
        let id = decision.id.to_string();
        self.decided.lock().push(decision);
        Some(Box::pin(self.answer(id)))
    }
}

/// What the hooks were told, in order.
pub(super) type Told = Arc<Mutex<Vec<String>>>;

/// Options with this backend for both, and hooks that keep what they are told.
pub(super) fn options(backend: &Arc<Backend>) -> (ManagerOptions, Told) {
    let told = Told::default();
    let [created, resolved, failed] = std::array::from_fn(|_| Arc::clone(&told));
    let options = ManagerOptions::default()
        .reporter(Arc::<Backend>::clone(backend))
        .resolver(Arc::<Backend>::clone(backend))
        .clock(Arc::new(Manual::at(Timestamp::from_millis(NOON))))
        .on_created(move |it| created.lock().push(format!("created {}", it.id)))
        .on_resolved(move |it| resolved.lock().push(format!("resolved {}", it.status)))
        .on_error(move |it| failed.lock().push(format!("failed {it}")));
    (options, told)
}

pub(super) fn manager(backend: &Arc<Backend>) -> EscalationManager {
    EscalationManager::new(options(backend).0)
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The name of its class, its text, and the text of its cause.
pub(super) fn parts(error: &EscalationError) -> (&'static str, String, Option<String>) {
    (error.class().as_str(), error.to_string(), error.source().map(ToString::to_string))
}

pub(super) fn decision(id: &str) -> Resolve {
    Resolve { id: id.into(), action: Choice::Approve, notes: Some("seen".into()), tenant: None }
}
