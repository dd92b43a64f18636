use super::by_name::{ByName, Named};
use super::definition::{Form, definition, form};
use super::detached::detached_context;
use crate::registry::{Live, Manner, Snapshot};
use rmcp::handler::server::ServerHandler;
use rmcp::model::{PaginatedRequestParams, Tool};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::OnceCell;

/// A server that is called as a whole: its tools are those that it lists, and which handler runs
/// is its own affair.
pub(super) struct Whole<H> {
    server: Arc<H>,
    seen: OnceCell<ByName<Known>>,
}

/// A tool as the server listed it first.
#[derive(Debug)]
struct Known {
    tool: Tool,
    form: Form,
    told: Told,
}

/// What `get_tool` said of a tool when the list was taken.
#[derive(Debug)]
enum Told {
    /// Nothing: most servers do not answer it.
    Nothing,
    /// What the list said.
    AsListed,
    /// Something else, which is what later answers are held against.
    Otherwise(Box<Tool>),
}

impl Named for Known {
    fn name(&self) -> &str {
        &self.tool.name
    }
}

/// No server has more pages of tools; one that has is one that lists for ever.
const MAX_PAGES: usize = 1000;
/// No server has more tools.
const MAX_TOOLS: usize = 100_000;
/// How long a server may take to list its tools for the first time.
const FIRST_LIST: Duration = Duration::from_secs(30);

impl<H: ServerHandler> Whole<H> {
    pub(super) fn new(server: Arc<H>) -> Self {
        Self { server, seen: OnceCell::new() }
    }

    /// Takes the tools, if the server lists them without waiting for anything. It is asked once;
    /// what then waits is dropped, and asked again by [`see`](Self::see).
    pub(super) fn glance(&self) {
        // Without a runtime there is no context to ask with.
        if self.seen.initialized() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let asked = catch_unwind(AssertUnwindSafe(|| {
            let list = pin!(self.seen.get_or_try_init(|| self.list(detached_context())));
            list.poll(&mut Context::from_waker(Waker::noop())).map(|seen| seen.map(|_| ()))
        }));
        match asked {
            Ok(Poll::Ready(Ok(())) | Poll::Pending) => {}
            Ok(Poll::Ready(Err(error))) => later(&error),
            Err(_) => tracing::warn!(
                "the server panicked when it was asked for its tools; it is asked again before the first request about tools"
            ),
        }
    }

    /// Takes the tools, if that was not done before.
    ///
    /// # Errors
    ///
    /// Why the server does not list them, in its own words where it has any. The next request asks
    /// again.
    ///
    /// # Cancel safety
    ///
    /// Dropped while the server lists, nothing was taken.
    pub(super) async fn see(&self, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        let seen = self.seen.get_or_try_init(|| async {
            let listed = tokio::time::timeout(FIRST_LIST, self.list(context)).await;
            listed
                .unwrap_or_else(|_| Err(unlisted("took longer than 30 seconds to list its tools")))
        });
        seen.await.map(|_| ())
    }

    async fn list(&self, context: RequestContext<RoleServer>) -> Result<ByName<Known>, ErrorData> {
        let (mut tools, mut cursor) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let request =
                cursor.map(|cursor| PaginatedRequestParams::default().with_cursor(Some(cursor)));
            let page = self.server.list_tools(request, context.clone()).await?;
            tools.extend(page.tools);
            if tools.len() > MAX_TOOLS {
                return Err(unlisted("lists more than 100,000 tools"));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(ByName::new(tools.into_iter().filter_map(|tool| self.know(tool))));
            }
        }
        Err(unlisted("lists more than 1,000 pages of tools"))
    }

    fn know(&self, tool: Tool) -> Option<Known> {
        let form = form(&tool)?;
        let told = match self.server.get_tool(&tool.name) {
            None => Told::Nothing,
            Some(told) if told == tool => Told::AsListed,
            Some(told) => Told::Otherwise(Box::new(told)),
        };
        Some(Known { tool, form, told })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Tool> {
        Some(&self.seen.get()?.get(name)?.tool)
    }

    pub(super) fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.seen.get().into_iter().flat_map(ByName::iter).map(|known| &known.tool)
    }

    /// What was seen; `None` while nothing was.
    pub(super) fn snapshot(&self, manner: &Manner) -> Option<Snapshot> {
        let known = self.seen.get()?.iter();
        Some(Snapshot::new(known.map(|known| definition(&known.tool, &known.form, manner))))
    }

    /// What the server says of the tool now.
    pub(super) fn sight(&self, name: &str) -> Live {
        let now = self.server.get_tool(name);
        let Some(known) = self.seen.get().and_then(|seen| seen.get(name)) else {
            return now.map_or(Live::Missing, |_| Live::Changed);
        };
        match (&known.told, now) {
            (Told::Nothing, None) => Live::Untold,
            (Told::AsListed | Told::Otherwise(_), None) => Live::Missing,
            (Told::Nothing | Told::AsListed, Some(now)) => compare(&known.tool, &now),
            (Told::Otherwise(told), Some(now)) => compare(told, &now),
        }
    }
}

fn compare(frozen: &Tool, now: &Tool) -> Live {
    if frozen == now { Live::Same } else { Live::Changed }
}

fn later(error: &ErrorData) {
    tracing::debug!(%error, "the server does not list its tools yet; it is asked again before the first request about tools");
}

fn unlisted(why: &'static str) -> ErrorData {
    ErrorData::internal_error(format!("the server {why}"), None)
}
