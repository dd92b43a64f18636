//! Who is verified: the caller whom the server's own authentication puts into the request, and
//! nobody else.

use crate::drive::{DEMO_POLICY, Era, House, HttpServer, call};
use crate::support::{Rules, Runs, Site, ask_in, demo, tool};
use crate::transport::layered;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use sec0::Sec0SecurityLayer;
use sec0::identity::VerifiedPrincipal;
use sec0::mcp::detached_context;
use serde_json::{Value, json};

/// Tokens of this server's users.
async fn authenticate(mut request: Request<Body>, next: Next) -> Response {
    let token = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes().to_vec());
    let user = match token.as_deref() {
        Some(b"Bearer 4lic3") => "user:alice",
        Some(b"Bearer b0b-z") => "user:bob",
        Some(b"Bearer guest") => return next.run(request).await,
        _ => return StatusCode::UNAUTHORIZED.into_response(),
    };
    request.extensions_mut().insert(VerifiedPrincipal::new(user).unwrap());
    next.run(request).await
}

/// The record of one call over HTTP by a caller with these headers, behind the authentication.
async fn record_of(era: Era, headers: &[(&str, &[u8])]) -> Value {
    let house = House::new(DEMO_POLICY);
    let sec0 = house.layer();
    let server = layered(&sec0);
    let http = HttpServer::behind(move || server.clone(), |app| app.layer(from_fn(authenticate)));
    let http = http.await;
    let client = era.connect_http(&http.url, headers).await;
    call(&client, "echo", json!({"text": "x"})).await.unwrap();
    client.cancel().await.unwrap();
    http.stop().await;
    sec0.try_shutdown().await.unwrap();
    let mut records = house.records();
    assert_eq!(records.len(), 1);
    records.remove(0)
}

#[tokio::test]
async fn a_caller_whom_the_server_has_verified_is_the_principal() {
    for era in Era::ALL {
        for (token, name) in [(&b"Bearer 4lic3"[..], "user:alice"), (b"Bearer b0b-z", "user:bob")] {
            let headers: [(&str, &[u8]); 4] = [
                ("authorization", token),
                ("x-sec0-principal", b"root"),
                ("x-auth-context", br#"{"scheme":"bearer","jwt":{"sub":"root"}}"#),
                ("x-node-id", b"user:root"),
            ];
            let record = record_of(era, &headers).await;
            assert_eq!(record["principal"], name, "{era:?}");
            assert_eq!(record["principal_verified"], true);
            // What the caller claims stands beside it, as claimed.
            let claimed = json!({"scheme": "bearer", "jwt": {"sub": "root"}, "verified": false});
            assert_eq!(record["auth"], claimed);
            assert!(!record.to_string().contains("4lic3") && !record.to_string().contains("b0b-z"));
        }
    }
}

#[tokio::test]
async fn a_caller_whom_the_server_lets_pass_unverified_is_anonymous() {
    for era in Era::ALL {
        let headers: [(&str, &[u8]); 3] = [
            ("authorization", b"Bearer guest"),
            ("x-sec0-principal", b"user:alice"),
            ("sec0-principal", b"user:alice"),
        ];
        let record = record_of(era, &headers).await;
        assert_eq!(record["principal"], "http:anonymous", "{era:?}");
        assert_eq!(record["principal_verified"], false);
        assert_eq!(record["auth"], json!({"scheme": "bearer", "verified": false}));
    }
}

/// One session, two callers: each request is counted on whoever sent it.
#[tokio::test]
async fn a_principal_holds_for_its_request_and_not_for_the_session() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(tool("add", Some("1.0")), Runs::default().handler());
    let server = server.layer(layer.clone());
    let names = [Some("user:alice"), None, Some("user:bob")];
    for name in names {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        if let Some(name) = name {
            parts.extensions.insert(VerifiedPrincipal::new(name).unwrap());
        }
        let mut context = detached_context();
        context.extensions.insert(parts);
        drop(ask_in(&server, "add", json!({}), context).await.unwrap());
    }
    // A transport of one's own puts it next to the request, where it comes before the other.
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.extensions.insert(VerifiedPrincipal::new("user:far").unwrap());
    let mut context = detached_context();
    context.extensions.insert(parts);
    context.extensions.insert(VerifiedPrincipal::new("user:near").unwrap());
    drop(ask_in(&server, "add", json!({}), context).await.unwrap());
    let lines = site.close(&layer).await;
    let found: Vec<_> =
        lines.calls.iter().map(|call| call["principal"].as_str().unwrap()).collect();
    assert_eq!(found, ["user:alice", "http:anonymous", "user:bob", "user:near"]);
}

#[tokio::test]
async fn callers_on_a_socket_are_strangers_where_the_server_says_so() {
    let site = Site::default();
    let options = site.options(&Rules::enforce()).callers_are_remote();
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(tool("add", Some("1.0")), Runs::default().handler());
    let server = server.layer(layer.clone());
    drop(ask_in(&server, "add", json!({}), detached_context()).await.unwrap());
    let lines = site.close(&layer).await;
    assert_eq!(lines.only()["principal"], "remote:anonymous");
    assert_eq!(lines.only()["principal_verified"], false);
}
