//! One record for each call, whatever becomes of it.

use crate::support::{
    Latch, Rules, Runs, Site, ask, ask_in, assert_agree, demo, denial, done, eventually, is_fine,
    sha256_of, soon, tool,
};
use futures::poll;
use rmcp::ErrorData;
use rmcp::model::{CallToolResponse, CreateTaskResult, InputRequiredResult, Task, TaskStatus};
use sec0::Sec0SecurityLayer;
use sec0::mcp::detached_context;
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_at_once_leave_one_record_for_each_call() {
    let (site, runs) = (Site::default(), Runs::default());
    let rules = Rules::enforce().allow(&["mcp://demo/add"]);
    let layer = site.layer(&rules);
    let server = demo()
        .tool(tool("add", Some("1.0")), runs.handler())
        .tool(tool("rm", Some("1.0")), runs.handler())
        .layer(layer.clone());
    let mut callers = JoinSet::new();
    for caller in 0..64 {
        let server = server.clone();
        callers.spawn(async move {
            for call in 0..50 {
                let arguments = json!({ "caller": caller, "call": call });
                let answer =
                    ask(&server, if call % 5 == 0 { "rm" } else { "add" }, arguments).await;
                assert_eq!(is_fine(&answer), call % 5 != 0);
            }
        });
    }
    while let Some(caller) = soon(callers.join_next()).await {
        caller.unwrap();
    }
    let lines = site.close(&layer).await;
    assert_eq!((lines.calls.len(), lines.events.len()), (3200, 0));
    let by_input = lines.by_input();
    assert_eq!((by_input.len(), by_input.values().max()), (3200, Some(&1)));
    assert!(by_input.contains_key(&sha256_of(&json!({ "caller": 63, "call": 49 }))));
    let count = |decision: &str| {
        lines.calls.iter().filter(|call| call["policy"]["decision"] == decision).count()
    };
    assert_eq!((count("allow"), count("deny"), runs.get()), (2560, 640, 2560));
}

#[tokio::test]
async fn a_call_dropped_before_its_first_poll_does_nothing() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    drop(ask_in(&server, "add", json!({}), detached_context()));
    let lines = site.close(&layer).await;
    // The door's future has not entered the stack; where it does so at once, it is recorded.
    assert!(lines.calls.len() <= 1);
    assert!(lines.calls.iter().all(|call| call["status"] == "cancelled"));
    assert_eq!(runs.get(), 0);
}

#[tokio::test]
async fn a_call_dropped_while_its_handler_runs_is_cancelled() {
    let (site, latch, ended) = (Site::default(), Latch::new(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let server = {
        let (latch, ended) = (latch.clone(), ended.clone());
        demo().tool(tool("hold", Some("1.0")), move |_| {
            let (latch, ended) = (latch.clone(), ended.clone());
            async move {
                latch.pass().await;
                ended.up();
                done()
            }
        })
    };
    let server = server.layer(layer.clone());
    let mut call = Box::pin(ask(&server, "hold", json!({})));
    assert!(poll!(&mut call).is_pending());
    latch.entered(1).await;
    drop(call);
    let lines = site.close(&layer).await;
    let record = lines.only();
    assert_eq!((&record["status"], &record["executed"]), (&json!("cancelled"), &json!(true)));
    assert_eq!(record["policy"]["decision"], "allow");
    assert_eq!(ended.get(), 0);
}

#[tokio::test]
async fn a_call_dropped_while_it_waits_for_room_is_cancelled_and_takes_none() {
    let (site, latch, runs) = (Site::default(), Latch::new(), Runs::default());
    let options = site.options(&Rules::enforce()).queue(1).admission_wait(Duration::from_secs(20));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(tool("hold", Some("1.0")), latch.handler(&runs)).layer(layer.clone());
    let mut first = Box::pin(ask(&server, "hold", json!({ "n": 1 })));
    assert!(poll!(&mut first).is_pending());
    latch.entered(1).await;
    let mut second = Box::pin(ask(&server, "hold", json!({ "n": 2 })));
    assert!(poll!(&mut second).is_pending());
    let mut third = Box::pin(ask(&server, "hold", json!({ "n": 3 })));
    assert!(poll!(&mut third).is_pending());
    assert_eq!(runs.get(), 1);
    drop(second);
    latch.release(2);
    assert!(is_fine(&soon(first).await));
    assert!(is_fine(&soon(third).await), "the one that gave up is not waited for");
    let lines = site.close(&layer).await;
    assert_eq!((lines.calls.len(), runs.get()), (3, 2));
    let gone: Vec<_> = lines.calls.iter().filter(|call| call["status"] == "cancelled").collect();
    assert_eq!(gone.len(), 1);
    assert_eq!(
        (&gone[0]["executed"], &gone[0]["policy"]["decision"]),
        (&json!(false), &json!("deny"))
    );
}

#[tokio::test]
async fn a_call_that_finds_no_room_in_time_is_refused_and_recorded() {
    let (site, latch, runs) = (Site::default(), Latch::new(), Runs::default());
    let options = site.options(&Rules::observe()).queue(1).admission_wait(Duration::from_millis(1));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(tool("hold", Some("1.0")), latch.handler(&runs)).layer(layer.clone());
    let mut first = Box::pin(ask(&server, "hold", json!({ "n": 1 })));
    assert!(poll!(&mut first).is_pending());
    let refused = soon(ask(&server, "hold", json!({ "n": 2 }))).await;
    latch.release(1);
    assert!(is_fine(&soon(first).await));
    let denial = denial(&refused);
    assert_eq!(
        (&denial["code"], &denial["reason"]),
        (&json!("AUDIT_UNAVAILABLE"), &json!("missing_audit_signature"))
    );
    assert_eq!((&denial["executed"], runs.get()), (&json!(false), 1));
    let lines = site.close(&layer).await;
    assert_eq!((lines.calls.len(), lines.events.len()), (2, 0));
    let record = lines.calls.iter().find(|call| call["status"] == "denied").unwrap();
    assert_agree(&denial, record);
}

#[tokio::test]
async fn a_cancelled_call_whose_handler_ends_is_recorded_cancelled() {
    let (site, latch, ended) = (Site::default(), Latch::new(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let server = {
        let (latch, ended) = (latch.clone(), ended.clone());
        demo().tool(tool("deaf", Some("1.0")), move |_| {
            let (latch, ended) = (latch.clone(), ended.clone());
            async move {
                latch.pass().await;
                ended.up();
                done()
            }
        })
    };
    let server = server.layer(layer.clone());
    let context = detached_context();
    let cancel = context.ct.clone();
    let mut call = Box::pin(ask_in(&server, "deaf", json!({}), context));
    assert!(poll!(&mut call).is_pending());
    latch.entered(1).await;
    cancel.cancel();
    assert!(poll!(&mut call).is_pending(), "a running handler is not dropped");
    latch.release(1);
    soon(call).await.unwrap();
    assert_eq!(ended.get(), 1);
    let lines = site.close(&layer).await;
    assert_eq!(
        (&lines.only()["status"], &lines.only()["executed"]),
        (&json!("cancelled"), &json!(true))
    );
}

#[tokio::test]
async fn a_call_cancelled_while_it_waits_for_room_stops_and_never_runs() {
    let (site, latch, runs) = (Site::default(), Latch::new(), Runs::default());
    let options = site.options(&Rules::enforce()).queue(1).admission_wait(Duration::from_secs(20));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(tool("hold", Some("1.0")), latch.handler(&runs)).layer(layer.clone());
    let mut first = Box::pin(ask(&server, "hold", json!({ "n": 1 })));
    assert!(poll!(&mut first).is_pending());
    let context = detached_context();
    let cancel = context.ct.clone();
    let mut second = Box::pin(ask_in(&server, "hold", json!({ "n": 2 }), context));
    assert!(poll!(&mut second).is_pending());
    cancel.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(5), second).await;
    assert!(stopped.is_ok(), "a waiting step stops when the caller gives up");
    latch.release(1);
    assert!(is_fine(&soon(first).await));
    let lines = site.close(&layer).await;
    assert_eq!((lines.calls.len(), runs.get()), (2, 1));
    let gone = lines.calls.iter().find(|call| call["executed"] == false).unwrap();
    assert_eq!(
        (&gone["status"], &gone["policy"]["decision"]),
        (&json!("cancelled"), &json!("deny"))
    );
}

#[tokio::test]
async fn a_reply_that_announces_a_task_is_recorded_with_it() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce());
    let task =
        || Task::new("task-7", TaskStatus::Working, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    let server = demo()
        .tool(tool("later", Some("1.0")), move |_| async move {
            Ok::<_, ErrorData>(CallToolResponse::Task(CreateTaskResult::new(task())))
        })
        .tool(tool("asks", Some("1.0")), |_| async {
            InputRequiredResult::from_request_state("their state")
        })
        .layer(layer.clone());
    let reply = ask_in(&server, "later", json!({}), detached_context()).await.unwrap();
    let CallToolResponse::Task(reply) = reply else { panic!("no task") };
    assert_eq!(reply.task, task());
    let asks = ask_in(&server, "asks", json!({}), detached_context()).await.unwrap();
    let CallToolResponse::InputRequired(reply) = asks else { panic!("{asks:?}") };
    assert_eq!(reply.request_state.as_deref(), Some("their state"));
    let lines = site.close(&layer).await;
    assert_eq!(lines.calls.len(), 2);
    assert_eq!(lines.calls[0]["task_id"], "task-7");
    assert_eq!(lines.calls[1].get("task_id"), None);
    for record in &lines.calls {
        assert_eq!((&record["status"], &record["executed"]), (&json!("ok"), &json!(true)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_come_and_go_over_one_layer() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let mut sessions = JoinSet::new();
    for session in 0..100 {
        let (layer, runs) = (layer.clone(), runs.clone());
        sessions.spawn(async move {
            let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer);
            for call in 0..3 {
                let arguments = json!({ "session": session, "call": call });
                assert!(is_fine(&ask(&server, "add", arguments).await));
            }
        });
    }
    while let Some(session) = soon(sessions.join_next()).await {
        session.unwrap();
    }
    let lines = site.close(&layer).await;
    assert_eq!((lines.calls.len(), lines.events.len(), runs.get()), (300, 0, 300));
    assert_eq!(lines.by_input().len(), 300);
    let snapshots: std::collections::BTreeSet<_> =
        lines.calls.iter().map(|call| call["server_snapshot"].to_string()).collect();
    assert_eq!(snapshots.len(), 1);
}

#[tokio::test]
async fn dropping_the_last_clone_writes_everything() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    drop(layer);
    for call in 0..100 {
        assert!(is_fine(&ask(&server, "add", json!({ "call": call })).await));
    }
    let clone = server.clone();
    drop(server);
    assert!(is_fine(&ask(&clone, "add", json!({ "call": 100 })).await), "it lives on");
    drop(clone);
    assert_eq!(site.read().calls.len(), 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shutdown_under_load_loses_nothing() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let mut callers = JoinSet::new();
    for caller in 0..16 {
        let server = server.clone();
        callers.spawn(async move {
            let mut answered = 0_usize;
            loop {
                let arguments = json!({ "caller": caller, "call": answered });
                let answer = ask(&server, "add", arguments).await;
                if !is_fine(&answer) {
                    let denial = denial(&answer);
                    assert_eq!(denial["code"], "AUDIT_UNAVAILABLE");
                    assert_eq!(denial["executed"], false);
                    return answered;
                }
                answered += 1;
                tokio::task::yield_now().await;
            }
        });
    }
    eventually(async || runs.get() > 500).await;
    let lines = site.close(&layer).await;
    let mut answered = 0;
    while let Some(caller) = soon(callers.join_next()).await {
        answered += caller.unwrap();
    }
    // A call that comes while the log is being closed may still get a record of its refusal.
    let (ran, refused): (Vec<_>, Vec<_>) =
        lines.calls.iter().partition(|call| call["executed"] == true);
    assert_eq!((ran.len(), runs.get()), (answered, answered));
    assert!(ran.iter().all(|call| call["status"] == "ok"));
    assert!(refused.len() <= 16);
    assert!(refused.iter().all(|call| call["policy"]["reason"] == "missing_audit_signature"));
    assert_eq!(lines.by_input().values().sum::<usize>(), lines.calls.len());
    assert!(lines.by_input().iter().all(|(digest, &count)| count == 1 || digest.is_empty()));
    assert_eq!(site.sink.lines().len(), lines.calls.len(), "nothing is written after the end");
}

#[tokio::test]
async fn after_a_shutdown_nothing_runs() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::observe());
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    assert_eq!(site.close(&layer).await.calls.len(), 0);
    let answer = ask(&server, "add", json!({})).await;
    let denial = denial(&answer);
    assert_eq!(denial["code"], "AUDIT_UNAVAILABLE");
    assert_eq!(
        (&denial["reason"], &denial["executed"]),
        (&json!("missing_audit_signature"), &json!(false))
    );
    layer.try_shutdown().await.unwrap();
    assert_eq!((runs.get(), site.sink.lines().len()), (0, 0));
}

#[tokio::test]
async fn a_shutdown_waits_for_the_call_under_way() {
    let (site, latch) = (Site::default(), Latch::new());
    let layer = site.layer(&Rules::enforce());
    let held = latch.clone();
    let server = demo().tool(tool("hold", Some("1.0")), move |_| {
        let held = held.clone();
        async move {
            held.pass().await;
            done()
        }
    });
    let server = server.layer(layer.clone());
    let mut call = pin!(ask(&server, "hold", json!({})));
    assert!(poll!(&mut call).is_pending());
    let mut shutdown = pin!(layer.try_shutdown());
    assert!(poll!(&mut shutdown).is_pending());
    latch.release(1);
    assert!(is_fine(&soon(call).await));
    soon(shutdown).await.unwrap();
    assert_eq!(site.read().only()["status"], "ok");
}

#[tokio::test]
async fn digests_are_those_of_the_canonical_arguments_and_result() {
    let inputs = [
        json!({}),
        json!({ "b": 1, "a": [1.0, 1e21, -0.0, 0.1, 1e-7], "c": { "z": null, "y": true } }),
        json!({ "€": "euro", "\r": "cr", "דּ": "d", "1": "one", "😀": "smile", "\u{80}": "c", "ö": "o" }),
        json!({ "text": "\u{0}\u{1f}\"\\/\u{2028}\u{fffd}é😀" }),
    ];
    for arguments in inputs {
        let site = Site::default();
        let layer = site.layer(&Rules::enforce());
        let server =
            demo().tool(tool("add", Some("1.0")), |call: sec0::mcp::MockCall| async move {
                let mut result = done();
                result.structured_content = Some(Value::Object(call.arguments));
                result
            });
        let server = server.layer(layer.clone());
        assert!(is_fine(&ask(&server, "add", arguments.clone()).await));
        let lines = site.close(&layer).await;
        assert_eq!(lines.only()["input_sha256"], sha256_of(&arguments));
        let mut result = done();
        result.structured_content = Some(arguments);
        assert_eq!(lines.only()["output_sha256"], sha256_of(&result));
    }

    let site = Site::default();
    let layer = site.layer(&Rules::enforce());
    let runs = Arc::new(Runs::default());
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    assert!(is_fine(&ask(&server, "add", Value::Null).await));
    assert_eq!(site.close(&layer).await.only()["input_sha256"], Value::Null);
}
