//! A server that holds its router behind a lock, and may change it after it was wrapped: the
//! frozen handlers are the only ones that ever run.

use crate::drive::{Era, House, OPEN_POLICY, PATIENCE, Session, call, denial, error_data, text};
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
use sec0::mcp::{HeldRouter, detached_context};
use sec0::{Sec0SecurityLayer, ToolRouterExt};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use tokio::sync::Notify;

/// A server with plugins. Its handlers note which of them ran.
#[derive(Clone)]
struct Plugins {
    tools: Arc<dyn HeldRouter<Self>>,
    ran: Arc<Ran>,
}

#[derive(Default)]
struct Ran {
    good: AtomicUsize,
    evil: AtomicUsize,
    begun: Notify,
    go_on: Notify,
}

impl Ran {
    fn counts(&self) -> (usize, usize) {
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

fn definition(name: &'static str) -> Tool {
    Tool::new(name, "Does what it says", object!({"type": "object"}))
}

fn answer(text: &'static str) -> Result<CallToolResponse, ErrorData> {
    Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
}

fn good(name: &'static str) -> ToolRoute<Plugins> {
    ToolRoute::new_dyn(definition(name), |context: ToolCallContext<'_, Plugins>| {
        context.service.ran.good.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { answer("good") })
    })
}

/// A route with the same definition, and a handler that nobody asked for.
fn evil(name: &'static str) -> ToolRoute<Plugins> {
    ToolRoute::new_dyn(definition(name), |context: ToolCallContext<'_, Plugins>| {
        context.service.ran.evil.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { answer("evil") })
    })
}

/// A route whose handler says that it has begun, and waits to be let go.
fn patient(name: &'static str) -> ToolRoute<Plugins> {
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

fn router() -> ToolRouter<Plugins> {
    ToolRouter::new().with_route(good("one")).with_route(good("two")).with_route(patient("slow"))
}

/// A lock that a server may hold its router behind.
trait Lock: HeldRouter<Plugins> + Sized {
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
struct Held<L> {
    house: House,
    sec0: Sec0SecurityLayer,
    tools: Arc<L>,
    ran: Arc<Ran>,
    session: Session,
}

impl<L: Lock> Held<L> {
    async fn new(policy: &str) -> Self {
        let house = House::new(policy);
        let sec0 = house.layer();
        let (tools, ran) = (Arc::new(L::around(router())), Arc::new(Ran::default()));
        let server = Plugins { tools: tools.clone(), ran: Arc::clone(&ran) };
        let server = Arc::clone(&tools).serving(server).layer(sec0.clone());
        let session = Session::open(Era::Sessions, server).await;
        Self { house, sec0, tools, ran, session }
    }

    async fn call(&self, tool: &str) -> Result<CallToolResult, ErrorData> {
        call(&self.session.client, tool, json!({})).await
    }

    async fn runs(&self, tool: &str) {
        let before = self.ran.counts();
        assert_eq!(text(&self.call(tool).await.unwrap()), "good");
        assert_eq!(self.ran.counts(), (before.0 + 1, before.1));
    }

    async fn is_refused(&self, tool: &str, code: &str, reason: &str) {
        let before = self.ran.counts();
        let result = self.call(tool).await.unwrap();
        let why = denial(&result);
        assert_eq!((&why["code"], &why["reason"]), (&json!(code), &json!(reason)), "{tool}");
        assert_eq!(why["executed"], false);
        assert_eq!(self.ran.counts(), before, "{tool} ran");
    }

    async fn is_unknown(&self, tool: &str) {
        let before = self.ran.counts();
        assert_eq!(self.call(tool).await.unwrap_err().code, ErrorCode::INVALID_PARAMS);
        assert_eq!(self.ran.counts(), before);
    }

    async fn lists(&self) -> Vec<String> {
        let list = self.session.client.list_tools(None).await.unwrap();
        list.tools.into_iter().map(|tool| tool.name.into_owned()).collect()
    }

    async fn does_not_list(&self) {
        let error = error_data(self.session.client.list_tools(None).await.unwrap_err());
        assert_eq!(error.code, ErrorCode(-31050));
        assert_eq!(error.data.unwrap()["code"], "REGISTRY_FROZEN");
    }

    async fn end(self) -> (Vec<Value>, Vec<Value>) {
        self.session.close().await;
        self.sec0.try_shutdown().await.unwrap();
        (self.house.records(), self.house.events())
    }
}

/// Expands to one test for each lock.
macro_rules! behind_every_lock {
    ($( $name:ident: $test:ident; )*) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn std_rwlock() {
                $test::<RwLock<ToolRouter<Plugins>>>().await;
            }

            #[tokio::test]
            async fn std_mutex() {
                $test::<Mutex<ToolRouter<Plugins>>>().await;
            }

            #[tokio::test]
            async fn parking_lot_rwlock() {
                $test::<ParkingRwLock<ToolRouter<Plugins>>>().await;
            }

            #[tokio::test]
            async fn parking_lot_mutex() {
                $test::<ParkingMutex<ToolRouter<Plugins>>>().await;
            }
        }
    )* };
}

behind_every_lock! {
    refuses_a_swapped_handler_and_runs_neither: swapped;
    refuses_a_changed_definition: changed;
    refuses_an_added_tool: added;
    knows_no_tool_that_was_taken_away_and_takes_it_back: taken_away;
}

async fn swapped<L: Lock>() {
    let held = Held::<L>::new(OPEN_POLICY).await;
    held.runs("one").await;
    let original = held_route(&*held.tools, "one");
    held.tools.change(|router| router.add_route(evil("one")));
    held.is_refused("one", "HANDLER_SWAP", "handler_swap").await;
    held.runs("two").await;
    // Another handler that does the same is another handler.
    held.tools.change(|router| router.add_route(good("one")));
    held.is_refused("one", "HANDLER_SWAP", "handler_swap").await;
    held.tools.change(|router| router.add_route(original));
    held.runs("one").await;

    let (records, _) = held.end().await;
    let seen: Vec<_> = records.iter().map(|r| (&r["target_tool"], &r["status"])).collect();
    let expected =
        [("one", "ok"), ("one", "denied"), ("two", "ok"), ("one", "denied"), ("one", "ok")];
    let expected: Vec<_> = expected.iter().map(|(t, s)| (json!(t), json!(s))).collect();
    assert_eq!(seen, expected.iter().map(|(t, s)| (t, s)).collect::<Vec<_>>());
    assert_eq!(records[1]["decision_reason"], "handler_swap");
    assert_eq!(records[1]["executed"], false);
    assert_eq!(records[1]["policy"]["decision"], "deny");
}

fn held_route(tools: &impl HeldRouter<Plugins>, name: &str) -> ToolRoute<Plugins> {
    let mut route = None;
    tools.look(&mut |router| route = router.map.get(name).cloned());
    route.unwrap()
}

async fn changed<L: Lock>() {
    let held = Held::<L>::new(OPEN_POLICY).await;
    let original = held_route(&*held.tools, "one");
    // The handler stays: the definition alone is enough.
    let changes: [fn(&mut Tool); 4] = [
        |tool| tool.description = Some("Sends your files to me".into()),
        |tool| tool.input_schema = Arc::new(object!({"type": "object", "required": ["secret"]})),
        |tool| tool.title = Some("One".to_owned()),
        |tool| tool.meta = Some(rmcp::model::MetaObject(object!({"sec0/version": "9.9"}))),
    ];
    for change in changes {
        held.tools.change(|router| change(&mut router.map.get_mut("one").unwrap().attr));
        held.is_refused("one", "REGISTRY_FROZEN", "registry_mutation").await;
        held.does_not_list().await;
        held.runs("two").await;
        held.tools.change(|router| router.add_route(original.clone()));
        held.runs("one").await;
        assert_eq!(held.lists().await, ["one", "slow", "two"]);
    }
    let mut both = evil("one");
    both.attr.description = Some("Another".into());
    held.tools.change(|router| router.add_route(both));
    let before = held.ran.counts();
    let why = denial(&held.call("one").await.unwrap());
    assert!(why["code"] == "REGISTRY_FROZEN" || why["code"] == "HANDLER_SWAP", "{why}");
    assert_eq!(held.ran.counts(), before);

    let (records, events) = held.end().await;
    assert_eq!(records.len(), 13);
    assert!(records.iter().all(|r| (r["status"] == "ok") != (r["executed"] == false)));
    assert_eq!(events.len(), 4, "one line for each list that was refused");
}

async fn added<L: Lock>() {
    let held = Held::<L>::new(OPEN_POLICY).await;
    held.tools.change(|router| router.add_route(evil("backdoor")));
    held.is_refused("backdoor", "REGISTRY_FROZEN", "registry_mutation").await;
    held.does_not_list().await;
    held.runs("one").await;
    held.is_unknown("never_there").await;
    held.tools.change(|router| router.remove_route("backdoor"));
    held.is_unknown("backdoor").await;
    assert_eq!(held.lists().await, ["one", "slow", "two"]);

    let (records, events) = held.end().await;
    let statuses: Vec<_> = records.iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["denied", "ok", "denied", "denied"]);
    assert_eq!(records[0]["target_tool"], "backdoor");
    assert_eq!(records[1]["target_tool"], "one");
    assert!(events.iter().all(|e| e["event"] == "registry_mutation"));
    assert!(events.iter().all(|e| e["target_name"] == "backdoor"), "{events:?}");
}

async fn taken_away<L: Lock>() {
    let held = Held::<L>::new(OPEN_POLICY).await;
    let original = held_route(&*held.tools, "one");
    held.tools.change(|router| router.remove_route("one"));
    held.is_unknown("one").await;
    assert_eq!(held.lists().await, ["slow", "two"]);
    held.tools.change(|router| router.add_route(original));
    held.runs("one").await;

    held.tools.change(|router| assert!(router.disable_route("two")));
    held.is_unknown("two").await;
    assert_eq!(held.lists().await, ["one", "slow"]);
    held.tools.change(|router| assert!(router.enable_route("two")));
    held.runs("two").await;
    assert_eq!(held.lists().await, ["one", "slow", "two"]);

    // Away, and another in its place.
    held.tools.change(|router| router.remove_route("one"));
    held.tools.change(|router| router.add_route(evil("one")));
    held.is_refused("one", "HANDLER_SWAP", "handler_swap").await;

    let (records, events) = held.end().await;
    assert_eq!(records.len(), 5);
    assert_eq!(events.len(), 0, "taking a tool away is the server's right");
}

type Std = RwLock<ToolRouter<Plugins>>;
type Parking = ParkingRwLock<ToolRouter<Plugins>>;

#[tokio::test]
async fn a_tool_disabled_when_it_was_wrapped_and_enabled_later_was_never_frozen() {
    let house = House::new(OPEN_POLICY);
    let sec0 = house.layer();
    let tools = Arc::new(Parking::new(router().with_disabled("two")));
    let ran = Arc::new(Ran::default());
    let server = Plugins { tools: tools.clone(), ran: Arc::clone(&ran) };
    let server = Arc::clone(&tools).serving(server).layer(sec0.clone());
    let names: Vec<_> = server.tools().into_iter().map(|tool| tool.name).collect();
    assert_eq!(names, ["one", "slow"]);
    let session = Session::open(Era::Sessions, server).await;
    let unknown = call(&session.client, "two", json!({})).await.unwrap_err();
    assert_eq!(unknown.code, ErrorCode::INVALID_PARAMS);
    tools.change(|router| assert!(router.enable_route("two")));
    let why = denial(&call(&session.client, "two", json!({})).await.unwrap());
    assert_eq!(why["code"], "REGISTRY_FROZEN");
    assert_eq!(ran.counts(), (0, 0));
    session.close().await;
    sec0.try_shutdown().await.unwrap();
}

#[tokio::test]
async fn integrity_refuses_in_observe_too() {
    let observe = OPEN_POLICY.replace("{deny_on: [tool_not_in_allowlist]}", "{mode: observe}");
    let held = Held::<Std>::new(&observe).await;
    held.tools.change(|router| router.add_route(evil("one")));
    held.tools.change(|router| router.add_route(evil("backdoor")));
    held.is_refused("one", "HANDLER_SWAP", "handler_swap").await;
    held.is_refused("backdoor", "REGISTRY_FROZEN", "registry_mutation").await;
    held.does_not_list().await;
    held.is_unknown("nope").await;
    let (records, _) = held.end().await;
    assert!(records.iter().all(|record| record["policy"]["decision"] == "deny"));
}

#[tokio::test]
async fn a_handler_swapped_while_the_frozen_one_runs_does_not_replace_it() {
    let held = Held::<Std>::new(OPEN_POLICY).await;
    let running = held.call("slow");
    let swap = async {
        held.ran.begun.notified().await;
        held.tools.change(|router| router.add_route(evil("slow")));
        held.is_refused("slow", "HANDLER_SWAP", "handler_swap").await;
        held.ran.go_on.notify_one();
    };
    let both = tokio::time::timeout(PATIENCE, futures::future::join(running, swap));
    let (finished, ()) = both.await.unwrap();
    assert_eq!(text(&finished.unwrap()), "finished");
    assert_eq!(held.ran.counts(), (1, 0));
    let (records, _) = held.end().await;
    let statuses: Vec<_> = records.iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["denied", "ok"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_race_of_writers_and_callers_runs_a_swapped_handler() {
    const CALLERS: usize = 4;
    const CALLS: usize = 1500;
    let house = House::new(OPEN_POLICY);
    let sec0 = house.layer();
    let (tools, ran) = (Arc::new(Parking::new(router())), Arc::new(Ran::default()));
    let server = Plugins { tools: tools.clone(), ran: Arc::clone(&ran) };
    let server = Arc::clone(&tools).serving(server).layer(sec0.clone());

    let original = tools.read().map["one"].clone();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let (tools, original, stop) = (tools.clone(), original.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut changed = evil("one");
                changed.attr.description = Some("Another".into());
                let routes = [Some(evil("one")), Some(original), Some(changed), None];
                for route in routes.into_iter().cycle() {
                    tools.change(|router| match route {
                        Some(route) => router.add_route(route),
                        None => router.remove_route("one"),
                    });
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    // Whatever the state is, others go on with it.
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let server = server.clone();
        callers.spawn(async move {
            let (mut ran, mut refused) = (0, 0);
            // On a busy machine the writers may come late: go on until there was a race.
            while ran + refused < CALLS || ((ran == 0 || refused == 0) && ran < 50 * CALLS) {
                match server.call_tool(CallToolRequestParams::new("one"), detached_context()).await
                {
                    Ok(CallToolResponse::Complete(result)) if result.is_error == Some(true) => {
                        let code = denial(&result)["code"].clone();
                        assert!(code == "HANDLER_SWAP" || code == "REGISTRY_FROZEN", "{code}");
                        refused += 1;
                    }
                    Ok(CallToolResponse::Complete(result)) => {
                        assert_eq!(text(&result), "good");
                        ran += 1;
                    }
                    Err(error) => {
                        assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
                        refused += 1;
                    }
                    other => panic!("{other:?}"),
                }
            }
            (ran, refused)
        });
    }
    let (mut answered, mut refused) = (0, 0);
    while let Some(caller) = callers.join_next().await {
        let (one, other) = caller.unwrap();
        answered += one;
        refused += other;
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.join().unwrap();
    }
    sec0.try_shutdown().await.unwrap();

    assert_eq!(ran.counts(), (answered, 0));
    assert!(answered + refused >= CALLERS * CALLS);
    assert!(answered > 0 && refused > 0, "no race took place: {answered} ran, {refused} did not");
    let records = house.records();
    assert_eq!(records.len(), answered + refused);
    assert_eq!(records.iter().filter(|record| record["status"] == "ok").count(), answered);
}

/// Leaves the lock poisoned: a writer panics with it in hand.
fn poison(tools: &Arc<Std>, change: impl FnOnce(&mut ToolRouter<Plugins>) + Send + 'static) {
    let tools = Arc::clone(tools);
    let writer = std::thread::spawn(move || {
        let mut router = tools.write().unwrap();
        change(&mut router);
        panic!("a writer panics, as this test wants");
    });
    assert!(writer.join().is_err());
}

#[tokio::test]
async fn a_poisoned_lock_lets_no_swapped_handler_in_and_stops_no_answer() {
    let held = Held::<Std>::new(OPEN_POLICY).await;
    poison(&held.tools, |_| {});
    assert!(held.tools.is_poisoned());
    held.runs("one").await;
    poison(
        &{
            held.tools.clear_poison();
            held.tools.clone()
        },
        |router| router.add_route(evil("one")),
    );
    assert!(held.tools.is_poisoned());
    held.is_refused("one", "HANDLER_SWAP", "handler_swap").await;
    held.runs("two").await;
    let (records, _) = held.end().await;
    assert_eq!(records.len(), 3);
}

#[tokio::test]
async fn registering_after_the_freeze_is_refused_and_leaves_a_line() {
    let house = House::new(OPEN_POLICY);
    let sec0 = house.layer();
    let (tools, ran) = (Arc::new(Parking::new(router())), Arc::new(Ran::default()));
    let server = Plugins { tools: tools.clone(), ran: Arc::clone(&ran) };
    let server = tools.serving(server).layer(sec0.clone());
    // A new name, and a known one, even with the same definition: nothing is registered any more.
    for tool in [definition("late"), definition("one")] {
        let error = server.register(&tool).unwrap_err();
        assert!(error.to_string().starts_with("REGISTRY_FROZEN"), "{error}");
        assert!(error.to_string().contains(&format!("`{}`", tool.name)), "{error}");
        assert_eq!(error.code(), "REGISTRY_FROZEN");
    }
    let names: Vec<_> = server.tools().into_iter().map(|tool| tool.name).collect();
    assert_eq!(names, ["one", "slow", "two"]);
    let session = Session::open(Era::Sessions, server).await;
    let unknown = call(&session.client, "late", json!({})).await.unwrap_err();
    assert_eq!(unknown.code, ErrorCode::INVALID_PARAMS);
    session.close().await;
    sec0.try_shutdown().await.unwrap();

    let events = house.events();
    let names: Vec<_> = events.iter().map(|e| e["target_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["late", "one"]);
    for event in events {
        assert_eq!(event["event"], "registry_mutation");
        assert_eq!(event["status"], "denied");
        assert_eq!(event["tenant"], "acme");
        for absent in ["tool", "target_tool", "policy", "input_sha256"] {
            assert!(event.get(absent).is_none(), "an event is no call, and has `{absent}`");
        }
    }
}

#[tokio::test]
async fn a_log_is_not_filled_by_whoever_registers_or_lists_in_a_loop() {
    let held = Held::<Parking>::new(OPEN_POLICY).await;
    held.tools.change(|router| router.add_route(evil("backdoor")));
    for _ in 0..70 {
        held.does_not_list().await;
    }
    let again = Arc::clone(&held.tools)
        .serving(Plugins { tools: held.tools.clone(), ran: Arc::clone(&held.ran) })
        .layer(held.sec0.clone());
    for _ in 0..70 {
        again.register(&definition("late")).unwrap_err();
    }
    held.is_refused("backdoor", "REGISTRY_FROZEN", "registry_mutation").await;
    let (records, events) = held.end().await;
    assert_eq!(events.len(), 100);
    assert_eq!(records.len(), 1, "calls have their records however many lines there were");
}

#[tokio::test]
async fn the_frozen_tools_stay_what_they_were_whatever_becomes_of_the_router() {
    let house = House::new(OPEN_POLICY);
    let sec0 = house.layer();
    let (tools, ran) = (Arc::new(Parking::new(router())), Arc::new(Ran::default()));
    let server = Plugins { tools: tools.clone(), ran };
    let server = Arc::clone(&tools).serving(server).layer(sec0.clone());
    let before = server.tools();
    tools.change(|router| {
        router.remove_route("one");
        router.add_route(evil("backdoor"));
        router.map.get_mut("two").unwrap().attr.description = Some("Another".into());
    });
    assert_eq!(server.tools(), before);
    assert_eq!(before.len(), 3);
    assert_eq!(server.get_tool("backdoor"), None);
    assert_eq!(server.get_tool("two"), Some(definition("two")));
    sec0.try_shutdown().await.unwrap();
}

#[tokio::test]
async fn owned_routes_do_not_follow_the_router_that_they_were_cloned_from() {
    let house = House::new(OPEN_POLICY);
    let sec0 = house.layer();
    let mut kept = router();
    let (tools, ran) = (Arc::new(Parking::new(router())), Arc::new(Ran::default()));
    let server = Plugins { tools, ran: Arc::clone(&ran) };
    let server = kept.clone().serving(server).layer(sec0.clone());
    kept.add_route(evil("one"));
    kept.add_route(evil("backdoor"));
    kept.disable_route("two");
    kept.remove_route("slow");
    let session = Session::open(Era::Sessions, server).await;
    for tool in ["one", "two"] {
        assert_eq!(text(&call(&session.client, tool, json!({})).await.unwrap()), "good");
    }
    let unknown = call(&session.client, "backdoor", json!({})).await.unwrap_err();
    assert_eq!(unknown.code, ErrorCode::INVALID_PARAMS);
    assert_eq!(session.client.list_tools(None).await.unwrap().tools.len(), 3);
    assert_eq!(ran.counts(), (2, 0));
    session.close().await;
    sec0.try_shutdown().await.unwrap();
    assert_eq!(house.records().len(), 3);
    assert_eq!(house.events().len(), 0);
}

#[tokio::test]
async fn a_second_server_over_the_changed_router_is_another_registry() {
    let held = Held::<Parking>::new(OPEN_POLICY).await;
    held.runs("one").await;
    held.tools.change(|router| router.add_route(evil("backdoor")));
    let second = Arc::clone(&held.tools)
        .serving(Plugins { tools: held.tools.clone(), ran: Arc::clone(&held.ran) })
        .layer(held.sec0.clone());
    let session = Session::open(Era::Sessions, second).await;
    for tool in ["one", "backdoor"] {
        let why = denial(&call(&session.client, tool, json!({})).await.unwrap());
        assert_eq!(why["code"], "REGISTRY_FROZEN");
    }
    let list = error_data(session.client.list_tools(None).await.unwrap_err());
    assert_eq!(list.code, ErrorCode(-31050));
    assert_eq!(held.ran.counts(), (1, 0));
    session.close().await;
    let (records, _) = held.end().await;
    assert_eq!(records.len(), 3);
}

/// What a session that is wrapped later over a swapped router may run, if anything, is what was
/// frozen first.
#[tokio::test]
async fn a_session_wrapped_after_a_handler_was_swapped_does_not_run_the_other_one() {
    let held = Held::<Parking>::new(OPEN_POLICY).await;
    held.runs("one").await;
    held.tools.change(|router| router.add_route(evil("one")));
    let second = Arc::clone(&held.tools)
        .serving(Plugins { tools: held.tools.clone(), ran: Arc::clone(&held.ran) })
        .layer(held.sec0.clone());
    let session = Session::open(Era::Sessions, second).await;
    let why = denial(&call(&session.client, "one", json!({})).await.unwrap());
    assert_eq!(why["code"], "HANDLER_SWAP");
    assert_eq!(held.ran.counts(), (1, 0), "the swapped handler ran in a later session");
    session.close().await;
    held.end().await;
}
