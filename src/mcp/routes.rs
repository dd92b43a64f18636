use super::by_name::{ByName, Named};
use super::definition::{Form, definition, form};
use super::held::HeldRouter;
use crate::registry::{Drift, HandlerId, Live, Manner, Snapshot};
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::DynCallToolHandler;
use rmcp::model::Tool;
use std::any::Any;
use std::sync::Arc;

/// The routes of a server as they were taken: definitions and handlers, owned.
///
/// Only these handlers are ever called. Where the server holds its router on, `live` is where to
/// look for what has become of it.
pub(super) struct Routes<H> {
    taken: ByName<Route<H>>,
    live: Option<Arc<dyn HeldRouter<H>>>,
    /// The live router again, as what handlers are told apart by.
    shared: Option<Arc<dyn Any + Send + Sync>>,
}

pub(super) struct Route<H> {
    pub(super) tool: Tool,
    pub(super) handler: Arc<DynCallToolHandler<H>>,
    form: Form,
}

impl<H> Named for Route<H> {
    fn name(&self) -> &str {
        &self.tool.name
    }
}

impl<H: Send + Sync + 'static> Routes<H> {
    /// Takes the routes of `router`; disabled ones are left out for good.
    pub(super) fn owned(router: ToolRouter<H>) -> Self {
        Self::new(router.into_iter())
    }

    /// Copies the routes of a router that its server holds on.
    pub(super) fn held<R: HeldRouter<H>>(router: Arc<R>) -> Self {
        let mut seen = Vec::new();
        router.look(&mut |router| seen = router.clone().into_iter().collect());
        let live: Arc<dyn HeldRouter<H>> = Arc::<R>::clone(&router);
        Self { live: Some(live), shared: Some(router), ..Self::new(seen.into_iter()) }
    }

    fn new(routes: impl Iterator<Item = ToolRoute<H>>) -> Self {
        let route = |route: ToolRoute<H>| {
            let form = form(&route.attr)?;
            Some(Route { tool: route.attr, handler: route.call, form })
        };
        Self { taken: ByName::new(routes.filter_map(route)), live: None, shared: None }
    }

    pub(super) fn snapshot(&self, manner: &Manner) -> Snapshot {
        Snapshot::new(self.taken.iter().map(|route| {
            let mut definition = definition(&route.tool, &route.form, manner);
            definition.handler = self.shared.as_ref().map(|router| {
                let address = Arc::as_ptr(&route.handler).cast::<()>().addr();
                HandlerId::new(router, address, Arc::new(Arc::downgrade(&route.handler)))
            });
            definition
        }))
    }

    pub(super) fn route(&self, name: &str) -> Option<&Route<H>> {
        self.taken.get(name)
    }

    pub(super) fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.taken.iter().map(|route| &route.tool)
    }

    /// What is to be seen of the tool now.
    pub(super) fn sight(&self, name: &str) -> Live {
        let Some(router) = &self.live else { return Live::Owned };
        // A router that is not shown is one in which nothing can be called.
        let mut sight = Live::Missing;
        router.look(&mut |router| sight = compare(self.route(name), router, name));
        sight
    }

    /// The first tool of the live router that is not as it was taken. Tools that are gone are no
    /// difference: taking one away is the server's right.
    pub(super) fn live_drift(&self) -> Option<Drift> {
        let mut drift = None;
        self.live.as_ref()?.look(&mut |router| {
            let mut enabled = router.map.values().filter(|route| is_enabled(router, route));
            drift = enabled.find_map(|route| {
                let taken = self.route(&route.attr.name).map(|route| &route.tool);
                drift_of(taken, &route.attr)
            });
        });
        drift
    }
}

/// How a tool differs from what was frozen under its name.
pub(super) fn drift_of(frozen: Option<&Tool>, now: &Tool) -> Option<Drift> {
    match frozen {
        None => Some(Drift::Added(now.name.as_ref().into())),
        Some(frozen) => (frozen != now).then(|| Drift::Changed(now.name.as_ref().into())),
    }
}

fn compare<H>(frozen: Option<&Route<H>>, live: &ToolRouter<H>, name: &str) -> Live
where
    H: Send + Sync + 'static,
{
    let Some(now) = live.map.get(name).filter(|route| is_enabled(live, route)) else {
        return Live::Missing;
    };
    match frozen {
        None => Live::Changed,
        Some(frozen) if !same_handler(&frozen.handler, &now.call) => Live::Swapped,
        Some(frozen) if frozen.tool != now.attr => Live::Changed,
        Some(_) => Live::Same,
    }
}

/// A route that is disabled is not there, for calls as for lists.
fn is_enabled<H: Send + Sync + 'static>(router: &ToolRouter<H>, route: &ToolRoute<H>) -> bool {
    router.has_route(&route.attr.name)
}

/// Whether two handlers are one. The frozen one is kept alive, so its address is not used again;
/// the address alone counts, since one function may have several tables of methods.
fn same_handler<H>(one: &Arc<DynCallToolHandler<H>>, other: &Arc<DynCallToolHandler<H>>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}
