use super::answer::Created;
use super::error::EscalationError;
use super::resolution::Resolution;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

type Hook<T> = Arc<dyn Fn(&T) + Send + Sync>;

/// Who is told of what the manager does.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    pub(super) created: Option<Hook<Created>>,
    pub(super) resolved: Option<Hook<Resolution>>,
    pub(super) failed: Option<Hook<EscalationError>>,
}

impl Hooks {
    pub(super) fn created(&self, created: &Created) {
        tell(self.created.as_ref(), created);
    }

    pub(super) fn resolved(&self, resolution: &Resolution) {
        tell(self.resolved.as_ref(), resolution);
    }

    pub(super) fn failed(&self, error: &EscalationError) {
        tell(self.failed.as_ref(), error);
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_created", &self.created.is_some())
            .field("on_resolved", &self.resolved.is_some())
            .field("on_error", &self.failed.is_some())
            .finish()
    }
}

fn tell<T>(hook: Option<&Hook<T>>, about: &T) {
    if let Some(hook) = hook
        && catch_unwind(AssertUnwindSafe(|| hook(about))).is_err()
    {
        tracing::warn!("a hook of the escalation manager panicked; nothing else changes");
    }
}
