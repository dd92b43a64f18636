//! Hops in code that is not async.

use super::support::{OPEN, Place, of};
use sec0::Refusal;
use sec0::hop::{HopContext, Sec0App};
use serde_json::json;
use std::thread;

fn take(app: &Sec0App) -> Result<String, Refusal> {
    app.hop("Stock.take")?.run_sync(json!({"item": "bolt"}), |hop| {
        assert_eq!(HopContext::current().unwrap().span(), hop.span());
        Ok("taken".to_owned())
    })
}

#[test]
fn a_hop_runs_on_a_thread_that_belongs_to_no_runtime_and_waits_for_its_record() {
    for mode in ["batch", "blocking", "blocking-strict"] {
        let place = Place::shop(&OPEN.replace("{mode: batch}", &format!("{{mode: {mode}}}")));
        let app = place.app();
        assert_eq!(take(&app).unwrap(), "taken", "{mode}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let records = runtime.block_on(place.records(&app));
        assert_eq!(of(&records, "Stock.take")["status"], "ok", "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_of_a_multi_thread_runtime_is_given_back_while_a_hop_waits() {
    let place = Place::shop(&OPEN.replace("{mode: batch}", "{mode: blocking-strict}"));
    let app = place.app();
    assert_eq!(take(&app).unwrap(), "taken");
    assert_eq!(of(&place.records(&app).await, "Stock.take")["status"], "ok");
}

#[tokio::test]
async fn the_thread_of_a_current_thread_runtime_is_never_blocked() {
    let place = Place::shop(OPEN);
    let app = place.app();
    assert_eq!(take(&app).unwrap(), "taken");
    let durable = Place::shop(&OPEN.replace("{mode: batch}", "{mode: blocking}"));
    let refused = take(&durable.app()).unwrap_err();
    assert_eq!(refused.reason().as_str(), "hop_unavailable");
    assert!(refused.to_string().contains("make it async"), "{refused}");
}

#[test]
fn a_hop_that_is_asked_about_is_refused_at_once_with_its_id() {
    let policy = format!(
        "{OPEN}rules: [{{id: bolts, tool: 'mcp://warehouse/take', pointer: /item, op: eq, value: bolt, \
         effect: ask, reason: bolts_are_dear}}]\n\
         security: {{side_effects: {{human_escalation: {{approval_set_id: all, wait_ms: 60000}}}}}}\n\
         approval_sets: {{all: {{members: [{{id: bo, public_key: '{}'}}]}}}}\n",
        sec0::sign::Signer::public_key(&sec0::LocalDevSigner::from_seed([9; 32]))
    );
    let place = Place::shop(&policy);
    let refused = take(&place.app()).unwrap_err();
    assert_eq!(refused.reason().as_str(), "approval_required", "{refused}");
    assert!(refused.escalation().is_some());
}

#[test]
fn a_scope_reaches_into_code_that_is_not_async_and_ends_with_it() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let result: Result<(), Refusal> = app.hop("Desk.serve").unwrap().run_sync((), |hop| {
        let inner = Sec0App::current().unwrap();
        take(&inner)?;
        // Another thread takes it along by hand.
        let looks = move || hop.scope_sync(|| look(&inner));
        thread::spawn(looks).join().unwrap()
    });
    result.unwrap();
    assert!(Sec0App::current().is_none());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let records = runtime.block_on(place.records(&app));
    for key in ["Stock.take", "Stock.look"] {
        assert_eq!(
            of(&records, key)["cause_span_id"],
            of(&records, "Desk.serve")["span_id"],
            "{key}"
        );
    }
}

fn look(app: &Sec0App) -> Result<(), Refusal> {
    app.hop("Stock.look")?.run_sync((), |_| Ok(()))
}

#[test]
fn a_panic_passes_and_is_recorded() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let panicking = || {
        let body = |_: HopContext| -> Result<(), Refusal> { std::panic::panic_any(3_u8) };
        app.hop("Stock.take").unwrap().run_sync((), body)
    };
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&3_u8));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let records = runtime.block_on(place.records(&app));
    assert_eq!(of(&records, "Stock.take")["status"], "panicked");
}
