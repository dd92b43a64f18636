use super::document::SideEffects;
use crate::call::{BreakerRule, RateRule};
use serde::Deserialize;
use std::time::Duration;

/// `enforcement.circuit_breakers`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CircuitBreakers {
    error_rate_pct: Option<f64>,
    p95_latency_ms: Option<f64>,
    min_samples: Option<f64>,
    #[serde(rename = "minSamples")]
    min_samples_of_old: Option<f64>,
    window_ms: Option<f64>,
    open_ms: Option<f64>,
    half_open_probes: Option<f64>,
}

/// An entry of `security.limits.rate`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateEntry {
    pub(super) tool: String,
    per_second: f64,
    burst: Option<f64>,
}

impl CircuitBreakers {
    pub(super) fn rule(&self) -> BreakerRule {
        let usual = BreakerRule::default();
        let samples = self.min_samples.or(self.min_samples_of_old);
        BreakerRule {
            error_rate_pct: self.error_rate_pct.filter(|most| *most > 0.0),
            p95_latency: self.p95_latency_ms.filter(|most| *most > 0.0).map(millis),
            min_samples: samples.map_or(usual.min_samples, |count| whole(count.ceil())),
            window: self.window_ms.map_or(usual.window, millis),
            open: self.open_ms.map_or(usual.open, millis),
            probes: self.half_open_probes.map_or(usual.probes, whole),
        }
    }
}

impl RateEntry {
    pub(super) fn rule(&self) -> RateRule {
        let burst = self.burst.unwrap_or(self.per_second.ceil());
        RateRule { per_second: self.per_second, burst: whole(burst).max(1) }
    }
}

impl SideEffects {
    pub(super) fn retries(&self) -> u32 {
        self.max_retries.map_or(0, whole)
    }
}

/// The whole ones of a number of at least 0.
fn whole(number: f64) -> u32 {
    // Through seconds: whole ones come out, and the conversion neither wraps nor panics.
    let seconds = Duration::try_from_secs_f64(number.trunc()).unwrap_or(Duration::MAX);
    u32::try_from(seconds.as_secs()).unwrap_or(u32::MAX)
}

/// A century is as good as any longer time, and can be added to a clock's reading.
fn millis(number: f64) -> Duration {
    const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);
    Duration::try_from_secs_f64(number / 1000.0).unwrap_or(LONGEST).min(LONGEST)
}
