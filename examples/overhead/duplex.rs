//! End to end: a client, an in-memory duplex, a server; bare and behind the layer in turn.

use crate::machine::{now, spin_until};
use crate::measure::Paced;
use crate::rows::current_thread;
use crate::subject::{Bare, Secured, arguments, name};
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::{ServerHandler, ServiceExt};
use std::error::Error;
use std::time::Duration;

const ROUNDS: usize = 60;
const CALLS: usize = 200;

type Client = RunningService<RoleClient, ()>;

pub fn row() -> Result<String, Box<dyn Error>> {
    current_thread()?.block_on(async {
        let secured = Secured::new()?;
        let bare = connect(Bare::with_tools(1)).await?;
        let layered = connect(secured.server(1)).await?;
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

/// Calls at the pace at which a signer keeps up, so that latency is measured and not a backlog.
async fn calls(client: &Client, latencies: &mut Vec<f64>) -> Result<(), Box<dyn Error>> {
    let mut at = now();
    for _ in 0..CALLS {
        let params = CallToolRequestParams::new(name(0)).with_arguments(arguments(64));
        at = now().max(at + Duration::from_micros(100));
        spin_until(at);
        let asked = now();
        client.call_tool(params).await?;
        latencies.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    Ok(())
}
