//! A real MCP server on streamable HTTP, behind the layer. The URL is the first line on stdout.
//!
//! `cargo run --example server_http -- --policy policy.yaml --dir .sec0 --addr 127.0.0.1:0`
#![expect(clippy::print_stdout, reason = "the URL is the program's answer")]

#[path = "demo/mod.rs"]
mod demo;
#[path = "demo/options.rs"]
mod options;

use demo::Demo;
use options::{Complaint, Options};
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use sec0::ToolRouterExt;
use std::io;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Complaint> {
    let options = Options::parse()?;
    let listener = TcpListener::bind(options.addr.as_deref().unwrap_or("127.0.0.1:0")).await?;
    if options.bare {
        return serve(listener, || Ok(Demo)).await;
    }
    // One layer for all sessions: they share the log and the frozen registry.
    let sec0 = options.layer()?;
    let server = Demo::tool_router().serving(Demo).layer(sec0.clone());
    sec0.check_lock()?;
    serve(listener, move || Ok(server.clone())).await?;
    sec0.try_shutdown().await?;
    Ok(())
}

async fn serve<H: ServerHandler>(
    listener: TcpListener,
    session: impl Fn() -> io::Result<H> + Send + Sync + 'static,
) -> Result<(), Complaint> {
    let config = StreamableHttpServerConfig::default();
    let stop = config.cancellation_token.clone();
    let sessions = std::sync::Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(session, sessions, config);
    println!("http://{}/mcp", listener.local_addr()?);
    axum::serve(listener, axum::Router::new().nest_service("/mcp", service))
        .with_graceful_shutdown(async move {
            asked_to_stop().await;
            stop.cancel();
        })
        .await?;
    Ok(())
}

/// Ctrl-C, or the signal of a service manager.
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
