//! Hops: a function of the program behind the steps, against the same function called plainly.

use crate::machine::{cpu, now, on_one_core, spin_until};
use crate::measure::{Paced, Saturated};
use crate::rows::current_thread;
use sec0::config::ConfigReader;
use sec0::hop::{AppOptions, HopHandle, Sec0App};
use sec0::{AuditMode, Refusal};
use serde_json::{Value, json};
use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use tempfile::TempDir;

const PACE: Duration = Duration::from_micros(60);
const PACED: usize = 20_000;
const CALLS: usize = 60_000;
/// A call that is next to nothing takes many to be measured.
const PLAIN_CALLS: usize = 2_000_000;

/// The function: it looks at its input and gives a small result.
#[expect(clippy::unused_async, reason = "hops are async, and so is what they are held against")]
async fn look(input: &Value) -> Result<usize, Refusal> {
    Ok(std::hint::black_box(input).as_object().map_or(0, serde_json::Map::len))
}

struct Program {
    app: Sec0App,
    _dir: TempDir,
}

impl Program {
    fn new(is_off: bool) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("keys"))?;
        let key = dir.path().join("keys/ed25519.key");
        fs::write(&key, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n")?;
        fs::set_permissions(&key, Permissions::from_mode(0o600))?;
        fs::write(
            dir.path().join("policy.yaml"),
            "tenant: bench\ndefault_retention: 30d\nsigning: {enabled: true}\n\
             tools: {allowlist: ['mcp://bench/*']}\n\
             enforcement: {deny_on: [tool_not_in_allowlist, version_unpinned, payload_too_large]}\n\
             security: {limits: {max_payload_kb: 1024}}\n",
        )?;
        let config = ConfigReader::new().relative_to(dir.path()).yaml(
            "app:\n  tenant: bench\n  environment: dev\n  policy: policy.yaml\n  hops:\n    \
             Bench.look: {type: tool, nodeId: bench, server: bench, tool: look@1.0, operation: read}\n\
             controlPlane: {sec0Dir: state, localSignerPath: keys/ed25519.key, appenderDir: log}\n",
        )?;
        let options = AppOptions::new(config).audit_mode(AuditMode::Batch);
        let app = if is_off { options.off().start()? } else { options.start()? };
        Ok(Self { app, _dir: dir })
    }

    fn hop(&self) -> Result<HopHandle, Box<dyn Error>> {
        Ok(self.app.hop("Bench.look")?)
    }
}

fn input() -> Value {
    json!({ "text": "x".repeat(53) })
}

/// Plain calls: what the others are held against.
pub(crate) fn plain() -> Result<String, Box<dyn Error>> {
    let input = input();
    current_thread()?.block_on(async {
        let paced = paced(async || look(&input).await.map(drop)).await?;
        let full = saturated(PLAIN_CALLS, async || look(&input).await.map(drop)).await?;
        Ok(full.figures(Some(&paced), None))
    })
}

/// Hops that are switched off.
pub(crate) fn off() -> Result<String, Box<dyn Error>> {
    let (input, program) = (input(), Program::new(true)?);
    let hop = program.hop()?;
    let call = async || hop.run(&input, |_| look(&input)).await.map(drop);
    current_thread()?.block_on(async {
        let paced = paced(call).await?;
        let full = program.app.scope(saturated(PLAIN_CALLS, call)).await?;
        Ok(full.figures(Some(&paced), None))
    })
}

/// Hops that are judged and recorded, in one run.
pub(crate) fn judged(limit: f64) -> Result<String, Box<dyn Error>> {
    let paced = current_thread()?.block_on(async {
        let (input, program) = (input(), Program::new(false)?);
        let hop = program.hop()?;
        let call = async || hop.run(&input, |_| look(&input)).await.map(drop);
        program.app.scope(saturated(2_000, call)).await?;
        let paced = program.app.scope(paced(call)).await?;
        program.app.try_shutdown().await?;
        Ok::<_, Box<dyn Error>>(paced)
    })?;
    let full = on_one_core(|| current_thread()?.block_on(full_run()))??;
    Ok(full.figures(Some(&paced), Some(limit)))
}

async fn full_run() -> Result<Saturated, Box<dyn Error>> {
    let (input, program) = (input(), Program::new(false)?);
    let hop = program.hop()?;
    let (started, spent) = (now(), cpu());
    let calls = async {
        for _ in 0..CALLS {
            hop.run(&input, |_| look(&input)).await?;
        }
        Ok::<_, Refusal>(())
    };
    program.app.scope(calls).await?;
    program.app.try_shutdown().await?;
    Ok(Saturated::of(CALLS, started.elapsed(), cpu().saturating_sub(spent)))
}

async fn paced<F>(call: F) -> Result<Paced, Refusal>
where
    F: AsyncFn() -> Result<(), Refusal>,
{
    let mut latencies = Vec::with_capacity(PACED);
    let mut at = now();
    for _ in 0..PACED {
        at += PACE;
        spin_until(at);
        let asked = now();
        call().await?;
        latencies.push(asked.elapsed().as_secs_f64() * 1e6);
        tokio::task::yield_now().await;
    }
    Ok(Paced::of(latencies))
}

async fn saturated<F>(calls: usize, call: F) -> Result<Saturated, Refusal>
where
    F: AsyncFn() -> Result<(), Refusal>,
{
    let (started, spent) = (now(), cpu());
    for _ in 0..calls {
        call().await?;
    }
    Ok(Saturated::of(calls, started.elapsed(), cpu().saturating_sub(spent)))
}
