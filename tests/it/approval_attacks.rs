//! Whoever has a grant, a place to wait, or the file with the approvals in it gets no more than that.

use crate::approving::{HELD, Sent, approve, arguments, closed, id_of, policy, send, with_token};
use crate::demo::Demo;
use crate::drive::{House, denial};
use crate::support::eventually;
use crate::transport::layered;
use futures::future::join_all;
use rmcp::ServerHandler;
use rusqlite::Connection;
use sec0::approval::Escalation;
use sec0::stack::Steps;
use sec0::store::sqlite::{ApprovalDesk, Which};
use sec0::{Sec0SecurityLayer, ToolRouterExt as _};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::ServiceBuilder;
use tower::layer::layer_fn;

fn store(house: &House) -> Connection {
    Connection::open(house.audit().join("sec0.db")).unwrap()
}

#[tokio::test]
async fn a_grant_that_was_spent_stays_so_when_the_store_says_otherwise() {
    let house = House::new(&policy(""));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let id = id_of(&denial(&send(&server, call.clone(), Sent::default()).await));
    approve(&house, &id, "bo");
    let run = send(&server, call.clone(), with_token(&id)).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    std::fs::remove_file(house.path("written")).unwrap();
    assert_eq!(store(&house).execute("UPDATE approvals SET spent_at = NULL", ()).unwrap(), 1);
    let again = denial(&send(&server, call, with_token(&id)).await);
    assert_eq!(again["reason"], "approval_invalid");
    assert!(!house.path("written").exists());
    let (records, _) = closed(&house, &sec0).await;
    assert_eq!(records[2]["decision_reason"], "approval_spent");
}

/// Approvers see what belongs to one call, and the store says that it is for another.
#[tokio::test]
async fn an_escalation_that_was_rewritten_while_it_waited_permits_nothing() {
    let house = House::new(&policy(""));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let (fair, foul) = (arguments(&house, "a"), arguments(&house, "b"));
    let id = id_of(&denial(&send(&server, fair, Sent::default()).await));
    let other = id_of(&denial(&send(&server, foul.clone(), Sent::default()).await));
    let texts = ApprovalDesk::open(&house.audit()).unwrap().list(Which::Pending, 9).unwrap();
    let text = |id: &str| {
        let of = |it: &&sec0::store::sqlite::Listed| it.kept.escalation.id().to_string() == id;
        let found = texts.iter().find(of).unwrap();
        serde_json::from_str::<Value>(found.kept.escalation.canonical()).unwrap()
    };
    let mut forged = text(&id);
    forged["binding"] = text(&other)["binding"].clone();
    let forged = Escalation::parse(&forged.to_string()).unwrap();
    let changed = store(&house)
        .execute(
            "UPDATE approvals SET escalation = ?2, sha256 = ?3 WHERE lower(hex(id)) = ?1",
            rusqlite::params![id, forged.canonical(), forged.digest().as_bytes()],
        )
        .unwrap();
    assert_eq!(changed, 1);
    approve(&house, &id, "bo");
    let refused = denial(&send(&server, foul, with_token(&id)).await);
    assert_eq!(refused["reason"], "approval_invalid", "{refused:#}");
    assert!(!house.path("written").exists());
    sec0.try_shutdown().await.unwrap();
    assert_eq!(house.records()[2]["decision_reason"], "approval_unknown");
}

/// 2^53 and 2^53 + 1 are one double, and one number in the form of RFC 8785.
#[tokio::test]
async fn a_grant_is_not_for_large_numbers_that_have_changed_places() {
    let house = House::new(&policy(""));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let call = |from: u64, to: u64| {
        let mut call = arguments(&house, "a");
        call["from"] = json!(from);
        call["to"] = json!(to);
        call
    };
    let (one, other) = (9_007_199_254_740_993, 9_007_199_254_740_992);
    let id = id_of(&denial(&send(&server, call(one, other), Sent::default()).await));
    approve(&house, &id, "bo");
    let swapped = denial(&send(&server, call(other, one), with_token(&id)).await);
    assert_eq!(swapped["reason"], "approval_invalid");
    let (records, _) = closed(&house, &sec0).await;
    assert_eq!(records[1]["decision_reason"], "approval_other_arguments");
}

/// A stack put together by hand, whose author did not want `limit`.
fn unlimited(steps: &Steps) -> impl ServerHandler + Clone + use<> {
    let steps = steps.clone();
    Demo::tool_router().serving(Demo).layer(layer_fn(move |handler| {
        ServiceBuilder::new()
            .layer(steps.trace())
            .layer(steps.record())
            .layer(steps.settle())
            .layer(steps.identify())
            .layer(steps.verify())
            .layer(steps.authorize())
            .layer(steps.dedupe())
            .layer(steps.approve())
            .layer(steps.reserve())
            .layer(steps.invoke())
            .service(handler)
    }))
}

#[tokio::test]
async fn a_grant_is_for_its_arguments_in_a_stack_that_does_not_measure_them() {
    let house = House::new(&policy(""));
    let sec0 = house.layer();
    let server = unlimited(&sec0.steps());
    let call = arguments(&house, "a");
    let id = id_of(&denial(&send(&server, call.clone(), Sent::default()).await));
    approve(&house, &id, "bo");
    let other = denial(&send(&server, arguments(&house, "b"), with_token(&id)).await);
    assert_eq!(other["reason"], "approval_invalid");
    let run = send(&server, call, with_token(&id)).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    let (records, _) = closed(&house, &sec0).await;
    assert_eq!(records[1]["decision_reason"], "approval_other_arguments");
}

#[tokio::test]
async fn calls_that_wait_for_a_human_leave_places_in_the_log_for_others() {
    let house = House::new(&policy(HELD));
    let sec0 = Sec0SecurityLayer::try_new(house.options().queue(8)).unwrap();
    let server = layered(&sec0);
    // As many as there are places; the caller has nobody else's.
    let answered = &AtomicUsize::new(0);
    let held = (0..8).map(|number| {
        let (server, call) = (server.clone(), arguments(&house, &number.to_string()));
        async move {
            let answer = send(&server, call, Sent::default()).await;
            answered.fetch_add(1, Ordering::SeqCst);
            answer
        }
    });
    let desk = ApprovalDesk::open(&house.audit()).unwrap();
    let (held, ()) = tokio::join!(join_all(held), async {
        eventually(async || desk.list(Which::Pending, 9).unwrap().len() == 8).await;
        let user = Sent { user: Some("user:eve"), key: None, token: Some("no id") };
        let other = denial(&send(&server, arguments(&house, "x"), user).await);
        assert_eq!(other["reason"], "approval_invalid", "{other:#}");
        // Who finds no place is answered; a place that is given back before would be taken.
        eventually(async || answered.load(Ordering::SeqCst) == 6).await;
        for listed in desk.list(Which::Pending, 9).unwrap() {
            approve(&house, &listed.kept.escalation.id().to_string(), "bo");
        }
    });
    let ran = held.iter().filter(|result| result.is_error != Some(true)).count();
    assert_eq!(ran, 2);
    let others = held.iter().filter(|result| result.is_error == Some(true)).map(denial);
    for refused in others {
        let told = (&refused["reason"], &refused["escalation_status"], &refused["retryable"]);
        assert_eq!(told, (&json!("approval_required"), &json!("timeout"), &json!(true)));
    }
    closed(&house, &sec0).await;
}
