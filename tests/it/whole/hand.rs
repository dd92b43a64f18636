//! A server written by hand, with everything that one may do differently, and what to ask of it.

use crate::support::*;
use rmcp::ServerHandler;
use rmcp::model::*;
use rmcp::service::{RequestContext, RoleServer};
use sec0::Sec0SecurityLayer;
use sec0::mcp::detached_context;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A server written by hand, with everything that one may do differently.
#[derive(Clone, Default)]
pub(crate) struct Hand(pub(crate) Arc<Inside>);

#[derive(Default)]
pub(crate) struct Inside {
    pub(crate) tools: Mutex<Vec<Tool>>,
    /// What `get_tool` says; `None` is nothing.
    pub(crate) told: Mutex<Option<Vec<Tool>>>,
    /// Tools on a page; 0 is all of them.
    pub(crate) page: usize,
    /// The list is given after this latch.
    pub(crate) latch: Option<Latch>,
    pub(crate) is_broken: AtomicBool,
    pub(crate) panics: AtomicBool,
    pub(crate) is_endless: bool,
    pub(crate) listed: AtomicUsize,
    pub(crate) runs: Runs,
}

impl Hand {
    pub(crate) fn with(tools: &[&'static str]) -> Self {
        Self::made(tools, |_| {})
    }

    /// One that answers `get_tool` as it lists.
    pub(crate) fn telling(tools: &[&'static str]) -> Self {
        let hand = Self::with(tools);
        hand.tell();
        hand
    }

    pub(crate) fn made(tools: &[&'static str], make: impl FnOnce(&mut Inside)) -> Self {
        let tools = tools.iter().map(|&name| tool(name, Some("1.0"))).collect();
        let mut inside = Inside { tools: Mutex::new(tools), ..Inside::default() };
        make(&mut inside);
        Self(Arc::new(inside))
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Vec<Tool>)) {
        change(&mut self.0.tools.lock().unwrap());
        if self.0.told.lock().unwrap().is_some() {
            self.tell();
        }
    }

    pub(crate) fn tell(&self) {
        let tools = self.0.tools.lock().unwrap().clone();
        *self.0.told.lock().unwrap() = Some(tools);
    }

    pub(crate) fn runs(&self) -> usize {
        self.0.runs.get()
    }

    fn page(&self, from: usize) -> ListToolsResult {
        let tools = self.0.tools.lock().unwrap();
        let size = if self.0.page == 0 { tools.len().max(1) } else { self.0.page };
        let page = tools.iter().skip(from).take(size).cloned().collect();
        let mut page = ListToolsResult::with_all_items(page);
        let next = from + size;
        page.next_cursor = (self.0.is_endless || next < tools.len()).then(|| next.to_string());
        page
    }
}

impl ServerHandler for Hand {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("demo", "1.0.0"))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.0.listed.fetch_add(1, Ordering::SeqCst);
        assert!(!self.0.panics.load(Ordering::SeqCst), "the list panics");
        if let Some(latch) = &self.0.latch {
            latch.pass().await;
        }
        if self.0.is_broken.load(Ordering::SeqCst) {
            return Err(ErrorData::internal_error("who asks?", None));
        }
        let cursor = request.and_then(|request| request.cursor);
        Ok(self.page(cursor.map_or(0, |cursor| cursor.parse().unwrap())))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let told = self.0.told.lock().unwrap();
        told.as_ref()?.iter().find(|tool| tool.name == name).cloned()
    }

    /// Runs whatever it is asked for, listed or not.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0.runs.up();
        Ok(CallToolResult::success(vec![ContentBlock::text(request.name)]).into())
    }
}

pub(crate) async fn list<S: ServerHandler>(server: &S) -> Result<Vec<String>, ErrorData> {
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let request = PaginatedRequestParams::default().with_cursor(cursor);
        let page = server.list_tools(Some(request), detached_context()).await?;
        names.extend(page.tools.into_iter().map(|tool| tool.name.into_owned()));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(names);
        }
    }
}

pub(crate) fn is_frozen_list(listed: Result<Vec<String>, ErrorData>) {
    let error = listed.unwrap_err();
    assert_eq!(error.code, ErrorCode(-31050), "{error:?}");
    assert_eq!(error.data.unwrap()["code"], "REGISTRY_FROZEN");
}

pub(crate) fn is_frozen_call(answer: &Answer) {
    let denial = denial(answer);
    assert_eq!(denial["code"], "REGISTRY_FROZEN");
    assert_eq!(denial["reason"], "registry_mutation");
    assert_eq!(denial["executed"], false);
}

pub(crate) fn is_unknown(answer: &Answer) {
    let error = answer.as_ref().unwrap_err();
    assert_eq!((error.code, &*error.message), (ErrorCode::INVALID_PARAMS, "tool not found"));
}

pub(crate) fn layer(site: &Site) -> Sec0SecurityLayer {
    // Whatever policy says: these refusals are not the policy's.
    site.layer(&Rules::observe())
}

/// A server that waits before it lists, and the latch on which it does.
pub(crate) fn slow() -> (Hand, Latch) {
    let latch = Latch::new();
    let hand = Hand::made(&["one"], |inside| inside.latch = Some(latch.clone()));
    (hand, latch)
}
