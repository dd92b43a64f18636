//! An orchestrator, two agents and a tool server in one process: every step is judged before it runs,
//! one is denied, and the two logs show as one tree what followed from what.
//!
//! `cargo run --example hops [-- --dir DIR]`
#![expect(clippy::unused_self, reason = "rmcp's macro wants methods")]
#![expect(clippy::print_stdout, reason = "the story is the program's answer")]

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, Implementation, MetaObject, RequestMetaObject};
use rmcp::model::{ServerCapabilities, ServerConfig, object};
use rmcp::service::{RoleClient, RunningService};
use rmcp::{ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use sec0::audit::{RunTree, verify_dir};
use sec0::hop::{HopContext, Sec0App};
use sec0::identity::agent_state::RunId;
use sec0::sign::key_file;
use sec0::{Policy, Sec0Options, Sec0SecurityLayer, ToolRouterExt};
use serde_json::json;
use std::path::{Path, PathBuf};

type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// What the functions of this program are; sec0 finds them by their names.
const CONFIG: &str = "
app:
  tenant: acme
  environment: dev
  client: {name: order-desk, version: '1.2'}
  policy: policy.yaml
  hops:
    Desk.serve: {type: orchestrator, nodeId: desk}
    Buyer.run: {type: agent, nodeId: buyer, agentName: buyer, agentVersion: '1.0'}
    Clerk.run: {type: agent, nodeId: clerk, agentName: clerk, agentVersion: '1.0'}
    Ledger.erase: {type: tool, nodeId: ledger, server: ledger, tool: erase@1.0, operation: delete}
controlPlane:
  sec0Dir: state
  localSignerPath: keys/hops.key
  appenderDir: hops
";

/// What they may do: everything but what the ledger can.
const POLICY: &str = "
tenant: acme
default_retention: 30d
signing: {enabled: true}
tools: {allowlist: ['mcp://sec0-orchestrator/*@*', 'mcp://sec0-agent/*@*', 'mcp://warehouse/*@*']}
enforcement: {deny_on: [tool_not_in_allowlist]}
";

/// A server of its own, with a log and a key of its own.
struct Warehouse;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Item {
    item: String,
}

fn v1() -> MetaObject {
    MetaObject(object(json!({ "sec0/version": "1.0" })))
}

#[tool_router]
impl Warehouse {
    #[tool(description = "Looks", annotations(read_only_hint = true), meta = v1())]
    fn look(&self, Parameters(Item { item }): Parameters<Item>) -> String {
        format!("there are 7 of {item}")
    }

    #[tool(description = "Takes one", meta = v1())]
    fn take(&self, Parameters(Item { item }): Parameters<Item>) -> String {
        format!("one {item} less")
    }
}

#[tool_handler]
impl ServerHandler for Warehouse {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("warehouse", "1.0.0"))
    }
}

/// The orchestrator and its agents.
struct Desk {
    app: Sec0App,
    warehouse: RunningService<RoleClient, ()>,
}

impl Desk {
    async fn serve(&self, order: &str) -> Result<String, Trouble> {
        let body = |hop: HopContext| async move {
            hop.objective("one order, delivered and booked")?;
            let bought = self.buy(order).await?;
            Ok(format!("{bought}; {}", self.book(order).await?))
        };
        self.app.hop("Desk.serve")?.run(json!({ "order": order }), body).await
    }

    async fn buy(&self, item: &str) -> Result<String, Trouble> {
        let body = |hop: HopContext| async move {
            println!("   buyer: {}", self.call(&hop, "look", item).await?);
            self.call(&hop, "take", item).await
        };
        self.app.hop("Buyer.run")?.run(json!({ "item": item }), body).await
    }

    async fn book(&self, item: &str) -> Result<String, Trouble> {
        let body = |_| async move {
            match self.erase().await {
                Ok(()) => Ok("booked, and the ledger is gone".to_owned()),
                Err(refused) => Ok(format!("{item} booked; the ledger stays: {refused}")),
            }
        };
        self.app.hop("Clerk.run")?.run(json!({ "item": item }), body).await
    }

    async fn erase(&self) -> Result<(), Trouble> {
        let body = |_| async {
            println!("   ledger: erased");
            Ok(())
        };
        self.app.hop("Ledger.erase")?.run((), body).await
    }

    /// Calls a tool of the server, which is told by whom and in which run.
    async fn call(
        &self,
        hop: &HopContext,
        tool: &'static str,
        item: &str,
    ) -> Result<String, Trouble> {
        let mut params =
            CallToolRequestParams::new(tool).with_arguments(object(json!({ "item": item })));
        params.meta = Some(RequestMetaObject(MetaObject(hop.meta()?)));
        let result = self.warehouse.call_tool(params).await?;
        Ok(result.content.iter().filter_map(|part| Some(part.as_text()?.text.clone())).collect())
    }
}

#[tokio::main]
async fn main() -> Result<(), Trouble> {
    let temporary = tempfile::tempdir()?;
    let dir = dir_asked_for()?.unwrap_or_else(|| temporary.path().to_owned());
    set_up(&dir)?;
    let app = Sec0App::load(dir.join("sec0.config.yaml"))?;
    let options = Sec0Options::new(Policy::from_yaml(POLICY)?).audit_dir(dir.join("server"));
    let sec0 = Sec0SecurityLayer::try_new(options)?;
    let (at_server, at_client) = tokio::io::duplex(1 << 16);
    let warehouse = Warehouse::tool_router().serving(Warehouse).layer(sec0.clone());
    let (server, client) = tokio::join!(warehouse.serve(at_server), ().serve(at_client));
    let (server, warehouse) = (server?, client?);

    println!("1. The desk serves an order.");
    let desk = Desk { app: app.clone(), warehouse };
    let run = RunId::fresh();
    let said = app.run().id(run.as_str())?.scope(desk.serve("bolt")).await?;
    println!("   desk: {said}");

    desk.warehouse.cancel().await?;
    server.waiting().await?;
    sec0.try_shutdown().await?;
    app.try_shutdown().await?;
    show(&dir, run.as_str())
}

/// The tree over both logs, and whether each of them holds.
fn show(dir: &Path, run: &str) -> Result<(), Trouble> {
    let logs = [dir.join("hops"), dir.join("server")];
    let public = ["keys/hops.pub", "server/keys/ed25519.pub"].map(|file| dir.join(file));
    let keys = [key_file::read_public(&public[0])?, key_file::read_public(&public[1])?];
    println!("\n2. What followed from what, in both logs. In another terminal one would type:");
    let [hops, server] = &logs;
    println!("   sec0 audit tree {} {} --run {run}", hops.display(), server.display());
    let tree = RunTree::read(&logs, run, &keys)?;
    for node in &tree.nodes {
        let (record, indent) = (&node.record, 2 * node.depth);
        let word = |text: &Option<Box<str>>| text.as_deref().unwrap_or("-").to_owned();
        let (node_id, status) = (word(&record.node_id), word(&record.status));
        let reason = record.reason.as_deref().map_or(String::new(), |reason| format!(" {reason}"));
        let ran = if record.executed == Some(false) { ", not run" } else { "" };
        println!("   {:indent$}{} ({node_id}): {status}{reason}{ran}", "", record.name());
    }
    println!("   unlinked: {}", tree.unlinked());
    println!("\n3. Do they hold?");
    for (log, key) in logs.iter().zip(keys) {
        println!("   {} holds: {} records", log.display(), verify_dir(log, &[key])?.records);
    }
    Ok(())
}

/// The files that a user would have written.
fn set_up(dir: &Path) -> Result<(), Trouble> {
    let key = dir.join("keys/hops.key");
    if !key.exists() {
        std::fs::create_dir_all(dir.join("keys"))?;
        key_file::generate(&key)?;
    }
    std::fs::write(dir.join("sec0.config.yaml"), CONFIG)?;
    std::fs::write(dir.join("policy.yaml"), POLICY)?;
    Ok(())
}

fn dir_asked_for() -> Result<Option<PathBuf>, Trouble> {
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next()) {
        (None, _) => Ok(None),
        (Some("--dir"), Some(dir)) => Ok(Some(dir.into())),
        _ => Err("usage: hops [--dir DIR]".into()),
    }
}
