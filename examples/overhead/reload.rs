//! Calls while policies of 10,000 rules are taken one after the other.

use crate::measure::{Load, Paced, paced, saturated};
use crate::rows::current_thread;
use crate::subject::Secured;
use sec0::mcp::detached_context;
use sec0::policy::{Policy, PolicySource, PolicyVersion};
use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const RULES: usize = 10_000;

/// Paced calls, and the same while a thread reads and compiles policies and swaps them.
pub(crate) fn row() -> Result<String, Box<dyn Error>> {
    let before = round(None)?;
    let turns = Arc::new(AtomicUsize::new(0));
    let texts = [text(1)?, text(2)?];
    let during = round(Some(Turning { texts, turns: Arc::clone(&turns) }))?;
    Ok(format!(
        "calls_per_s=- p50_us={:.2} p99_us={:.2} cpu_us=- vs_bare={:.2} vs_limit=- \
         still_p99_us={:.2} reloads={}",
        during.p50,
        during.p99,
        during.p50 / before.p50,
        before.p99,
        turns.load(Ordering::Relaxed)
    ))
}

fn round(source: Option<Turning>) -> Result<Paced, Box<dyn Error>> {
    let load = Load { tools: 1, bytes: 64 };
    let secured = Secured::with(|options| match source {
        Some(source) => options.policy_source(source).reload_every(Duration::from_millis(1)),
        None => options,
    })?;
    current_thread()?.block_on(async {
        let (server, context) = (secured.owned(1), detached_context());
        saturated(&server, &context, load, 2_000, async || Ok(())).await?;
        let paced = paced(&server, &context, load).await?;
        secured.layer.try_shutdown().await?;
        Ok(paced)
    })
}

/// Rules for other tools, and a limit that tells the versions apart.
fn text(version: usize) -> Result<String, Box<dyn Error>> {
    let mut text = format!(
        "tenant: bench\ndefault_retention: 30d\nsigning: {{enabled: true}}\n\
         tools: {{allowlist: ['mcp://bench/*']}}\nenforcement: {{mode: enforce}}\n\
         security: {{limits: {{max_payload_kb: {version}}}}}\nrules:\n"
    );
    for rule in 0..RULES {
        writeln!(
            text,
            "- {{id: r{rule}, tool: mcp://bench/t{rule}, pointer: /a, op: eq, value: 1, effect: deny}}"
        )?;
    }
    Ok(text)
}

/// Another policy at every look.
#[derive(Debug)]
struct Turning {
    texts: [String; 2],
    turns: Arc<AtomicUsize>,
}

impl PolicySource for Turning {
    fn look(&mut self) -> Option<PolicyVersion> {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        let text = self.texts.get(turn % 2)?;
        Some(PolicyVersion { found: None, policy: Policy::from_yaml(text) })
    }
}
