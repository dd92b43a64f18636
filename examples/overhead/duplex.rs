//! End to end: a client, an in-memory duplex, a server; bare and behind the layer in turn.

use crate::machine::now;
use crate::measure::Paced;
use crate::rows::current_thread;
use crate::subject::{Bare, Secured, arguments, name};
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::{ServerHandler, ServiceExt};
use sec0::Sec0Options;
use std::error::Error;

const ROUNDS: usize = 60;
const CALLS: usize = 200;

type Client = RunningService<RoleClient, ()>;

pub(crate) fn row() -> Result<String, Box<dyn Error>> {
    against_bare(Secured::new)
}

/// Without `_meta["sec0/trace"]` in the reply, which costs any rmcp pair more than the stack does.
pub(crate) fn plain() -> Result<String, Box<dyn Error>> {
    against_bare(|| Secured::with(Sec0Options::without_trace_meta))
}

fn against_bare(
    secured: impl FnOnce() -> Result<Secured, Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    current_thread()?.block_on(async {
        let secured = secured()?;
        let bare = connect(Bare::with_tools(1)).await?;
        let layered = connect(secured.owned(1)).await?;
        let (mut of_bare, mut of_layered) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            calls(&bare, &mut of_bare).await?;
            calls(&layered, &mut of_layered).await?;
        }
        secured.layer.try_shutdown().await?;
        let (bare, layered) = (Paced::of(of_bare), Paced::of(of_layered));
        Ok(format!(
            "calls_per_s=- p50_us={:.2} p99_us={:.2} cpu_us=- vs_bare={:.2} vs_limit=-",
            layered.p50,
            layered.p99,
            layered.p50 / bare.p50
        ))
    })
}

async fn connect<H: ServerHandler>(server: H) -> Result<Client, Box<dyn Error>> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let serving = async move { server.serve(theirs).await };
    let (client, running) = tokio::join!(().serve(ours), serving);
    let running = running?;
    #[expect(clippy::disallowed_methods, reason = "the server ends with the process")]
    tokio::spawn(async move { running.waiting().await });
    Ok(client?)
}

/// Calls that follow each other, in rounds that the backlog takes easily.
async fn calls(client: &Client, latencies: &mut Vec<f64>) -> Result<(), Box<dyn Error>> {
    for _ in 0..CALLS {
        let params = CallToolRequestParams::new(name(0)).with_arguments(arguments(64));
        let asked = now();
        client.call_tool(params).await?;
        latencies.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    Ok(())
}
