//! What callers say of themselves, in headers and in `_meta`, and what of it lands in the record.

use crate::drive::{DEMO_POLICY, Era, House, HttpServer, Session, call};
use crate::transport::layered;
use rmcp::model::{CallToolRequestParams, RequestMetaObject, object};
use sec0::Sec0SecurityLayer;
use sec0::digest::Digest;
use sec0::identity::agent_state::{AgentState, NodeId, RunId, Scope};
use serde_json::{Value, json};

pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn claims_of(record: &Value) -> Value {
    let names = ["nodeId", "agentRef", "idempotency_key", "cause_trace_id", "cause_span_id"];
    names.iter().map(|name| ((*name).to_owned(), record[*name].clone())).collect()
}

fn all_claims() -> Value {
    json!({
        "nodeId": "order-desk",
        "agentRef": "run:42",
        "idempotency_key": "order-17",
        "cause_trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "cause_span_id": "00f067aa0ba902b7",
    })
}

fn no_claims() -> Value {
    json!({
        "nodeId": null, "agentRef": null, "idempotency_key": null,
        "cause_trace_id": null, "cause_span_id": null,
    })
}

/// The record of one call of `echo` with these headers, over HTTP.
async fn echoed_with_headers(era: Era, headers: &[(&str, &[u8])]) -> Value {
    let house = House::new(DEMO_POLICY);
    let sec0 = house.layer();
    let server = layered(&sec0);
    let http = HttpServer::start(move || server.clone()).await;
    let client = era.connect_http(&http.url, headers).await;
    call(&client, "echo", json!({"text": "x"})).await.unwrap();
    client.cancel().await.unwrap();
    http.stop().await;
    sec0.try_shutdown().await.unwrap();
    house.records().remove(0)
}

/// The record of one call of `echo` with this `_meta`, in memory.
async fn echoed_with_meta(era: Era, meta: Value) -> Value {
    let house = House::new(DEMO_POLICY);
    let sec0 = house.layer();
    let session = Session::open(era, layered(&sec0)).await;
    let mut params =
        CallToolRequestParams::new("echo").with_arguments(object(json!({"text": "x"})));
    let meta: RequestMetaObject = serde_json::from_value(meta).unwrap();
    params.meta = Some(meta);
    session.client.call_tool(params).await.unwrap();
    session.close().await;
    sec0.try_shutdown().await.unwrap();
    house.records().remove(0)
}

#[tokio::test]
async fn claims_in_headers_land_in_the_record() {
    for era in Era::ALL {
        let headers: [(&str, &[u8]); 4] = [
            ("x-node-id", b"Order Desk"),
            ("x-agent-ref", b"run:42"),
            ("x-idempotency-key", b"order-17"),
            ("traceparent", TRACEPARENT.as_bytes()),
        ];
        let record = echoed_with_headers(era, &headers).await;
        assert_eq!(claims_of(&record), all_claims(), "{era:?}");
        assert_eq!(record["principal"], "http:anonymous");
        assert_ne!(record["trace_id"], record["cause_trace_id"], "a caller chose our trace id");
    }
}

#[tokio::test]
async fn claims_in_meta_land_in_the_record() {
    for era in Era::ALL {
        let meta = json!({
            "sec0/nodeId": "Order Desk",
            "sec0/agentRef": "run:42",
            "sec0/idempotencyKey": "order-17",
            "traceparent": TRACEPARENT,
        });
        let record = echoed_with_meta(era, meta).await;
        assert_eq!(claims_of(&record), all_claims(), "{era:?}");
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(record["principal"], format!("local:{uid}"));
    }
}

#[tokio::test]
async fn hostile_claims_in_headers_are_absent_and_the_call_is_recorded() {
    let long = [b'a'; 4096];
    let sets: [[(&str, &[u8]); 4]; 3] = [
        [
            ("x-node-id", b"../.."),
            ("x-agent-ref", b"   "),
            ("x-idempotency-key", &long),
            ("traceparent", b"00-00000000000000000000000000000000-0000000000000000-01"),
        ],
        [
            ("x-node-id", b"caf\xe9"),
            ("x-agent-ref", b"\xff\xfe"),
            ("x-idempotency-key", b"key\xff"),
            ("traceparent", b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ],
        [
            ("x-node-id", &long),
            ("x-agent-ref", &long),
            ("x-idempotency-key", b"\ta\tb"),
            ("traceparent", b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01"),
        ],
    ];
    let whys = [
        &["x-node-id:malformed", "x-idempotency-key:too_long", "traceparent:malformed"][..],
        &[
            "x-node-id:unprintable",
            "x-agent-ref:unprintable",
            "x-idempotency-key:unprintable",
            "traceparent:malformed",
        ],
        &[
            "x-node-id:too_long",
            "x-agent-ref:too_long",
            "x-idempotency-key:unprintable",
            "traceparent:malformed",
        ],
    ];
    for (headers, why) in sets.into_iter().zip(whys) {
        let record = echoed_with_headers(Era::Sessions, &headers).await;
        assert_eq!(claims_of(&record), no_claims());
        assert_eq!(rejected(&record), why);
        assert_eq!(record["status"], "ok");
        assert_eq!(record["principal"], "http:anonymous");
    }
}

#[tokio::test]
async fn hostile_claims_in_meta_are_absent_and_the_call_is_recorded() {
    let sets = [
        json!({
            "sec0/nodeId": "../..",
            "sec0/agentRef": "",
            "sec0/idempotencyKey": "two\nlines",
            "traceparent": "00-x-y-01",
        }),
        json!({
            "sec0/nodeId": {"$ne": null},
            "sec0/agentRef": ["run:42"],
            "sec0/idempotencyKey": 17,
            "traceparent": true,
        }),
        json!({
            "sec0/nodeId": "n".repeat(5000),
            "sec0/agentRef": "r".repeat(5000),
            "sec0/idempotencyKey": "k".repeat(257),
            "traceparent": TRACEPARENT.repeat(9),
        }),
        // Things that nobody may say of himself.
        json!({"sec0/principal": "root", "principal": "root", "nodeId": "n", "agentRef": "r"}),
    ];
    let uid = rustix::process::getuid().as_raw();
    for meta in sets {
        let record = echoed_with_meta(Era::Sessions, meta).await;
        assert_eq!(claims_of(&record), no_claims());
        assert_eq!(record["status"], "ok");
        assert_eq!(record["principal"], format!("local:{uid}"));
    }
}

/// What the record says of claims that were given and not used.
fn rejected(record: &Value) -> Vec<&str> {
    let rejected = record["claims_rejected"].as_array();
    rejected.into_iter().flatten().map(|token| token.as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_agents_state_lands_in_the_record_as_a_digest() {
    let mut state = AgentState::new(NodeId::new("order-desk").unwrap());
    state.run_id = Some(RunId::new("run:42").unwrap());
    state.parent_ref = Some(RunId::new("run:41").unwrap());
    state.set(Scope::Agent, "token", "s3cret").unwrap();
    let headers = state.to_headers().unwrap();
    let sent: Vec<_> = headers.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let metas = ["sec0/nodeId", "sec0/agentRef", "sec0/agentParentRef", "sec0/agentState"];
    let meta = metas.iter().zip(&headers).map(|(key, (_, text))| ((*key).to_owned(), json!(text)));
    let meta: Value = meta.collect();
    for era in Era::ALL {
        for record in
            [echoed_with_headers(era, &sent).await, echoed_with_meta(era, meta.clone()).await]
        {
            assert_eq!(record["nodeId"], "order-desk");
            assert_eq!(record["agentRef"], "run:42");
            assert_eq!(record["agentParentRef"], "run:41");
            assert_eq!(
                record["agent_state_sha256"],
                Digest::of(headers[3].1.as_bytes()).to_string()
            );
            assert!(record.get("agentVariables").is_none());
            assert!(!record.to_string().contains("s3cret"));
        }
        // Without the headers that must repeat it, it is not believed to be of one piece.
        let record = echoed_with_headers(era, &sent[3..]).await;
        assert_eq!(rejected(&record), ["x-agent-state:inconsistent"]);
        assert!(record.get("agent_state_sha256").is_none());
    }
}

#[tokio::test]
async fn variables_are_recorded_where_the_options_ask_for_them() {
    let mut state = AgentState::new(NodeId::new("order-desk").unwrap());
    state.set(Scope::Tool, "b", &2.50).unwrap();
    state.set(Scope::Tool, "a", "x").unwrap();
    let house = House::new(DEMO_POLICY);
    let sec0 = Sec0SecurityLayer::try_new(house.options().record_agent_variables()).unwrap();
    let server = layered(&sec0);
    let http = HttpServer::start(move || server.clone()).await;
    let headers = state.to_headers().unwrap();
    let headers: Vec<_> = headers.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let client = Era::Sessions.connect_http(&http.url, &headers).await;
    call(&client, "echo", json!({"text": "x"})).await.unwrap();
    client.cancel().await.unwrap();
    http.stop().await;
    sec0.try_shutdown().await.unwrap();
    let record = house.records().remove(0);
    assert_eq!(record["agentVariables"], json!({"TOOL": {"a": "x", "b": 2.5}}));
}

/// Whoever stands between may add a header that is there already.
#[tokio::test]
async fn a_header_that_was_added_on_the_way_makes_the_claim_ambiguous() {
    let house = House::new(DEMO_POLICY);
    let sec0 = house.layer();
    let server = layered(&sec0);
    let add = async |mut request: axum::extract::Request, next: axum::middleware::Next| {
        for (name, value) in [("x-node-id", "another"), ("x-agent-ref", "run:42")] {
            let value = http::HeaderValue::from_static(value);
            request.headers_mut().append(http::HeaderName::from_static(name), value);
        }
        next.run(request).await
    };
    let add = axum::middleware::from_fn(add);
    let http = HttpServer::behind(move || server.clone(), |app| app.layer(add)).await;
    let headers: [(&str, &[u8]); 2] = [("x-node-id", b"desk"), ("x-agent-ref", b"run:42")];
    let client = Era::Stateless.connect_http(&http.url, &headers).await;
    call(&client, "echo", json!({"text": "x"})).await.unwrap();
    client.cancel().await.unwrap();
    http.stop().await;
    sec0.try_shutdown().await.unwrap();
    let record = house.records().remove(0);
    assert_eq!(rejected(&record), ["x-node-id:ambiguous"]);
    assert_eq!((&record["nodeId"], &record["agentRef"]), (&json!(null), &json!("run:42")));
}

#[tokio::test]
async fn no_header_makes_a_principal() {
    let headers: [(&str, &[u8]); 4] = [
        ("x-sec0-principal", b"root"),
        ("x-forwarded-user", b"root"),
        ("x-auth-context", b"{\"sub\":\"root\"}"),
        ("authorization", b"Bearer cm9vdA"),
    ];
    let record = echoed_with_headers(Era::Sessions, &headers).await;
    assert_eq!(record["principal"], "http:anonymous");
    assert_eq!(record["principal_verified"], false);
    assert_eq!(rejected(&record), ["x-auth-context:malformed"]);
    assert_eq!(record["auth"], json!({"scheme": "bearer", "verified": false}));
    assert!(!record.to_string().contains("root"));
    assert!(!record.to_string().contains("cm9vdA"), "a token is in the record");
}
