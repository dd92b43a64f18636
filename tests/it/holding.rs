//! A call that is held until people decide.

use crate::approving::{
    HELD, Sent, approve, arguments, closed, desk, id_of, kinds, logged, pending, policy,
    replace_policy, send, vote,
};
use crate::drive::{Era, House, PATIENCE, Session, denial};
use crate::plugins::{Held, Lock as _, StdLock, evil};
use crate::support::{ask_in, assert_agree, eventually, soon};
use crate::transport::layered;
use rmcp::model::{CallToolRequestParams, object};
use sec0::approval::{Choice, Uncounted, Voted};
use sec0::clock::System;
use sec0::mcp::detached_context;
use sec0::store::sqlite::Which;
use sec0::{Sec0Options, Sec0SecurityLayer};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_held_call_runs_when_it_is_approved_and_its_time_limit_waits_with_it() {
    // Where it refuses, the call would end; where it does not, the record would say so.
    for mode in ["mode: enforce, deny_on: [duration_too_long]", "mode: enforce"] {
        let short = policy(HELD).replace("max_duration_ms: 60000", "max_duration_ms: 500");
        let house = House::new(&short.replace("mode: enforce", mode));
        let sec0 = house.layer();
        let server = layered(&sec0);
        let call = arguments(&house, "a");
        let (run, ()) = tokio::join!(send(&server, call, Sent::default()), async {
            let id = pending(&house).await;
            // Longer than the call may take.
            let clock = System::shared();
            let (began, limit) = (clock.monotonic(), Duration::from_millis(600));
            eventually(async || clock.monotonic().saturating_duration_since(began) > limit).await;
            approve(&house, &id, "bo");
        });
        assert_ne!(run.is_error, Some(true), "{run:?}");
        let (records, events) = closed(&house, &sec0).await;
        assert_eq!(records.len(), 1);
        assert_eq!(
            (&records[0]["status"], &records[0]["escalation_status"]),
            (&json!("ok"), &json!("approved"))
        );
        assert_eq!(records[0]["policy"]["decision"], "allow");
        assert_eq!(kinds(&events), ["approval_created", "approval_vote", "approval_decided"]);
    }
}

#[tokio::test]
async fn a_held_call_does_not_run_under_a_policy_that_was_replaced_meanwhile() {
    let house = House::new(&policy(HELD));
    let options = Sec0Options::from_watched_policy_file(house.policy()).unwrap();
    let sec0 = Sec0SecurityLayer::try_new(options.audit_dir(house.audit())).unwrap();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let (refused, id) = tokio::join!(send(&server, call, Sent::default()), async {
        let id = pending(&house).await;
        replace_policy(&house, &sec0, &policy(HELD).replace("id: big", "id: bigger")).await;
        approve(&house, &id, "bo");
        id
    });
    let refused = denial(&refused);
    assert_eq!(refused["reason"], "approval_other_policy", "{refused:#}");
    assert_eq!((id_of(&refused), &refused["executed"]), (id, &json!(false)));
    assert!(!house.path("written").exists());
    let (records, _) = closed(&house, &sec0).await;
    assert_agree(&refused, &records[0]);
}

#[tokio::test]
async fn a_held_call_does_not_run_when_its_handler_was_swapped_meanwhile() {
    let asks = policy(HELD)
        .replace(
            "rules: [{id: big, tool: 'mcp://demo/write_file@*', pointer: /path, op: exists,",
            "rules: [{id: big, tool: '*', pointer: '', op: type, value: object,",
        )
        .replace("mcp://demo/*@*", "*")
        .replace("mode: enforce", "mode: enforce, deny_on: []");
    let held = Held::<StdLock>::new(&asks).await;
    let (refused, ()) = tokio::join!(held.call("one"), async {
        let id = pending(&held.house).await;
        held.tools.change(|router| router.add_route(evil("one")));
        approve(&held.house, &id, "bo");
    });
    let refused = denial(&refused.unwrap());
    assert_eq!(
        (&refused["code"], &refused["reason"]),
        (&json!("HANDLER_SWAP"), &json!("handler_swap"))
    );
    assert_eq!(held.ran.counts(), (0, 0));
    held.end().await;
}

#[tokio::test]
async fn a_held_call_is_refused_when_it_is_rejected_and_asks_nobody_else() {
    let house = House::new(&policy(HELD));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let (refused, id) = tokio::join!(send(&server, call.clone(), Sent::default()), async {
        let id = pending(&house).await;
        vote(&house, &id, "bo", Choice::Reject);
        id
    });
    for refused in [refused, send(&server, call, Sent::default()).await] {
        let refused = denial(&refused);
        assert_eq!(
            (&refused["reason"], &refused["escalation_status"]),
            (&json!("approval_rejected"), &json!("rejected"))
        );
        assert_eq!(id_of(&refused), id);
    }
    let late = vote(&house, &id, "ana", Choice::Approve);
    assert!(matches!(late, Voted::Not(Uncounted::Decided)), "{late:?}");
    let (records, _) = closed(&house, &sec0).await;
    assert!(records.iter().all(|record| record["finalization_reason"] == "rejected_by_approver"));
    assert!(!house.path("written").exists());
}

#[tokio::test]
async fn two_calls_alike_wait_for_one_question_and_an_approval_lets_one_of_them_run() {
    let house = House::new(&policy(HELD));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let send_one = || send(&server, call.clone(), Sent::default());
    let (one, other, ()) = tokio::join!(send_one(), send_one(), async {
        let first = pending(&house).await;
        approve(&house, &first, "bo");
        let desk = desk(&house);
        let next = async || {
            let pending = desk.list(Which::Pending, 9).unwrap();
            pending.iter().any(|one| one.kept.escalation.id().to_string() != first)
        };
        eventually(next).await;
        let second = pending(&house).await;
        assert_ne!(first, second);
        vote(&house, &second, "bo", Choice::Reject);
    });
    let ran = [&one, &other].into_iter().filter(|result| result.is_error != Some(true)).count();
    assert_eq!(ran, 1, "{one:?} {other:?}");
    let (records, _) = closed(&house, &sec0).await;
    let mut told: Vec<_> =
        records.iter().map(|record| record["escalation_status"].clone()).collect();
    told.sort_by_key(Value::to_string);
    assert_eq!(told, [json!("approved"), json!("rejected")]);
}

#[tokio::test]
async fn a_call_that_nobody_decides_on_is_held_no_longer_than_it_may_be() {
    let house = House::new(&policy("wait_ms: 50"));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let refused = denial(&send(&server, call.clone(), Sent::default()).await);
    assert_eq!(
        (&refused["reason"], &refused["escalation_status"]),
        (&json!("approval_required"), &json!("timeout"))
    );
    let id = id_of(&refused);
    approve(&house, &id, "bo");
    // It was held and may go on by itself when it comes again.
    let run = send(&server, call, Sent::default()).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    closed(&house, &sec0).await;
}

#[tokio::test]
async fn a_held_call_whose_caller_gives_up_does_not_run() {
    let house = House::new(&policy(HELD));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let mut context = detached_context();
    let given_up = tokio_util::sync::CancellationToken::new();
    context.ct = given_up.clone();
    let (answer, id) =
        tokio::join!(soon(ask_in(&server, "write_file", arguments(&house, "a"), context)), async {
            let id = pending(&house).await;
            // From here on the call waits.
            eventually(async || logged(&house).contains("approval_created")).await;
            given_up.cancel();
            id
        });
    assert!(answer.is_err(), "{answer:?}");
    // The question stays: who comes again finds it.
    approve(&house, &id, "bo");
    let (records, _) = closed(&house, &sec0).await;
    assert_eq!(
        (&records[0]["status"], &records[0]["escalation_id"]),
        (&json!("cancelled"), &json!(id))
    );
    assert!(!house.path("written").exists());
}

#[tokio::test]
async fn a_caller_who_asks_for_progress_hears_that_its_call_waits() {
    for era in Era::ALL {
        let house = House::new(&policy(HELD));
        let sec0 = house.layer();
        let session = Session::open(era, layered(&sec0)).await;
        let params =
            CallToolRequestParams::new("write_file").with_arguments(object(arguments(&house, "a")));
        let said = session.said.clone();
        let told = async || said.lines().iter().any(|line| line.contains("notifications/progress"));
        let (run, ()) = tokio::join!(
            async {
                tokio::time::timeout(PATIENCE, session.client.call_tool(params)).await.unwrap()
            },
            async {
                let id = pending(&house).await;
                eventually(told).await;
                approve(&house, &id, "bo");
            }
        );
        assert_ne!(run.unwrap().is_error, Some(true));
        let told = session.close().await;
        let told = told.iter().find(|line| line.contains("notifications/progress")).unwrap();
        let told: Value = serde_json::from_str(told).unwrap();
        assert_eq!(told["params"]["total"], json!(30.0), "{told:#}");
        closed(&house, &sec0).await;
    }
}
