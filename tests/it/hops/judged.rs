//! What a hop may do is decided before its body runs, and recorded whatever becomes of it.

use super::support::{OPEN, Place, of};
use futures::FutureExt as _;
use proptest::prelude::*;
use sec0::Refusal;
use sec0::call::Reason;
use sec0::hop::Sec0App;
use serde_json::{Value, json};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::task::JoinSet;

/// A business error that a refusal can become.
#[derive(Debug, PartialEq)]
enum Trouble {
    Refused(String, bool),
    SoldOut,
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.reason().as_str().to_owned(), refusal.executed())
    }
}

fn sha256(value: &Value) -> String {
    let canonical = serde_json_canonicalizer::to_vec(value).unwrap();
    sec0::digest::Digest::of(&canonical).to_string().trim_start_matches("sha256:").to_owned()
}

#[tokio::test]
async fn a_hop_that_is_allowed_runs_and_its_record_has_the_fields_of_a_decorator() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let input = json!({"item": "bolt", "count": 3});
    let hop = app.hop("OrderAgent.run").unwrap();
    let result: Result<_, Refusal> = hop.run(&input, |_| async { Ok(json!({"order": 7})) }).await;
    assert_eq!(result.unwrap(), json!({"order": 7}));
    let records = place.records(&app).await;
    let record = of(&records, "OrderAgent.run");
    for (member, value) in [
        ("tenant", json!("acme")),
        ("env", json!("dev")),
        ("client", json!("shop")),
        ("clientVersion", json!("7")),
        ("node_type", json!("agent")),
        ("agent", json!("orders@1.0")),
        ("server", json!("sec0-agent")),
        ("tool", json!("orders@1.0")),
        ("tool_ref", json!("sec0-agent orders@1.0")),
        ("target_server", json!("sec0-agent")),
        ("target_tool", json!("orders@1.0")),
        ("nodeId", json!("order-agent")),
        ("status", json!("ok")),
        ("retries", json!(0)),
        ("executed", json!(true)),
        ("input_sha256", json!(sha256(&input))),
        ("output_sha256", json!(sha256(&json!({"order": 7})))),
    ] {
        assert_eq!(record[member], value, "{member}: {record}");
    }
    assert_eq!(record["policy"]["decision"], "allow");
    assert!(record["agentRef"].as_str().unwrap().starts_with("run-"));
    assert!(record.get("cause_span_id").is_none());
    assert!(place.log().join("agents/order-agent").is_dir());
}

#[tokio::test]
async fn each_type_of_hop_has_its_names_in_the_record() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let table = [
        (
            "Desk.serve",
            "agent_orchestrator",
            Some(("agent_orchestrator", "desk@2.0")),
            "sec0-orchestrator desk@2.0",
        ),
        ("OrderAgent.run", "agent", Some(("agent", "orders@1.0")), "sec0-agent orders@1.0"),
        ("Stock.look", "tool", None, "warehouse look@1.0"),
        ("Gate.pass", "middleware", Some(("middleware", "gate")), "gate pass"),
        ("House.open", "server", None, "house server"),
        ("Skill.fold", "skill", Some(("skill", "fold@3")), "library fold@3"),
    ];
    for (key, ..) in table {
        let done: Result<(), Refusal> = app.hop(key).unwrap().run((), |_| async { Ok(()) }).await;
        done.unwrap();
    }
    let records = place.records(&app).await;
    for (key, node_type, named, tool_ref) in table {
        let record = of(&records, key);
        assert_eq!(
            (&record["node_type"], &record["tool_ref"]),
            (&json!(node_type), &json!(tool_ref))
        );
        for member in ["agent", "agent_orchestrator", "gateway", "middleware", "skill"] {
            let expected = named.filter(|(name, _)| *name == member).map(|(_, value)| json!(value));
            assert_eq!(record.get(member), expected.as_ref(), "{key}: {member}");
        }
        assert!(record["input_sha256"].is_null(), "{key} has no input");
    }
    assert_eq!(of(&records, "Skill.fold")["skill_ref"], "library fold@3");
}

/// Its body runs as often as `ran` says afterwards.
async fn take(app: &Sec0App, ran: &AtomicU32) -> Result<(), Trouble> {
    let body = |_| async {
        ran.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    app.hop("Stock.take").unwrap().run(json!({"item": "bolt"}), body).await
}

#[tokio::test]
async fn a_hop_that_is_denied_has_not_run_and_is_recorded() {
    let policy = OPEN.replace("'mcp://*'", "'mcp://warehouse/look@*'");
    let place = Place::shop(&policy.replace("mode: enforce", "deny_on: [tool_not_in_allowlist]"));
    let (app, ran) = (place.app(), AtomicU32::new(0));
    let refused = take(&app, &ran).await.unwrap_err();
    assert_eq!(refused, Trouble::Refused("tool_not_in_allowlist".into(), false));
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    let records = place.records(&app).await;
    let record = of(&records, "Stock.take");
    assert_eq!((&record["status"], &record["executed"]), (&json!("denied"), &json!(false)));
    assert_eq!(record["policy"]["reason"], "tool_not_in_allowlist");
}

#[tokio::test]
async fn errors_and_panics_of_a_body_pass_as_they_are_and_are_recorded() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let hop = app.hop("Stock.take").unwrap();
    let failed: Result<(), _> = hop.run((), |_| async { Err(Trouble::SoldOut) }).await;
    assert_eq!(failed.unwrap_err(), Trouble::SoldOut);
    let look = app.hop("Stock.look").unwrap();
    let body = |_| async { std::panic::panic_any(17_u8) };
    let panicking = look.run::<_, (), Trouble, _>((), body);
    let payload = AssertUnwindSafe(panicking).catch_unwind().await.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&17_u8));
    let records = place.records(&app).await;
    assert_eq!(of(&records, "Stock.take")["status"], "error");
    assert_eq!(of(&records, "Stock.look")["status"], "panicked");
}

#[tokio::test]
async fn a_hop_whose_future_is_dropped_is_recorded_as_cancelled() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let hop = app.hop("Stock.take").unwrap();
    let running = hop.run((), |_| std::future::pending::<Result<(), Refusal>>());
    assert!(running.now_or_never().is_none());
    let records = place.records(&app).await;
    let record = of(&records, "Stock.take");
    assert_eq!((&record["status"], &record["executed"]), (&json!("cancelled"), &json!(true)));
}

#[tokio::test]
async fn a_body_whose_time_is_up_is_dropped_and_the_refusal_says_that_it_ran() {
    let place = Place::shop(&format!(
        "{}security: {{limits: {{max_duration_ms: 20}}}}\n",
        OPEN.replace("mode: enforce", "deny_on: [duration_too_long]")
    ));
    let app = place.app();
    let hop = app.hop("Stock.take").unwrap();
    let late: Result<(), Trouble> = hop.run((), |_| std::future::pending()).await;
    assert_eq!(late.unwrap_err(), Trouble::Refused("duration_too_long".into(), true));
    let records = place.records(&app).await;
    assert_eq!(of(&records, "Stock.take")["status"], "timeout");
}

#[tokio::test]
async fn without_a_policy_only_what_reads_runs_unless_the_configuration_says_so() {
    for (said, look, take_runs) in [
        ("", true, false),
        ("  without_policy: refuse\n", false, false),
        ("  without_policy: allow\n", true, true),
    ] {
        let place = Place::new(said, super::support::HOPS, None);
        let (app, ran) = (place.app(), AtomicU32::new(0));
        let looked: Result<(), Trouble> =
            app.hop("Stock.look").unwrap().run((), |_| async { Ok(()) }).await;
        assert_eq!(looked.is_ok(), look, "{said}");
        let taken = take(&app, &ran).await;
        assert_eq!((taken.is_ok(), ran.load(Ordering::SeqCst)), (take_runs, u32::from(take_runs)));
        let no_policy = Trouble::Refused("no_policy".into(), false);
        for refused in [looked.err(), taken.err()].into_iter().flatten() {
            assert_eq!(refused, no_policy);
        }
        assert_eq!(place.records(&app).await.len(), 2);
    }
}

#[tokio::test]
async fn lists_of_a_hop_stand_in_place_of_those_of_the_policy() {
    let hops = "
    Stock.take: {type: tool, nodeId: n, server: warehouse, tool: take@1.0, operation: delete}
    Free.take: {type: tool, nodeId: n, server: warehouse, tool: take@1.0, operation: delete, enforcement: {mode: observe}}
    Off.take: {type: tool, nodeId: n, server: warehouse, tool: take@1.0, operation: delete, enforcement: {enabled: false}}
    Other.take: {type: tool, nodeId: n, server: warehouse, tool: take@1.0, operation: delete, enforcement: {deny_on: [fs_violation]}}
    Any.take: {type: tool, nodeId: n, server: warehouse, tool: take@1.0, operation: delete, enforcement: {deny_on: [], strategy: deny_on_any}}
";
    let policy = OPEN
        .replace("'mcp://*'", "'mcp://nowhere/*'")
        .replace("mode: enforce", "deny_on: [tool_not_in_allowlist]");
    let place = Place::new("", hops, Some(&policy));
    let app = place.app();
    for (key, decision) in [
        ("Stock.take", "deny"),
        ("Free.take", "would_deny"),
        ("Off.take", "allow"),
        ("Other.take", "would_deny"),
        ("Any.take", "deny"),
    ] {
        let done: Result<(), Refusal> = app.hop(key).unwrap().run((), |_| async { Ok(()) }).await;
        assert_eq!(done.is_ok(), decision != "deny", "{key}");
    }
    let records = place.records(&app).await;
    assert_eq!(of(&records, "Free.take")["policy"]["decision"], "would_deny");
    assert_eq!(of(&records, "Off.take")["policy"]["decision"], "allow");
    assert_eq!(of(&records, "Other.take")["policy"]["decision"], "would_deny");
    assert_eq!(of(&records, "Any.take")["policy"]["decision"], "deny");
}

#[tokio::test]
async fn a_hop_that_fails_opens_no_circuit_of_another_with_the_same_tool() {
    let hops = "
    House.open: {type: server, nodeId: house, server: house}
    Shed.open: {type: server, nodeId: shed, server: shed}
";
    let breakers = "{mode: enforce, circuit_breakers: {error_rate_pct: 50}}";
    let place = Place::new("", hops, Some(&OPEN.replace("{mode: enforce}", breakers)));
    let app = place.app();
    for _ in 0..30 {
        let failing = |_| async { Err::<(), _>(Trouble::SoldOut) };
        drop(app.hop("House.open").unwrap().run((), failing).await.unwrap_err());
    }
    let open: Result<(), Trouble> =
        app.hop("House.open").unwrap().run((), |_| async { Ok(()) }).await;
    assert_eq!(open.unwrap_err(), Trouble::Refused("circuit_open".into(), false));
    let other: Result<(), Trouble> =
        app.hop("Shed.open").unwrap().run((), |_| async { Ok(()) }).await;
    other.unwrap();
}

#[tokio::test]
async fn words_in_what_a_body_returns_or_is_given_are_no_reasons() {
    let place = Place::shop(&OPEN.replace("mode: enforce", "deny_on: [egress_violation]"));
    let app = place.app();
    let input = json!({"reason": "egress_violation", "violations": ["egress_violation"]});
    let hop = app.hop("Stock.take").unwrap();
    let result: Result<Value, Refusal> =
        hop.run(input, |_| async { Ok(json!({"reason": "egress_violation"})) }).await;
    assert!(result.is_ok());
}

#[tokio::test]
async fn two_apps_of_one_process_do_not_see_each_other() {
    let (one, other) =
        (Place::shop(OPEN), Place::new("  without_policy: refuse\n", super::support::HOPS, None));
    let (open, closed) = (one.app(), other.app());
    let nested: Result<(), Trouble> = open
        .hop("Desk.serve")
        .unwrap()
        .run((), |_| async {
            closed.hop("Stock.look").unwrap().run((), |_| async { Ok(()) }).await
        })
        .await;
    assert_eq!(nested.unwrap_err(), Trouble::Refused("no_policy".into(), false));
    let outer = one.records(&open).await;
    let inner = other.records(&closed).await;
    assert_eq!((outer.len(), inner.len()), (1, 1));
    assert_ne!(outer[0]["agentRef"], inner[0]["agentRef"]);
    assert!(inner[0].get("cause_span_id").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_go_on_at_a_time_are_not_mixed_up() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let mut runs = JoinSet::new();
    for number in 0..64_u32 {
        let app = app.clone();
        runs.spawn(async move {
            let run = app.run().id(&format!("run.{number}")).unwrap();
            let serve = app.hop("Desk.serve").unwrap();
            let agent = app.hop("OrderAgent.run").unwrap();
            run.scope(serve.run(number, |_| async move {
                tokio::task::yield_now().await;
                let inner: Result<(), Refusal> = agent
                    .run(number, |hop| async move {
                        tokio::task::yield_now().await;
                        assert_eq!(hop.run_id().as_str(), format!("run.{number}"));
                        Ok(())
                    })
                    .await;
                inner
            }))
            .await
            .unwrap();
        });
    }
    runs.join_all().await;
    let records = place.records(&app).await;
    assert_eq!(records.len(), 128);
    for number in 0..64 {
        let of_run: Vec<_> =
            records.iter().filter(|record| record["agentRef"] == format!("run.{number}")).collect();
        let [one, other] = of_run.as_slice() else { panic!("run {number}: {of_run:?}") };
        let (serve, agent) = if one["hop"] == "Desk.serve" { (one, other) } else { (other, one) };
        assert_eq!(agent["cause_span_id"], serve["span_id"]);
        assert_eq!(agent["cause_trace_id"], serve["trace_id"]);
        assert_eq!(agent["trace_id"], serve["trace_id"]);
        assert_eq!(agent["input_sha256"], serve["input_sha256"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the type and the policy: the body of a hop that is refused ran no time, and one that is
    /// not once; either leaves one record.
    #[test]
    fn a_body_runs_once_or_it_was_refused(
        kind in 0..7_usize,
        listed in any::<bool>(),
        denies in any::<bool>(),
        observes in any::<bool>(),
        rule in prop::option::of(prop::sample::select(vec!["deny", "ask", "allow"])),
        input in prop::option::of("[a-z]{0,3}"),
    ) {
        let keys = ["Desk.serve", "OrderAgent.run", "Stock.look", "Stock.take", "Gate.pass", "House.open", "Skill.fold"];
        let allowlist = if listed { "'mcp://*'" } else { "'mcp://nowhere/*'" };
        let deny_on = if denies { "tool_not_in_allowlist" } else { "fs_violation" };
        let mode = if observes { "observe" } else { "enforce" };
        let rule = rule.map(|effect| format!(
            "rules: [{{id: one, tool: 'mcp://*', pointer: /input, op: prefix, value: a, effect: {effect}}}]\n"
        ));
        let policy = OPEN.replace("'mcp://*'", allowlist)
            .replace("{mode: enforce}", &format!("{{mode: {mode}, deny_on: [{deny_on}]}}"))
            + &rule.unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::shop(&policy);
            let (app, ran) = (place.app(), AtomicU32::new(0));
            let result: Result<(), Refusal> = app.hop(keys[kind]).unwrap().run(&input, |_| async {
                ran.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }).await;
            let records = place.records(&app).await;
            assert_eq!(records.len(), 1);
            assert_eq!(u32::from(result.is_ok()), ran.load(Ordering::SeqCst));
            assert_eq!(records[0]["executed"], json!(result.is_ok()));
            let refuses = !observes && !listed && denies;
            assert!(!refuses || result.is_err());
            if let Err(refusal) = result {
                assert!(!observes, "{refusal}");
                assert!(!refusal.executed());
                assert_ne!(refusal.reason(), Reason::LayerFailed);
            }
        });
    }
}

#[tokio::test]
async fn a_hop_that_is_repeated_under_its_idempotency_key_does_not_run_again() {
    let place = Place::shop(OPEN);
    let (app, ran) = (place.app(), AtomicU32::new(0));
    let mut told = Vec::new();
    for _ in 0..2 {
        told.push(app.run().idempotency_key("order-7").scope(take(&app, &ran)).await);
    }
    let again = Trouble::Refused("idempotency_not_kept".into(), false);
    assert_eq!(told, [Ok(()), Err(again)]);
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}
