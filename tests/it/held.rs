//! A router that its server may change after it was wrapped: the frozen handlers are the only ones
//! that ever run.

use crate::drive::{Era, House, OPEN_POLICY, PATIENCE, Session, call, denial, text};
use crate::plugins::*;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::model::{CallToolRequestParams, CallToolResponse, ErrorCode, Tool};
use rmcp::{ServerHandler, object};
use sec0::ToolRouterExt;
use sec0::mcp::detached_context;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;

/// Expands to one test for each lock.
macro_rules! behind_every_lock {
    ($( $name:ident: $test:ident; )*) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn std_rwlock() {
                $test::<StdLock>().await;
            }

            #[tokio::test]
            async fn std_mutex() {
                $test::<StdMutex>().await;
            }

            #[tokio::test]
            async fn parking_lot_rwlock() {
                $test::<ParkingLock>().await;
            }

            #[tokio::test]
            async fn parking_lot_mutex() {
                $test::<ParkingMutexLock>().await;
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
    let (records, events) = held.end().await;
    assert_eq!(records.len(), 12);
    assert!(records.iter().all(|r| (r["status"] == "ok") != (r["executed"] == false)));
    assert_eq!(events.len(), 4, "one line for each list that was refused");
}

#[expect(clippy::cognitive_complexity, reason = "one story, told in order")]
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

#[expect(clippy::cognitive_complexity, reason = "one story, told in order")]
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

#[tokio::test]
async fn a_tool_disabled_when_it_was_wrapped_and_enabled_later_was_never_frozen() {
    let house = House::new(OPEN_POLICY);
    let sec0 = house.layer();
    let tools = Arc::new(ParkingLock::new(router().with_disabled("two")));
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
async fn refuses_a_tool_whose_definition_and_handler_were_changed() {
    let held = Held::<StdLock>::new(OPEN_POLICY).await;
    let mut both = evil("one");
    both.attr.description = Some("Another".into());
    held.tools.change(|router| router.add_route(both));
    let why = denial(&held.call("one").await.unwrap());
    assert!(why["code"] == "REGISTRY_FROZEN" || why["code"] == "HANDLER_SWAP", "{why}");
    assert_eq!(held.ran.counts(), (0, 0));
    held.end().await;
}

#[tokio::test]
async fn integrity_refuses_in_observe_too() {
    let observe = OPEN_POLICY.replace("{deny_on: [tool_not_in_allowlist]}", "{mode: observe}");
    let held = Held::<StdLock>::new(&observe).await;
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
    let held = Held::<StdLock>::new(OPEN_POLICY).await;
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

const CALLERS: usize = 4;
const CALLS: usize = 1500;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_race_of_writers_and_callers_runs_a_swapped_handler() {
    let house = House::new(OPEN_POLICY);
    let sec0 = house.layer();
    let (tools, ran) = (Arc::new(ParkingLock::new(router())), Arc::new(Ran::default()));
    let server = Plugins { tools: tools.clone(), ran: Arc::clone(&ran) };
    let server = Arc::clone(&tools).serving(server).layer(sec0.clone());

    let stop = Arc::new(AtomicBool::new(false));
    let original = held_route(&*tools, "one");
    let writers = [(); 2].map(|()| {
        let (tools, original, stop) = (tools.clone(), original.clone(), Arc::clone(&stop));
        std::thread::spawn(move || change_until(&tools, &original, &stop))
    });
    let mut callers: JoinSet<_> = (0..CALLERS).map(|_| call_until_raced(server.clone())).collect();
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
    assert!(answered > 0 && refused > 0, "no race took place: {answered} ran, {refused} did not");
    let records = house.records();
    assert_eq!(records.len(), answered + refused);
    assert_eq!(records.iter().filter(|record| record["status"] == "ok").count(), answered);
}

/// Swaps, changes, takes away and restores the route, again and again.
fn change_until(tools: &ParkingLock, original: &ToolRoute<Plugins>, stop: &AtomicBool) {
    let mut changed = evil("one");
    changed.attr.description = Some("Another".into());
    let routes = [Some(evil("one")), Some(original.clone()), Some(changed), None];
    for route in routes.iter().cycle() {
        tools.change(|router| match route {
            Some(route) => router.add_route(route.clone()),
            None => router.remove_route("one"),
        });
        if stop.load(Ordering::SeqCst) {
            return;
        }
        // Whatever the state is, others go on with it.
        std::thread::yield_now();
    }
}

/// How often the frozen handler ran, and how often the call was refused.
async fn call_until_raced(server: impl ServerHandler) -> (usize, usize) {
    let (mut ran, mut refused) = (0, 0);
    // On a busy machine the writers may come late: go on until there was a race.
    while ran + refused < CALLS || ((ran == 0 || refused == 0) && ran + refused < 50 * CALLS) {
        let one = CallToolRequestParams::new("one");
        match server.call_tool(one, detached_context()).await {
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
}

/// Leaves the lock poisoned: a writer panics with it in hand.
fn poison(tools: &Arc<StdLock>, change: impl FnOnce(&mut ToolRouter<Plugins>) + Send + 'static) {
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
    let held = Held::<StdLock>::new(OPEN_POLICY).await;
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
