//! Calls whose intent, or intent and outcome, is durable, against a bare group commit of the same
//! entries and lines on the same disk.

use crate::commit::{Commit, Entries};
use crate::machine::{cpu, now};
use crate::measure::{Load, Paced, Saturated};
use crate::rows::current_thread;
use crate::subject::{Secured, on_the_disk_of_the_program};
use rmcp::ServerHandler;
use rmcp::service::{RequestContext, RoleServer};
use sec0::mcp::detached_context;
use sec0::{AuditMode, LineSigning};
use std::error::Error;
use tokio::runtime::{Builder, Runtime};

/// How many callers, what they wait for, and what of the lines is signed meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) callers: usize,
    pub(crate) mode: AuditMode,
    pub(crate) signing: LineSigning,
}

/// The speed of a disk changes from one second to the next: bare loop and layer take turns, and the
/// row is the median of what they differ by.
const ROUNDS: usize = 7;
/// About the time of one round of the bare loop.
const ROUND_US: f64 = 150_000.0;

pub(crate) fn row(asked: Asked) -> Result<String, Box<dyn Error>> {
    let runtime = match asked.callers {
        1 => current_thread()?,
        _ => Builder::new_multi_thread().worker_threads(2).enable_all().build()?,
    };
    let entries = runtime.block_on(Entries::real())?;
    let syncs = if asked.mode == AuditMode::BlockingStrict { 2 } else { 1 };
    let signing = asked.signing;
    let bare = || Commit { entries: &entries, lines: asked.callers, syncs, signing };
    let short = bare().per_call(if asked.callers == 1 { 200 } else { 20 })?;
    let turns = turns(ROUND_US / (short * whole(asked.callers)));
    let (mut ratios, mut runs, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let limit = bare().per_call(turns)?;
        let run = round(&runtime, asked, turns, &mut latencies)?;
        ratios.push(run.wall / limit);
        runs.push(run);
    }
    ratios.sort_by(f64::total_cmp);
    runs.sort_by(|one, other| one.wall.total_cmp(&other.wall));
    let run = runs.get(ROUNDS / 2).ok_or("no rounds")?;
    let ratio = ratios.get(ROUNDS / 2).ok_or("no rounds")?;
    Ok(run.figures(Some(&Paced::of(latencies)), Some(run.wall / ratio)))
}

/// Until the last line is in its file, synced, and under a checkpoint.
fn round(
    runtime: &Runtime,
    asked: Asked,
    turns: usize,
    latencies: &mut Vec<f64>,
) -> Result<Saturated, Box<dyn Error>> {
    let more =
        |options: sec0::Sec0Options| options.audit_mode(asked.mode).line_signing(asked.signing);
    let secured = Secured::within(on_the_disk_of_the_program()?, more)?;
    let server = secured.writing();
    runtime.block_on(async {
        let context = detached_context();
        // The segments of the journal are made while it is new.
        together(asked.callers, turns / 4, &server, &context).await?;
        let (started, spent) = (now(), cpu());
        latencies.append(&mut together(asked.callers, turns, &server, &context).await?);
        secured.layer.try_shutdown().await?;
        let (wall, spent) = (started.elapsed(), cpu().saturating_sub(spent));
        Ok(Saturated::of(asked.callers * turns, wall, spent))
    })
}

/// Callers that each wait for their call before they make the next.
async fn together<H: ServerHandler + Clone>(
    callers: usize,
    turns: usize,
    server: &H,
    context: &RequestContext<RoleServer>,
) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (server, context) = (server.clone(), context.clone());
        running.spawn(async move { calls(&server, &context, turns).await });
    }
    let mut latencies = Vec::new();
    for done in running.join_all().await {
        latencies.append(&mut done?);
    }
    Ok(latencies)
}

async fn calls<H: ServerHandler>(
    server: &H,
    context: &RequestContext<RoleServer>,
    count: usize,
) -> Result<Vec<f64>, rmcp::ErrorData> {
    let load = Load { tools: 1, bytes: 64 };
    let mut latencies = Vec::with_capacity(count);
    for call in 0..count {
        let asked = now();
        server.call_tool(load.params(call), context.clone()).await?;
        latencies.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    Ok(latencies)
}

fn whole(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// A whole number near `wanted`, 20 to 5,000.
pub(crate) fn turns(wanted: f64) -> usize {
    (20..5_000).find(|turns| whole(*turns) >= wanted).unwrap_or(5_000)
}
