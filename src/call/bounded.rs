use std::time::Duration;

/// How often a caller may call: an entry of `security.limits.rate`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a rate is these two numbers")]
pub struct RateRule {
    /// How many calls a second, on average; above 0.
    pub per_second: f64,
    /// How many calls at once after a pause; at least 1.
    pub burst: u32,
}

/// When the circuit of a tool opens, and how it closes: `enforcement.circuit_breakers`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "whoever judges must know all of it")]
pub struct BreakerRule {
    /// The share of failed calls, in percent, that opens it; `None` is off.
    pub error_rate_pct: Option<f64>,
    /// The latency that opens it where the 95th percentile reaches it; `None` is off.
    pub p95_latency: Option<Duration>,
    /// How many calls there must be in the window before it opens.
    pub min_samples: u32,
    /// How far back calls count.
    pub window: Duration,
    /// How long it stays open before calls are tried again.
    pub open: Duration,
    /// How many calls are tried then; all of them must go well.
    pub probes: u32,
}

/// Whether calls pass the circuit of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what lies between the two is told by no event")]
pub enum CircuitState {
    /// They do.
    Closed,
    /// They do not.
    Open,
}

/// A circuit has opened or closed, and the calls by which it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the event has all of it")]
pub struct CircuitChange {
    /// What it is now.
    pub state: CircuitState,
    /// The calls that counted: those of the window where it opened, the tried ones where it closed.
    pub calls: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Those of them that took as long as the bound on the 95th percentile, or longer.
    pub slow: u32,
}

impl CircuitState {
    /// The spelling in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

impl Default for BreakerRule {
    /// Off, with the numbers that hold where a policy names none.
    fn default() -> Self {
        Self {
            error_rate_pct: None,
            p95_latency: None,
            min_samples: 20,
            window: Duration::from_mins(1),
            open: Duration::from_secs(30),
            probes: 1,
        }
    }
}
