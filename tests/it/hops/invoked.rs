//! Hops by their names, in this process and in another.

use super::support::{HOPS, OPEN, Place, of};
use sec0::Refusal;
use sec0::hop::{
    Answering, AppOptions, HopContext, HopTransport, InvokeError, RemoteCall, RemoteReply, Sec0App,
};
use serde_json::{Value, json};
use std::convert::Infallible;

/// Calls another app of this process as its HTTP server would.
#[derive(Clone)]
struct Wire(Sec0App);

impl HopTransport for Wire {
    fn post(&self, call: RemoteCall) -> Answering {
        let app = self.0.clone();
        Box::pin(async move {
            let key = call.headers.iter().any(|(name, _)| name == "x-idempotency-key");
            assert_eq!(key, call.body.contains("Stock.look"), "as its `automation` says");
            if call.url.ends_with("/broken") {
                return Err("nobody listens".into());
            }
            let named = |name: &str| {
                call.headers
                    .iter()
                    .find(|(header, _)| header == name)
                    .map(|(_, value)| value.as_str())
            };
            Ok(app.answer(named, call.body.as_bytes()).await)
        })
    }
}

const REMOTE: &str = "
    Desk.serve: {type: orchestrator, nodeId: desk, orchestratorName: desk, orchestratorVersion: '2.0'}
    Stock.look: {type: tool, nodeId: stock, server: warehouse, tool: look@1.0, operation: read, remoteUrl: 'https://stock.example/hop', automation: {idempotency: true}}
    Stock.take: {type: tool, nodeId: stock, server: warehouse, tool: take@1.0, operation: delete, remoteUrl: 'https://stock.example/hop'}
    Broken.look: {type: tool, nodeId: stock, server: warehouse, tool: look@1.0, operation: read, remoteUrl: 'https://stock.example/broken'}
";

async fn within<T>(app: &Sec0App, act: impl AsyncFnOnce(HopContext) -> T) -> T {
    let mut out = None;
    let done: Result<(), Refusal> = app
        .hop("Desk.serve")
        .unwrap()
        .run((), async |hop| {
            out = Some(act(hop).await);
            Ok(())
        })
        .await;
    done.unwrap();
    out.unwrap()
}

#[tokio::test]
async fn a_registered_handler_runs_as_its_hop() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let count = |params: Value, hop: HopContext| async move {
        assert_eq!(hop.key(), "Stock.look");
        Ok::<_, Infallible>(json!({ "count": params["item"].as_str().unwrap().len() }))
    };
    app.on("Stock.look", count).unwrap();
    let result =
        within(&app, async |hop| hop.invoke("Stock.look", json!({"item": "bolt"})).await).await;
    assert_eq!(result.unwrap(), json!({"count": 4}));
    let records = place.records(&app).await;
    let (serve, look) = (of(&records, "Desk.serve"), of(&records, "Stock.look"));
    assert_eq!(look["cause_span_id"], serve["span_id"]);
}

#[tokio::test]
async fn what_cannot_be_invoked_is_told_in_the_words_of_the_original() {
    let place = Place::new("", REMOTE, Some(OPEN));
    let app = place.app();
    within(&app, async |hop| {
        for (key, said) in [
            ("Nobody.runs", "[sec0] No hop configuration found for \"Nobody.runs\""),
            ("Desk.serve", "[sec0] No local handler registered for hop \"Desk.serve\"."),
            ("Stock.look", "the hop `Stock.look` runs elsewhere; give the app a transport"),
        ] {
            let error = hop.invoke(key, json!({})).await.unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    })
    .await;
    assert!(app.on("Nobody.runs", async |_, _| Ok::<_, Infallible>(Value::Null)).is_err());
}

#[tokio::test]
async fn a_hop_of_another_process_is_judged_and_recorded_in_both_and_linked() {
    let far = Place::shop(
        &OPEN
            .replace("'mcp://*'", "'mcp://warehouse/look@*'")
            .replace("mode: enforce", "deny_on: [tool_not_in_allowlist]"),
    );
    let other = far.app();
    for key in ["Stock.look", "Stock.take"] {
        let failing = |params: Value, _| async move {
            if params["item"] == "secret" {
                Err("the secret is 42")
            } else {
                Ok(json!({"count": 4}))
            }
        };
        other.on(key, failing).unwrap();
    }
    let near = Place::new("", REMOTE, Some(OPEN));
    let app = Sec0App::init(AppOptions::new(near.config()).transport(Wire(other.clone()))).unwrap();
    within(&app, async |hop| {
        let found = hop.invoke("Stock.look", json!({"item": "bolt"})).await;
        assert_eq!(found.unwrap(), json!({"count": 4}));
        let denied = hop.invoke("Stock.take", json!({"item": "bolt"})).await.unwrap_err();
        assert_eq!(denied.to_string(), "[sec0] Remote hop \"Stock.take\" returned status 403");
        let broken = hop.invoke("Broken.look", json!({})).await.unwrap_err();
        assert_eq!(broken.to_string(), "[sec0] Remote hop \"Broken.look\" failed: nobody listens");
    })
    .await;
    let (here, there) = (near.records(&app).await, far.records(&other).await);
    assert_eq!(of(&there, "Stock.look")["cause_span_id"], of(&here, "Stock.look")["span_id"]);
    assert_eq!(of(&there, "Stock.look")["agentRef"], of(&here, "Desk.serve")["agentRef"]);
    assert_eq!(of(&here, "Stock.take")["status"], "error");
    assert_eq!(of(&there, "Stock.take")["executed"], false);
}

#[tokio::test]
async fn what_another_process_posts_is_bounded_and_its_failures_are_not_told() {
    let place = Place::new("", HOPS, Some(OPEN));
    let app = place.app();
    let failing = |_, _| async { Err::<Value, _>("the secret is 42") };
    app.on("Stock.look", failing).unwrap();
    let post = async |body: &[u8]| app.answer(|_| None, body).await;
    let deep =
        format!("{{\"hopKey\":\"Stock.look\",\"params\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let long = vec![b' '; sec0::hop::MAX_BODY + 1];
    for (body, status) in [
        (b"".as_slice(), 400),
        (b"[]", 400),
        (b"{\"hopKey\":7}", 400),
        (b"{\"hopKey\":\"Nobody.runs\\u001b[2J\"}", 404),
        (deep.as_bytes(), 400),
        (&long, 400),
        (b"{\"hopKey\":\"Stock.look\"}", 500),
    ] {
        let RemoteReply { status: found, body: said } = post(body).await;
        assert_eq!(found, status);
        let said = String::from_utf8(said).unwrap();
        assert!(!said.contains("42") && !said.contains('\u{1b}') && said.len() < 300, "{said}");
    }
}

#[tokio::test]
async fn an_idempotency_key_is_the_same_for_the_same_call_in_one_run() {
    let place = Place::shop(OPEN);
    let app = place.app();
    let key = async |id: &str, args: Value, salt: Option<&str>| {
        let hop = app.hop("OrderAgent.run").unwrap();
        let body = |hop: HopContext| async move {
            Ok::<_, Refusal>(hop.idempotency_key("take@1.0", &args, salt).unwrap())
        };
        app.run().id(id).unwrap().scope(hop.run((), body)).await.unwrap()
    };
    let first = key("run", json!({"a": 1, "b": 2}), None).await;
    assert_eq!(first, key("run", json!({"b": 2, "a": 1}), None).await);
    assert!(first.starts_with("run:order-agent:take@1.0:"), "{first}");
    assert_eq!(first.rsplit(':').next().unwrap().len(), 16);
    assert_ne!(first, key("other", json!({"a": 1, "b": 2}), None).await);
    assert_eq!(key("run", json!({"a": 1, "b": 2}), Some("x")).await, format!("{first}:x"));
}

#[test]
fn the_errors_of_a_hop_are_those_that_it_may_meet() {
    let refused: InvokeError = Refusal::new(sec0::call::Reason::NoPolicy).into();
    assert!(refused.to_string().contains("no_policy"));
}
