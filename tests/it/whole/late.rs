//! Servers whose tools cannot be seen when they are wrapped: they are seen before the first request.

use super::hand::{Hand, is_frozen_list, is_unknown, layer, list, slow};
use crate::support::*;
use rmcp::model::ErrorCode;
use sec0::ServerHandlerExt;
use sec0::mcp::detached_context;
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn a_list_that_waits_is_taken_before_the_first_call_and_once() {
    let (site, (hand, latch)) = (Site::default(), slow());
    let sec0 = layer(&site);
    let server = hand.clone().layer(sec0.clone());
    assert!(server.tools().is_empty());
    // The wrap asked and did not wait.
    latch.entered(1).await;
    let calls = futures::future::join_all((0..5).map(|_| ask(&server, "one", json!({}))));
    let release = async {
        latch.entered(1).await;
        assert_eq!(hand.runs(), 0, "a call ran before anything was frozen");
        latch.release(1);
    };
    let (answers, ()) = soon(futures::future::join(calls, release)).await;
    assert!(answers.iter().all(is_fine), "{answers:?}");
    assert_eq!(hand.0.listed.load(Ordering::SeqCst), 2);
    hand.change(|tools| tools.push(tool("late", None)));
    latch.release(1);
    is_frozen_list(list(&server).await);
    assert_eq!(site.close(&sec0).await.calls.len(), 5);
}

#[tokio::test]
async fn a_call_that_gives_up_while_the_tools_are_listed_is_recorded_and_never_runs() {
    let (site, (hand, latch)) = (Site::default(), slow());
    let sec0 = layer(&site);
    let server = hand.clone().layer(sec0.clone());
    latch.entered(1).await;
    // By its token, and by being dropped.
    let context = detached_context();
    let cancel = context.ct.clone();
    let cancelled = ask_in(&server, "one", json!({}), context);
    let give_up = async {
        latch.entered(1).await;
        cancel.cancel();
    };
    let (answer, ()) = soon(futures::future::join(cancelled, give_up)).await;
    assert!(answer.unwrap_err().message.contains("cancelled"));
    {
        let mut dropped = Box::pin(ask(&server, "one", json!({})));
        assert!(futures::poll!(&mut dropped).is_pending());
    }
    latch.release(10);
    assert!(is_fine(&soon(ask(&server, "one", json!({}))).await));
    assert_eq!(hand.runs(), 1);
    let lines = site.close(&sec0).await;
    let statuses: Vec<_> =
        lines.calls.iter().map(|call| call["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["cancelled", "cancelled", "ok"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_lists_is_given_up_after_thirty_seconds() {
    let (site, (hand, _latch)) = (Site::default(), slow());
    let sec0 = layer(&site);
    let server = hand.clone().layer(sec0.clone());
    is_unknown(&ask(&server, "one", json!({})).await);
    assert_eq!(hand.runs(), 0);
    tokio::time::resume();
    assert_eq!(site.close(&sec0).await.only()["decision_reason"], "unknown_tool");
}

#[tokio::test]
async fn a_server_that_cannot_list_yet_is_asked_again_and_its_error_is_its_own() {
    let (site, hand) = (Site::default(), Hand::with(&["one"]));
    hand.0.is_broken.store(true, Ordering::SeqCst);
    let sec0 = layer(&site);
    let server = hand.clone().layer(sec0.clone());
    assert_eq!(list(&server).await.unwrap_err().message, "who asks?");
    is_unknown(&ask(&server, "one", json!({})).await);
    assert_eq!(hand.runs(), 0);
    hand.0.is_broken.store(false, Ordering::SeqCst);
    assert!(is_fine(&ask(&server, "one", json!({})).await));
    assert_eq!(list(&server).await.unwrap(), ["one"]);
    let lines = site.close(&sec0).await;
    assert_eq!(lines.calls.len(), 2);
    assert_eq!(lines.calls[0]["decision_reason"], "unknown_tool");
}

#[tokio::test]
async fn a_list_that_panics_takes_neither_the_wrap_nor_the_server_down() {
    let (site, hand) = (Site::default(), Hand::with(&["one"]));
    hand.0.panics.store(true, Ordering::SeqCst);
    let sec0 = layer(&site);
    let server = hand.clone().layer(sec0.clone());
    let panicked = ask(&server, "one", json!({})).await.unwrap_err();
    assert_eq!(panicked.code, ErrorCode::INTERNAL_ERROR);
    hand.0.panics.store(false, Ordering::SeqCst);
    assert!(is_fine(&ask(&server, "one", json!({})).await));
    let lines = site.close(&sec0).await;
    assert_eq!(lines.calls[0]["status"], "panicked");
    assert_eq!(lines.calls[0]["executed"], false);
    assert_eq!(hand.runs(), 1);
}

#[test]
fn a_server_may_be_wrapped_before_there_is_a_runtime() {
    let hand = Hand::with(&["one"]);
    let server = hand.clone().layer(layer(&Site::default()));
    assert_eq!(hand.0.listed.load(Ordering::SeqCst), 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert!(is_fine(&ask(&server, "one", json!({})).await));
    });
}
