//! A server that holds its router behind a lock, and handlers that note which of them ran.

use crate::drive::{Era, House, Session, call, denial, error_data, text};
use parking_lot::{Mutex as ParkingMutex, RwLock as ParkingRwLock};
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorCode, ErrorData,
    Implementation, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ServerHandler, object};
use sec0::mcp::HeldRouter;
use sec0::{Sec0SecurityLayer, ToolRouterExt};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use tokio::sync::Notify;

/// A server with plugins. Its handlers note which of them ran.
#[derive(Clone)]
pub(crate) struct Plugins {
    pub(crate) tools: Arc<dyn HeldRouter<Self>>,
    pub(crate) ran: Arc<Ran>,
}

#[derive(Default)]
pub(crate) struct Ran {
    pub(crate) good: AtomicUsize,
    pub(crate) evil: AtomicUsize,
    pub(crate) begun: Notify,
    pub(crate) go_on: Notify,
}

impl Ran {
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.good.load(Ordering::SeqCst), self.evil.load(Ordering::SeqCst))
    }
}

impl Plugins {
    fn now(&self) -> ToolRouter<Self> {
        let mut router = ToolRouter::new();
        self.tools.look(&mut |now| router = now.clone());
        router
    }
}

impl ServerHandler for Plugins {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("plugins", "1.0.0"))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.now().get(name).cloned()
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.now().list_all()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.now().call(ToolCallContext::new(self, request, context)).await
    }
}

pub(crate) fn definition(name: &'static str) -> Tool {
    Tool::new(name, "Does what it says", object!({"type": "object"}))
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a handler gives back")]
fn answer(text: &'static str) -> Result<CallToolResponse, ErrorData> {
    Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
}

pub(crate) fn good(name: &'static str) -> ToolRoute<Plugins> {
    ToolRoute::new_dyn(definition(name), |context: ToolCallContext<'_, Plugins>| {
        context.service.ran.good.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { answer("good") })
    })
}

/// A route with the same definition, and a handler that nobody asked for.
pub(crate) fn evil(name: &'static str) -> ToolRoute<Plugins> {
    ToolRoute::new_dyn(definition(name), |context: ToolCallContext<'_, Plugins>| {
        context.service.ran.evil.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { answer("evil") })
    })
}

/// A route whose handler says that it has begun, and waits to be let go.
pub(crate) fn patient(name: &'static str) -> ToolRoute<Plugins> {
    ToolRoute::new_dyn(definition(name), |context: ToolCallContext<'_, Plugins>| {
        let ran = Arc::clone(&context.service.ran);
        Box::pin(async move {
            ran.begun.notify_one();
            ran.go_on.notified().await;
            ran.good.fetch_add(1, Ordering::SeqCst);
            answer("finished")
        })
    })
}

pub(crate) fn router() -> ToolRouter<Plugins> {
    ToolRouter::new().with_route(good("one")).with_route(good("two")).with_route(patient("slow"))
}

/// A lock that a server may hold its router behind.
pub(crate) trait Lock: HeldRouter<Plugins> + Sized {
    fn around(router: ToolRouter<Plugins>) -> Self;
    fn change(&self, change: impl FnOnce(&mut ToolRouter<Plugins>));
}

impl Lock for RwLock<ToolRouter<Plugins>> {
    fn around(router: ToolRouter<Plugins>) -> Self {
        Self::new(router)
    }

    fn change(&self, change: impl FnOnce(&mut ToolRouter<Plugins>)) {
        change(&mut self.write().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Lock for Mutex<ToolRouter<Plugins>> {
    fn around(router: ToolRouter<Plugins>) -> Self {
        Self::new(router)
    }

    fn change(&self, change: impl FnOnce(&mut ToolRouter<Plugins>)) {
        change(&mut self.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl Lock for ParkingRwLock<ToolRouter<Plugins>> {
    fn around(router: ToolRouter<Plugins>) -> Self {
        Self::new(router)
    }

    fn change(&self, change: impl FnOnce(&mut ToolRouter<Plugins>)) {
        change(&mut self.write());
    }
}

impl Lock for ParkingMutex<ToolRouter<Plugins>> {
    fn around(router: ToolRouter<Plugins>) -> Self {
        Self::new(router)
    }

    fn change(&self, change: impl FnOnce(&mut ToolRouter<Plugins>)) {
        change(&mut self.lock());
    }
}

/// A wrapped server over a router behind `L`, and a client on it.
pub(crate) struct Held<L> {
    pub(crate) house: House,
    pub(crate) sec0: Sec0SecurityLayer,
    pub(crate) tools: Arc<L>,
    pub(crate) ran: Arc<Ran>,
    pub(crate) session: Session,
}

impl<L: Lock> Held<L> {
    pub(crate) async fn new(policy: &str) -> Self {
        let house = House::new(policy);
        let sec0 = house.layer();
        let (tools, ran) = (Arc::new(L::around(router())), Arc::new(Ran::default()));
        let server = Plugins { tools: tools.clone(), ran: Arc::clone(&ran) };
        let server = Arc::clone(&tools).serving(server).layer(sec0.clone());
        let session = Session::open(Era::Sessions, server).await;
        Self { house, sec0, tools, ran, session }
    }

    pub(crate) async fn call(&self, tool: &str) -> Result<CallToolResult, ErrorData> {
        call(&self.session.client, tool, json!({})).await
    }

    pub(crate) async fn runs(&self, tool: &str) {
        let before = self.ran.counts();
        assert_eq!(text(&self.call(tool).await.unwrap()), "good");
        assert_eq!(self.ran.counts(), (before.0 + 1, before.1));
    }

    pub(crate) async fn is_refused(&self, tool: &str, code: &str, reason: &str) {
        let before = self.ran.counts();
        let result = self.call(tool).await.unwrap();
        let why = denial(&result);
        assert_eq!((&why["code"], &why["reason"]), (&json!(code), &json!(reason)), "{tool}");
        assert_eq!(why["executed"], false);
        assert_eq!(self.ran.counts(), before, "{tool} ran");
    }

    pub(crate) async fn is_unknown(&self, tool: &str) {
        let before = self.ran.counts();
        assert_eq!(self.call(tool).await.unwrap_err().code, ErrorCode::INVALID_PARAMS);
        assert_eq!(self.ran.counts(), before);
    }

    pub(crate) async fn lists(&self) -> Vec<String> {
        let list = self.session.client.list_tools(None).await.unwrap();
        list.tools.into_iter().map(|tool| tool.name.into_owned()).collect()
    }

    pub(crate) async fn does_not_list(&self) {
        let error = error_data(self.session.client.list_tools(None).await.unwrap_err());
        assert_eq!(error.code, ErrorCode(-31050));
        assert_eq!(error.data.unwrap()["code"], "REGISTRY_FROZEN");
    }

    pub(crate) async fn end(self) -> (Vec<Value>, Vec<Value>) {
        self.session.close().await;
        self.sec0.try_shutdown().await.unwrap();
        (self.house.records(), self.house.events())
    }
}

pub(crate) fn held_route(tools: &impl HeldRouter<Plugins>, name: &str) -> ToolRoute<Plugins> {
    let mut route = None;
    tools.look(&mut |router| route = router.map.get(name).cloned());
    route.unwrap()
}

pub(crate) type StdLock = RwLock<ToolRouter<Plugins>>;
pub(crate) type StdMutex = Mutex<ToolRouter<Plugins>>;
pub(crate) type ParkingLock = ParkingRwLock<ToolRouter<Plugins>>;
pub(crate) type ParkingMutexLock = ParkingMutex<ToolRouter<Plugins>>;
