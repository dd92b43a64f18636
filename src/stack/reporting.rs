use crate::approval::{EscalationReporter, reporter_timeout};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Where escalations are reported besides the store, such as a chat or a control plane.
#[derive(Clone)]
pub(super) struct Reporting {
    pub(super) reporter: Arc<dyn EscalationReporter>,
    pub(super) limit: Duration,
}

impl Reporting {
    /// Through this reporter, which may take as long as `SEC0_ESCALATION_TIMEOUT_MS` says.
    pub(super) fn new(reporter: Arc<dyn EscalationReporter>) -> Self {
        Self { reporter, limit: reporter_timeout() }
    }
}

impl fmt::Debug for Reporting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporting").field("limit", &self.limit).finish_non_exhaustive()
    }
}
