//! A server that has what the conformance suites of MCP ask for: bare, or behind the layer in one of
//! its forms. The URL is the first line on stdout. `tests/interop/conformance.py` compares them.
//!
//! `cargo run --example conformance -- --form bare`
#![expect(clippy::print_stdout, reason = "the URL is the program's answer")]

mod asking;
mod changes;
mod fixture;
mod input_required;
mod options;
mod prompts;
mod resources;
mod seal;
mod skills;
mod tasks;
mod tools;
mod words;

use fixture::Fixture;
use options::{Complaint, Form, Options};
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use sec0::{ServerHandlerExt, ToolRouterExt};
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Complaint> {
    let options = Options::parse()?;
    let fixture = Fixture::new()?;
    let listener = TcpListener::bind(&options.addr).await?;
    if options.form == Form::Bare {
        return serve(listener, move || Ok(fixture.clone())).await;
    }
    // One layer for all sessions: they share the log and the frozen registry.
    let sec0 = options.layer()?;
    match options.form {
        Form::Bare => {}
        Form::Owned => {
            let server = Fixture::routes().serving(fixture).layer(sec0.clone());
            serve(listener, move || Ok(server.clone())).await?;
        }
        Form::Any => {
            // As a server without a router would do it: wrapped anew for each session.
            let layer = sec0.clone();
            serve(listener, move || Ok(fixture.clone().layer(layer.clone()))).await?;
        }
    }
    sec0.try_shutdown().await?;
    Ok(())
}

async fn serve<H: ServerHandler>(
    listener: TcpListener,
    session: impl Fn() -> io::Result<H> + Send + Sync + 'static,
) -> Result<(), Complaint> {
    let config = StreamableHttpServerConfig::default();
    let stop = config.cancellation_token.clone();
    let sessions = Arc::new(LocalSessionManager::default());
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
