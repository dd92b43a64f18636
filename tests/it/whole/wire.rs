//! With a client on the other side, in both eras.

use super::hand::{Hand, layer, slow};
use crate::drive::{Era, Session, call};
use crate::support::*;
use rmcp::ServerHandler;
use rmcp::handler::client::ClientHandler;
use rmcp::model::*;
use rmcp::service::RequestContext;
use rmcp::service::RoleServer;
use rmcp::service::{NotificationContext, RoleClient};
use sec0::ServerHandlerExt;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;

#[tokio::test]
async fn any_server_is_served_in_both_eras() {
    for era in Era::ALL {
        let (site, (hand, latch)) = (Site::default(), slow());
        latch.release(100);
        let sec0 = layer(&site);
        let session = Session::open(era, Arc::new(hand.clone()).layer(sec0.clone())).await;
        let tools = session.client.list_all_tools().await.unwrap();
        assert_eq!(tools.len(), 1);
        assert!(call(&session.client, "one", json!({})).await.is_ok());
        session.close().await;
        let record = site.close(&sec0).await;
        assert_eq!(record.only()["status"], "ok");
    }
}

#[derive(Clone, Default)]
struct Listener(Arc<Notify>);

impl ClientHandler for Listener {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.notify_one();
    }
}

/// A server that tells its client when its tools change.
#[derive(Clone)]
struct Loud(Hand);

impl ServerHandler for Loud {
    fn get_info(&self) -> ServerConfig {
        let tools = ServerCapabilities::builder().enable_tools().enable_tool_list_changed();
        ServerConfig::new(tools.build()).with_server_info(Implementation::new("demo", "1.0.0"))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.0.list_tools(request, context).await
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name == "grow" {
            self.0.change(|tools| tools.push(tool("late", None)));
            context.peer.notify_tool_list_changed().await.unwrap();
        }
        self.0.call_tool(request, context).await
    }
}

#[tokio::test]
async fn a_changed_list_is_announced_and_not_shown() {
    let (site, hand) = (Site::default(), Hand::with(&["one", "grow"]));
    let sec0 = layer(&site);
    let listener = Listener::default();
    let server = Loud(hand).layer(sec0.clone());
    let session = Session::open_with(Era::Sessions, server, listener.clone()).await;
    assert_eq!(session.client.list_all_tools().await.unwrap().len(), 2);
    assert!(call(&session.client, "grow", json!({})).await.is_ok());
    soon(listener.0.notified()).await;
    let error = crate::drive::error_data(session.client.list_tools(None).await.unwrap_err());
    assert_eq!(error.code, ErrorCode(-31050));
    assert!(call(&session.client, "one", json!({})).await.is_ok());
    session.close().await;
    let lines = site.close(&sec0).await;
    assert_eq!(lines.calls.len(), 2);
    let event: &Value = lines.events_of("registry_mutation")[0];
    assert_eq!(event["target_name"], "late");
}
