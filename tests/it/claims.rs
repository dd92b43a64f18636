//! What callers say of themselves, in headers and in `_meta`, and what of it lands in the record.

use crate::drive::{DEMO_POLICY, Era, House, HttpServer, Session, call};
use crate::transport::layered;
use rmcp::model::{CallToolRequestParams, RequestMetaObject, object};
use serde_json::{Value, json};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

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
    for headers in sets {
        let record = echoed_with_headers(Era::Sessions, &headers).await;
        assert_eq!(claims_of(&record), no_claims());
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
    assert!(!record.to_string().contains("root"));
    assert!(!record.to_string().contains("cm9vdA"), "a token is in the record");
}
