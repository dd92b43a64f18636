//! The frozen registry from outside: nothing is registered any more, and later sessions are held
//! against the first one.

use crate::drive::{Era, House, OPEN_POLICY, Session, call, denial, error_data, text};
use crate::plugins::*;
use rmcp::ServerHandler;
use rmcp::model::ErrorCode;
use sec0::ToolRouterExt;
use serde_json::json;
use std::sync::Arc;

#[tokio::test]
async fn registering_after_the_freeze_is_refused_and_leaves_a_line() {
    let house = House::new(OPEN_POLICY);
    let sec0 = house.layer();
    let (tools, ran) = (Arc::new(ParkingLock::new(router())), Arc::new(Ran::default()));
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
    let held = Held::<ParkingLock>::new(OPEN_POLICY).await;
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
    let (tools, ran) = (Arc::new(ParkingLock::new(router())), Arc::new(Ran::default()));
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
    let (tools, ran) = (Arc::new(ParkingLock::new(router())), Arc::new(Ran::default()));
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
    let held = Held::<ParkingLock>::new(OPEN_POLICY).await;
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
    let held = Held::<ParkingLock>::new(OPEN_POLICY).await;
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
