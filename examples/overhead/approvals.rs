//! Calls that a human decides on: what asking costs against one insert of the same bytes, how long a
//! decision takes to the call that waits for it, and what many of them cost while nothing happens.

use crate::durable::turns;
use crate::machine::{cpu, now};
use crate::measure::{Paced, Saturated};
use crate::rows::current_thread;
use crate::subject::{Secured, name, on_the_disk_of_the_program};
use rmcp::model::{CallToolRequestParams, CallToolResponse, object};
use rmcp::{ErrorData, ServerHandler};
use rusqlite::{Connection, params};
use sec0::approval::{Choice, Statement, Vote, Voted};
use sec0::clock::System;
use sec0::mcp::detached_context;
use sec0::sign::{LocalDevSigner, Signer as _};
use sec0::store::sqlite::{ApprovalDesk, Listed, Which};
use sec0::{Policy, Sec0Options, Sec0SecurityLayer};
use serde_json::json;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

/// Bare loop and layer take turns, as the speed of a disk changes.
const ROUNDS: usize = 7;
/// About the time of one round of the bare loop.
const ROUND_US: f64 = 150_000.0;
/// Decisions that are waited for.
const DECISIONS: usize = 200;
const PENDING: usize = 10_000;
const HELD: usize = 1_000;
/// How many ask at a time, where only what they leave behind matters.
const AT_A_TIME: usize = 256;
const IDLE: Duration = Duration::from_secs(3);

/// A server whose every call bo has to approve.
struct House(Secured);

impl House {
    fn new(dir: TempDir, wait_ms: u32) -> Result<Self, Box<dyn Error>> {
        let key = bo().public_key();
        let policy = Policy::from_yaml(&format!(
            "tenant: bench\ndefault_retention: 30d\nsigning: {{enabled: true}}\n\
             tools: {{allowlist: ['mcp://bench/*']}}\n\
             enforcement: {{mode: enforce}}\n\
             security: {{side_effects: {{human_escalation: {{approval_set_id: all, wait_ms: {wait_ms}, \
             ttl_seconds: 86400}}}}}}\n\
             approval_sets: {{all: {{members: [{{id: bo, public_key: '{key}'}}]}}}}\n\
             rules: [{{id: all, tool: 'mcp://bench/*@*', pointer: /text, op: exists, effect: ask, \
             reason: looked_at}}]\n"
        ))?;
        let options = Sec0Options::new(policy)
            .audit_dir(dir.path().join("audit"))
            .signer(LocalDevSigner::from_seed([7; 32]));
        Ok(Self(Secured { layer: Sec0SecurityLayer::try_new(options)?, dir }))
    }

    fn layer(&self) -> &Sec0SecurityLayer {
        &self.0.layer
    }

    fn server(&self) -> impl ServerHandler + Clone + use<> {
        self.0.owned(1)
    }

    fn audit(&self) -> PathBuf {
        self.0.dir.path().join("audit")
    }

    fn desk(&self) -> Result<ApprovalDesk, Box<dyn Error>> {
        Ok(ApprovalDesk::open(&self.audit())?)
    }

    /// Leaves so many questions that nobody has decided.
    async fn fill(&self, pending: usize) -> Result<(), Box<dyn Error>> {
        let mut callers = JoinSet::new();
        for caller in 0..AT_A_TIME {
            let server = self.server();
            callers.spawn(async move {
                for number in (caller..pending).step_by(AT_A_TIME) {
                    if !is_asked(&call(&server, number).await?) {
                        return Err(ErrorData::internal_error("a call was not asked about", None));
                    }
                }
                Ok::<_, ErrorData>(())
            });
        }
        for done in callers.join_all().await {
            done?;
        }
        Ok(())
    }
}

fn bo() -> LocalDevSigner {
    LocalDevSigner::from_seed([2; 32])
}

/// Each number is a call of its own.
async fn call<H: ServerHandler>(server: &H, number: usize) -> Result<CallToolResponse, ErrorData> {
    let arguments = object(json!({ "text": format!("call {number}") }));
    let params = CallToolRequestParams::new(name(0)).with_arguments(arguments);
    server.call_tool(params, detached_context()).await
}

/// True for a call that was refused with the id of a question.
fn is_asked(answer: &CallToolResponse) -> bool {
    let CallToolResponse::Complete(result) = answer else { return false };
    let denial = result.meta.as_ref().and_then(|meta| meta.0.get(sec0::mcp::DENIAL_META));
    denial.is_some_and(|denial| denial["escalation_id"].is_string())
}

fn runs(answer: &CallToolResponse) -> bool {
    matches!(answer, CallToolResponse::Complete(result) if result.is_error != Some(true))
}

/// One call after the other is refused with an id of its own, against an insert of the same bytes
/// after the other.
pub(crate) fn ask() -> Result<String, Box<dyn Error>> {
    let runtime = current_thread()?;
    let bytes = bytes_of_one(&runtime)?;
    let turns = turns(ROUND_US / inserts(&bytes, 100)?);
    let (mut ratios, mut runs, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let limit = inserts(&bytes, turns)?;
        let run = runtime.block_on(asks(turns, &mut latencies))?;
        ratios.push(run.wall / limit);
        runs.push(run);
    }
    ratios.sort_by(f64::total_cmp);
    runs.sort_by(|one, other| one.wall.total_cmp(&other.wall));
    let run = runs.get(ROUNDS / 2).ok_or("no rounds")?;
    let ratio = ratios.get(ROUNDS / 2).ok_or("no rounds")?;
    Ok(run.figures(Some(&Paced::of(latencies)), Some(run.wall / ratio)))
}

async fn asks(turns: usize, latencies: &mut Vec<f64>) -> Result<Saturated, Box<dyn Error>> {
    let house = House::new(on_the_disk_of_the_program()?, 0)?;
    let server = house.server();
    let (started, spent) = (now(), cpu());
    for number in 0..turns {
        let asked = now();
        if !is_asked(&call(&server, number).await?) {
            return Err("a call was not asked about".into());
        }
        latencies.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    let run = Saturated::of(turns, started.elapsed(), cpu().saturating_sub(spent));
    house.layer().try_shutdown().await?;
    Ok(run)
}

/// What the store keeps of one question: the escalation, and what approvers are shown.
fn bytes_of_one(runtime: &Runtime) -> Result<(String, String), Box<dyn Error>> {
    let house = House::new(tempfile::tempdir()?, 0)?;
    runtime.block_on(house.fill(1))?;
    let listed = house.desk()?.list(Which::Pending, 1)?.pop().ok_or("nothing was asked")?;
    runtime.block_on(house.layer().try_shutdown())?;
    Ok((listed.kept.escalation.canonical().to_owned(), listed.shown.text.into()))
}

/// Microseconds for one transaction with one insert, durable as the store's are.
fn inserts((escalation, shown): &(String, String), turns: usize) -> Result<f64, Box<dyn Error>> {
    let dir = on_the_disk_of_the_program()?;
    let db = Connection::open(dir.path().join("bare.db"))?;
    db.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "full")?;
    db.execute_batch("CREATE TABLE bare (id INTEGER PRIMARY KEY, escalation TEXT, shown TEXT)")?;
    let mut insert = db.prepare("INSERT INTO bare (escalation, shown) VALUES (?1, ?2)")?;
    let started = now();
    for _ in 0..turns {
        insert.execute(params![escalation, shown])?;
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(turns)?))
}

/// From the commit of a decision on a connection of its own until the call that waits for it has its
/// answer: its grant is spent and its handler has run by then.
pub(crate) fn decide() -> Result<String, Box<dyn Error>> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let house = House::new(on_the_disk_of_the_program()?, 60_000)?;
        let server = house.server();
        let mut desk = house.desk()?;
        let (mut latencies, spent) = (Vec::new(), cpu());
        for number in 0..DECISIONS {
            let mut calls = JoinSet::new();
            let server = server.clone();
            calls.spawn(async move { (call(&server, number).await, now()) });
            let committed;
            (desk, committed) = spawn_blocking(|| decided(desk)).await??;
            let (answer, went_on) = calls.join_next().await.ok_or("no call")??;
            if !runs(&answer?) {
                return Err("a call that was approved did not run".into());
            }
            latencies.push(went_on.saturating_duration_since(committed).as_secs_f64() * 1e6);
        }
        let spent = cpu().saturating_sub(spent);
        house.layer().try_shutdown().await?;
        let each = latencies.iter().sum::<f64>() / 1e6;
        let run = Saturated::of(DECISIONS, Duration::from_secs_f64(each), spent);
        Ok(run.figures(Some(&Paced::of(latencies)), None))
    })
}

/// Waits for a question, then says yes. When the decision was committed.
fn decided(desk: ApprovalDesk) -> Result<(ApprovalDesk, Instant), String> {
    let said = |error: &dyn Error| error.to_string();
    let listed = loop {
        match desk.list(Which::Pending, 1).map_err(|error| said(&error))?.pop() {
            Some(listed) => break listed,
            None => drop(desk.wait(Duration::from_secs(10)).map_err(|error| said(&error))?),
        }
    };
    // The call gets to its waiting, and the next look of its program is any time away.
    std::thread::sleep(Duration::from_micros(fastrand::u64(10_000..20_000)));
    let (vote, at) = (yes(&listed).map_err(|error| error.to_string())?, System::shared().wall());
    let voted = desk.vote(vote, at).map_err(|error| said(&error))?;
    let committed = now();
    match voted {
        Voted::Counted(_) => Ok((desk, committed)),
        other @ (Voted::Not(_) | Voted::NotFound) => {
            Err(format!("the vote does not count: {other:?}"))
        }
    }
}

fn yes(listed: &Listed) -> Result<Vote, Box<dyn Error>> {
    let now = System::shared().wall();
    let statement = Statement::new(&listed.kept.escalation, "bo", Choice::Approve, now, "");
    let sig = bo().sign_now(&statement.bytes()?);
    Ok(Vote::new(&statement, "", sig)?)
}

/// A list of all that is pending, with what approvers are shown, as the command makes it.
pub(crate) fn list() -> Result<String, Box<dyn Error>> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let house = House::new(on_the_disk_of_the_program()?, 0)?;
    runtime.block_on(house.fill(PENDING))?;
    runtime.block_on(house.layer().try_shutdown())?;
    let mut latencies = Vec::new();
    let spent = cpu();
    for _ in 0..ROUNDS {
        let started = now();
        let desk = house.desk()?;
        let listed = desk.list(Which::Pending, u32::try_from(PENDING)?)?;
        if listed.len() != PENDING {
            return Err("the list is not whole".into());
        }
        latencies.push(started.elapsed().as_secs_f64() * 1e6);
    }
    let whole = Duration::from_secs_f64(latencies.iter().sum::<f64>() / 1e6);
    let run = Saturated::of(ROUNDS, whole, cpu().saturating_sub(spent));
    Ok(run.figures(Some(&Paced::of(latencies)), None))
}

/// What the process takes of one processor while many calls are held, more questions are pending,
/// and nothing happens.
pub(crate) fn idle() -> Result<String, Box<dyn Error>> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let house = House::new(on_the_disk_of_the_program()?, 0)?;
        house.fill(PENDING).await?;
        house.layer().try_shutdown().await?;
        let House(Secured { layer, dir }) = house;
        drop(layer);
        let house = House::new(dir, 600_000)?;
        let mut held = JoinSet::new();
        for number in 0..HELD {
            let server = house.server();
            held.spawn(async move { call(&server, PENDING + number).await.is_ok() });
        }
        all_pending(&house.audit(), PENDING + HELD).await?;
        // Their lines go into the log, and the store forgets them.
        sleep(IDLE).await;
        let (started, spent) = (now(), cpu());
        sleep(IDLE).await;
        let (wall, spent) = (started.elapsed(), cpu().saturating_sub(spent));
        if held.try_join_next().is_some() {
            return Err("a call was not held".into());
        }
        held.shutdown().await;
        house.layer().try_shutdown().await?;
        let percent = 100.0 * spent.as_secs_f64() / wall.as_secs_f64();
        Ok(format!(
            "calls_per_s=- p50_us=- p99_us=- cpu_us=- vs_bare=- vs_limit=- cpu_percent={percent:.2}"
        ))
    })
}

async fn all_pending(dir: &Path, count: usize) -> Result<(), Box<dyn Error>> {
    for _ in 0..600 {
        let listed = ApprovalDesk::open(dir)?.list(Which::Pending, u32::try_from(count)?)?;
        if listed.len() == count {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err("not every call is held".into())
}
