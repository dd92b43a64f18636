//! Hops that a human decides on.

use super::support::{OPEN, Place};
use sec0::Refusal;
use sec0::approval::{Choice, Statement, Vote, Voted};
use sec0::clock::System;
use sec0::hop::Sec0App;
use sec0::sign::{LocalDevSigner, Signer as _};
use sec0::store::sqlite::{ApprovalDesk, Which};
use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::spawn_blocking;

fn bo() -> LocalDevSigner {
    LocalDevSigner::from_seed([9; 32])
}

fn policy(wait_ms: u32) -> String {
    format!(
        "{OPEN}rules: [{{id: bolts, tool: 'mcp://warehouse/take', pointer: /item, op: eq, value: bolt, \
         effect: ask, reason: bolts_are_dear}}]\n\
         security: {{side_effects: {{human_escalation: {{approval_set_id: all, wait_ms: {wait_ms}}}}}}}\n\
         approval_sets: {{all: {{members: [{{id: bo, public_key: '{}'}}]}}}}\n",
        bo().public_key()
    )
}

/// Approves the next question that is asked here.
fn approve(log: &Path) {
    let desk = ApprovalDesk::open(log).unwrap();
    let listed = loop {
        if let Some(listed) = desk.list(Which::Pending, 1).unwrap().pop() {
            break listed;
        }
        desk.wait(Duration::from_secs(10)).unwrap();
    };
    let now = System::shared().wall();
    let statement = Statement::new(&listed.kept.escalation, "bo", Choice::Approve, now, "");
    let sig = bo().sign_now(&statement.bytes().unwrap());
    let voted = desk.vote(Vote::new(&statement, "", sig).unwrap(), now).unwrap();
    assert!(matches!(voted, Voted::Counted(_)), "{voted:?}");
}

async fn take(app: &Sec0App, item: &str, ran: &AtomicU32) -> Result<(), Refusal> {
    let body = |_| async {
        ran.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    app.hop("Stock.take")?.run(json!({ "item": item }), body).await
}

#[tokio::test]
async fn a_grant_lets_exactly_this_hop_run_exactly_once() {
    let place = Place::shop(&policy(0));
    let (app, ran) = (place.app(), AtomicU32::new(0));
    let refused = take(&app, "bolt", &ran).await.unwrap_err();
    assert_eq!(refused.reason().as_str(), "approval_required");
    let id = refused.escalation().unwrap().id.to_string();
    let log = place.log();
    spawn_blocking(move || approve(&log)).await.unwrap();
    let present = async |item: &'static str| {
        app.run().approval(&id).scope(take(&app, item, &ran)).await.map_err(|it| it.reason())
    };
    present("bolt").await.unwrap();
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    assert_eq!(present("bolt").await.unwrap_err().as_str(), "approval_invalid");
    // What nobody has to be asked about needs no grant, and takes none.
    present("nut").await.unwrap();
    assert_eq!(ran.load(Ordering::SeqCst), 2);
    let records = place.records(&app).await;
    let reasons: Vec<_> = records.iter().map(|record| record["decision_reason"].clone()).collect();
    let asked = json!("bolts_are_dear");
    assert_eq!(reasons, [json!("approval_required"), asked, json!("approval_spent"), json!(null)]);
}

#[tokio::test]
async fn a_hop_that_is_held_goes_on_when_somebody_decides() {
    let place = Place::shop(&policy(30_000));
    let (app, ran) = (place.app(), AtomicU32::new(0));
    let log = place.log();
    let (taken, ()) = tokio::join!(take(&app, "bolt", &ran), async {
        spawn_blocking(move || approve(&log)).await.unwrap();
    });
    taken.unwrap();
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    let records = place.records(&app).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["escalation_status"], "approved");
    let events: Vec<_> =
        place.lines().into_iter().filter_map(|line| line.get("event").cloned()).collect();
    assert_eq!(events, ["approval_created", "approval_vote", "approval_decided"]);
}
