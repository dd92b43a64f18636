//! A real MCP server on stdio, behind the layer.
//!
//! `cargo run --example server_stdio -- --policy policy.yaml --dir .sec0`

#[path = "demo/mod.rs"]
mod demo;
#[path = "demo/options.rs"]
mod options;

use demo::Demo;
use options::{Complaint, Options};
use rmcp::ServiceExt;
use rmcp::transport::stdio;
use sec0::ToolRouterExt;

#[tokio::main]
async fn main() -> Result<(), Complaint> {
    let options = Options::parse()?;
    if options.bare {
        Demo.serve(stdio()).await?.waiting().await?;
        return Ok(());
    }
    let sec0 = options.layer()?;
    let server = Demo::tool_router().serving(Demo).layer(sec0.clone());
    sec0.check_lock()?;
    server.serve(stdio()).await?.waiting().await?;
    sec0.try_shutdown().await?;
    Ok(())
}
