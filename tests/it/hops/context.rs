//! What runs in a hop is linked to it: through `await`, spawned tasks, threads and the wire.

use super::support::{OPEN, Place, of};
use sec0::Refusal;
use sec0::hop::{HopContext, Sec0App};
use serde_json::json;
use std::collections::HashMap;
use tokio::task::JoinSet;

async fn look(app: &Sec0App) -> Result<(), Refusal> {
    app.hop("Stock.look")?.run((), |_| async { Ok(()) }).await
}

#[tokio::test]
async fn a_task_that_takes_the_context_along_is_linked_and_one_that_does_not_is_its_own_run() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let serve = app.hop("Desk.serve").unwrap();
    let done: Result<(), Refusal> = serve
        .run((), |hop| async {
            let (linked, alone) = (app.clone(), app.clone());
            let mut tasks = JoinSet::new();
            tasks.spawn(hop.scope(async move { look(&linked).await }));
            tasks.join_next().await.unwrap().unwrap()?;
            let body =
                async move { alone.hop("OrderAgent.run")?.run((), |_| async { Ok(()) }).await };
            tasks.spawn(body);
            tasks.join_next().await.unwrap().unwrap()
        })
        .await;
    done.unwrap();
    assert!(HopContext::current().is_none());
    let records = place.records(&app).await;
    let (serve, look) = (of(&records, "Desk.serve"), of(&records, "Stock.look"));
    assert_eq!(look["cause_span_id"], serve["span_id"]);
    assert_eq!(look["agentRef"], serve["agentRef"]);
    let alone = of(&records, "OrderAgent.run");
    assert!(alone.get("cause_span_id").is_none());
    assert_ne!(alone["agentRef"], serve["agentRef"]);
}

#[tokio::test]
async fn variables_of_a_hop_stand_in_the_records_of_those_that_it_calls() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let done: Result<(), Refusal> = app
        .hop("OrderAgent.run")
        .unwrap()
        .run((), |hop| async move {
            hop.objective("two bolts").unwrap();
            look(hop.app()).await
        })
        .await;
    done.unwrap();
    let records = place.records(&app).await;
    assert_eq!(
        of(&records, "Stock.look")["agentVariables"],
        json!({"AGENT": {"objective": "two bolts"}})
    );
    assert!(of(&records, "OrderAgent.run").get("agentVariables").is_none());
}

#[tokio::test]
async fn headers_carry_a_run_into_another_process() {
    let (near, far) = (Place::shop(OPEN), Place::shop(OPEN));
    let (caller, other) = (near.app(), far.app());
    let run = caller.run().id("the run/7").unwrap();
    let done: Result<(), Refusal> = run
        .scope(caller.hop("OrderAgent.run").unwrap().run((), |hop| async move {
            hop.set_state("wanted", &2).unwrap();
            let headers: HashMap<_, _> = hop.headers().unwrap().into_iter().collect();
            let named = |name: &str| headers.get(name).map(String::as_str);
            other.run().from_headers(named).scope(look(&other)).await?;
            let inner = far.records(&other).await;
            let record = of(&inner, "Stock.look");
            assert_eq!(record["agentRef"], "the_run_7");
            assert_eq!(record["cause_span_id"], hop.span().span_hex().to_string());
            assert_eq!(record["cause_trace_id"], hop.span().trace_hex().to_string());
            assert_eq!(record["agentVariables"], json!({"AGENT": {"wanted": 2}}));
            assert_eq!(
                headers["traceparent"],
                format!("00-{}-{}-01", hop.span().trace_hex(), hop.span().span_hex())
            );
            let meta = hop.meta().unwrap();
            assert_eq!(meta["sec0/agentRef"], "the_run_7");
            assert_eq!(meta["sec0/nodeId"], "order-agent");
            Ok(())
        }))
        .await;
    done.unwrap();
}

#[tokio::test]
async fn state_that_does_not_agree_with_its_headers_is_left_out() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let done: Result<(), Refusal> = app
        .hop("OrderAgent.run")
        .unwrap()
        .run((), |hop| async move {
            hop.set_state("wanted", &2).unwrap();
            let mut headers: HashMap<_, _> = hop.headers().unwrap().into_iter().collect();
            headers.insert("x-agent-ref", "another".to_owned());
            let named = |name: &str| headers.get(name).map(String::as_str);
            hop.app().run().from_headers(named).scope(look(hop.app())).await
        })
        .await;
    done.unwrap();
    let records = place.records(&app).await;
    let look = of(&records, "Stock.look");
    assert_eq!(look["agentRef"], "another");
    assert!(look.get("agentVariables").is_none());
}

/// A future that is as large as a body with that much in it.
async fn large() -> Result<(), Refusal> {
    let held = [0_u8; 4096];
    tokio::task::yield_now().await;
    assert_eq!(held.len(), 4096);
    Ok(())
}

#[tokio::test]
async fn a_body_is_held_once_however_deep_hops_are_nested() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let (serve, look) = (app.hop("Desk.serve").unwrap(), app.hop("Stock.look").unwrap());
    let one = look.run((), |_| large());
    let size_of_one = size_of_val(&one);
    let two = serve.run((), |_| look.run((), |_| large()));
    let size_of_two = size_of_val(&two);
    assert!(size_of_one < 4096 + 2048 && size_of_two < 4096 + 4096, "{size_of_one} {size_of_two}");
}
