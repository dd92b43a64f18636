use super::definition::{definition, digest};
use super::held::HeldRouter;
use crate::digest::Digest;
use crate::registry::{Drift, HandlerId, Live, Manner, Snapshot};
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::DynCallToolHandler;
use rmcp::model::Tool;
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The routes of a server as they were taken: definitions and handlers, owned.
///
/// Only these handlers are ever called. Where the server holds its router on, `live` is where to
/// look for what has become of it.
pub(super) struct Routes<H> {
    /// Sorted by name, as rmcp lists them.
    list: Vec<Route<H>>,
    index: HashMap<Box<str>, usize>,
    live: Option<Arc<dyn HeldRouter<H>>>,
    /// The live router again, as what handlers are told apart by.
    shared: Option<Arc<dyn Any + Send + Sync>>,
}

pub(super) struct Route<H> {
    pub(super) tool: Tool,
    pub(super) handler: Arc<DynCallToolHandler<H>>,
    digest: Digest,
}

/// Where a call looks for its tool, whatever the server.
pub(super) trait Lookout: Send + Sync {
    /// What is to be seen of the tool now.
    fn sight(&self, name: &str) -> Live;
}

impl<H: Send + Sync + 'static> Lookout for Routes<H> {
    fn sight(&self, name: &str) -> Live {
        let Some(router) = &self.live else { return Live::Owned };
        // A router that is not shown is one in which nothing can be called.
        let mut sight = Live::Missing;
        router.look(&mut |router| sight = compare(self.route(name), router, name));
        sight
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
            let digest = digest(&route.attr)?;
            Some(Route { tool: route.attr, handler: route.call, digest })
        };
        let mut list: Vec<_> = routes.filter_map(route).collect();
        list.sort_by(|one, other| one.tool.name.cmp(&other.tool.name));
        // A router's map is public: under two keys it may hold two routes of one name. Which of them
        // is meant cannot be said, so neither is called.
        let twice: HashSet<_> = list
            .windows(2)
            .filter_map(|pair| match pair {
                [one, other] if one.tool.name == other.tool.name => Some(one.tool.name.clone()),
                _ => None,
            })
            .collect();
        for tool in &twice {
            tracing::error!(%tool, "two routes have one name; neither is called");
        }
        list.retain(|route| !twice.contains(&route.tool.name));
        let names = list.iter().enumerate();
        let index = names.map(|(at, route)| (route.tool.name.as_ref().into(), at)).collect();
        Self { list, index, live: None, shared: None }
    }

    pub(super) fn snapshot(&self, manner: &Manner) -> Snapshot {
        Snapshot::new(self.list.iter().map(|route| {
            let mut definition = definition(&route.tool, route.digest, manner);
            definition.handler = self.shared.as_ref().map(|router| {
                let address = Arc::as_ptr(&route.handler).cast::<()>().addr();
                HandlerId::new(router, address, Arc::new(Arc::downgrade(&route.handler)))
            });
            definition
        }))
    }

    pub(super) fn route(&self, name: &str) -> Option<&Route<H>> {
        self.list.get(*self.index.get(name)?)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Tool> {
        Some(&self.route(name)?.tool)
    }

    pub(super) fn tools(&self) -> Vec<Tool> {
        self.list.iter().map(|route| route.tool.clone()).collect()
    }

    /// True unless the live router has lost the tool.
    pub(super) fn is_live(&self, name: &str) -> bool {
        self.sight(name) != Live::Missing
    }

    /// The first difference of a list of tools, or of the live router, from what was taken. Tools
    /// that are gone are no difference: taking one away is the server's right.
    pub(super) fn drift(&self, listed: &[Tool]) -> Option<Drift> {
        let drift = listed.iter().find_map(|tool| self.drift_of(tool));
        let Some(router) = &self.live else { return drift };
        let mut live = None;
        router.look(&mut |router| {
            let mut enabled = router.map.values().filter(|route| is_enabled(router, route));
            live = enabled.find_map(|route| self.drift_of(&route.attr));
        });
        drift.or(live)
    }

    fn drift_of(&self, tool: &Tool) -> Option<Drift> {
        match self.get(&tool.name) {
            None => Some(Drift::Added(tool.name.as_ref().into())),
            Some(frozen) => (frozen != tool).then(|| Drift::Changed(tool.name.as_ref().into())),
        }
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
