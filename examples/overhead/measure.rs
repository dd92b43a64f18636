//! How a row is measured.

use crate::machine::{cpu, now, spin_until};
use crate::subject::{arguments, name};
use rmcp::model::CallToolRequestParams;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use std::error::Error;
use std::time::Duration;

/// Between two calls of the paced run.
const PACE: Duration = Duration::from_micros(60);
const PACED_CALLS: usize = 20_000;

/// What is asked: each of `tools` tools in turn, with arguments of `bytes` bytes.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) tools: usize,
    pub(crate) bytes: usize,
}

impl Load {
    pub(crate) fn params(self, at: usize) -> CallToolRequestParams {
        let tool = if self.tools > 1 { at % self.tools } else { 0 };
        CallToolRequestParams::new(name(tool)).with_arguments(arguments(self.bytes))
    }
}

/// Latencies in microseconds.
pub(crate) struct Paced {
    pub p50: f64,
    pub p99: f64,
}

impl Paced {
    pub(crate) fn of(mut latencies: Vec<f64>) -> Self {
        latencies.sort_by(f64::total_cmp);
        let at = |hundredth: usize| {
            latencies.get(latencies.len() * hundredth / 100).copied().unwrap_or(f64::NAN)
        };
        Self { p50: at(50), p99: at(99) }
    }
}

/// Microseconds of wall and of processor time for one call.
pub(crate) struct Saturated {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
}

impl Saturated {
    pub(crate) fn of(calls: usize, wall: Duration, cpu: Duration) -> Self {
        let calls = u32::try_from(calls).map_or(f64::INFINITY, f64::from);
        let each = |time: Duration| time.as_secs_f64() * 1e6 / calls;
        Self { wall: each(wall), cpu: each(cpu) }
    }

    pub(crate) fn figures(&self, paced: Option<&Paced>, limit: Option<f64>) -> String {
        let (p50, p99) = paced.map_or(("-".into(), "-".into()), |paced| {
            (format!("{:.2}", paced.p50), format!("{:.2}", paced.p99))
        });
        let vs_limit = limit.map_or("-".into(), |limit| format!("{:.2}", self.wall / limit));
        format!(
            "calls_per_s={:.0} p50_us={p50} p99_us={p99} cpu_us={:.2} vs_bare=- vs_limit={vs_limit}",
            1e6 / self.wall,
            self.cpu
        )
    }
}

/// Calls that arrive every 60 µs, as a busy server sees them.
pub(crate) async fn paced<H: ServerHandler>(
    server: &H,
    context: &RequestContext<RoleServer>,
    load: Load,
) -> Result<Paced, Box<dyn Error>> {
    let mut latencies = Vec::with_capacity(PACED_CALLS);
    let mut at = now();
    for call in 0..PACED_CALLS {
        let (params, context) = (load.params(call), context.clone());
        at += PACE;
        spin_until(at);
        let asked = now();
        server.call_tool(params, context).await?;
        latencies.push(asked.elapsed().as_secs_f64() * 1e6);
        // Lets the timers and wakers of the runtime have their turn, outside what is measured.
        tokio::task::yield_now().await;
    }
    Ok(Paced::of(latencies))
}

/// Calls that follow each other; `finish` belongs to the time.
pub(crate) async fn saturated<H, F>(
    server: &H,
    context: &RequestContext<RoleServer>,
    load: Load,
    calls: usize,
    finish: F,
) -> Result<Saturated, Box<dyn Error>>
where
    H: ServerHandler,
    F: AsyncFnOnce() -> Result<(), Box<dyn Error>>,
{
    let (started, spent) = (now(), cpu());
    for call in 0..calls {
        server.call_tool(load.params(call), context.clone()).await?;
    }
    finish().await?;
    Ok(Saturated::of(calls, started.elapsed(), cpu().saturating_sub(spent)))
}
