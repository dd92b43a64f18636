use super::name::ToolVersion;
use super::operation::Operation;
use super::outcome::Status;
use super::trail::{Decision, Facts};
use super::{Dedupe, Found};
use std::borrow::Cow;
use std::time::Duration;

/// What telemetry may say of a call that has ended: nothing of its arguments, and nothing of who
/// called.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Seen {
    /// How it ended, as its record has it.
    pub status: Status,
    /// What the policy said.
    pub decision: Decision,
    /// The tool, where it is one that was frozen: callers cannot make up any.
    pub tool: Option<Cow<'static, str>>,
    /// The version of that tool.
    pub version: Option<ToolVersion>,
    /// What the call does.
    pub operation: Option<Operation>,
    /// What was found against it, in order.
    pub reasons: Vec<Found>,
    /// The reason that decided a refusal.
    pub refused_for: Option<Found>,
    /// Whether the handler ran, and how long.
    pub ran: Option<Duration>,
    /// How long it waited for somebody's decision.
    pub waited: Duration,
    /// How often the handler was run again.
    pub retries: u32,
    /// What became of its idempotency key.
    pub dedupe: Option<Dedupe>,
}

impl Seen {
    /// Of the facts of a call whose record is closed.
    pub fn of(facts: &Facts) -> Self {
        Self {
            status: facts.status,
            decision: facts.decision,
            tool: facts.operation.is_some().then(|| facts.tool.clone()),
            version: facts.version.clone(),
            operation: facts.operation,
            reasons: facts.reasons.clone(),
            refused_for: facts.refused_for.clone(),
            ran: facts.executed().then_some(facts.latency),
            waited: facts.waited,
            retries: facts.retries,
            dedupe: facts.dedupe,
        }
    }
}
