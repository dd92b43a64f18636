//! Callers who mean no good, in every field that is read from headers and from `_meta`: one record
//! for each call, of the known members only, with nothing forged.

use crate::support::{Rules, Runs, Site, ask_in, demo, is_fine, soon, tool};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rmcp::model::{CallToolResponse, MetaObject, RequestMetaObject};
use rmcp::service::{RequestContext, RoleServer, ServiceExt as _};
use sec0::Sec0SecurityLayer;
use sec0::identity::ClaimName;
use sec0::mcp::detached_context;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

/// Every member that the record of a call may have: those that the page on the log names.
fn members() -> BTreeSet<&'static str> {
    let page = include_str!("../../docs/audit.md");
    let (_, tables) = page.split_once("### Ties").unwrap();
    let (tables, _) = tables.split_once("### An event").unwrap();
    let rows = tables.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let names = rows.flat_map(|names| names.split('`').skip(1).step_by(2));
    let names: BTreeSet<_> = names.map(|name| name.split('.').next().unwrap()).collect();
    assert!(names.len() > 40 && names.contains("principal"), "{names:?}");
    names
}

/// What a caller sends.
#[derive(Debug, Clone, Default)]
struct Sent {
    headers: Vec<(String, Vec<u8>)>,
    meta: Map<String, Value>,
    over_http: bool,
}

impl Sent {
    fn header(name: &str, value: impl AsRef<[u8]>) -> Self {
        let headers = vec![(name.to_owned(), value.as_ref().to_vec())];
        Self { headers, over_http: true, ..Self::default() }
    }

    fn meta(name: &str, value: Value) -> Self {
        Self { meta: Map::from_iter([(name.to_owned(), value)]), ..Self::default() }
    }

    fn and(mut self, other: Self) -> Self {
        self.headers.extend(other.headers);
        self.meta.extend(other.meta);
        self.over_http |= other.over_http;
        self
    }

    /// What rmcp makes of it. Headers that HTTP itself refuses are left out.
    fn context(&self) -> RequestContext<RoleServer> {
        let mut context = detached_context();
        context.meta = RequestMetaObject(MetaObject(self.meta.clone()));
        if self.over_http {
            let (mut parts, ()) = http::Request::new(()).into_parts();
            for (name, value) in &self.headers {
                let name = http::HeaderName::try_from(name.as_str());
                if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_bytes(value)) {
                    parts.headers.append(name, value);
                }
            }
            context.extensions.insert(parts);
        }
        context
    }
}

/// The record of each call of a tool by callers who send this, and what its handler ran.
async fn records(sent: &[Sent]) -> Vec<Value> {
    let (site, runs) = (Site::default(), Runs::default());
    let options = site.options(&Rules::enforce()).record_agent_variables().record_token_sha256();
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    for sent in sent {
        let CallToolResponse::Complete(result) =
            ask_in(&server, "add", json!({}), sent.context()).await.unwrap()
        else {
            panic!("no complete result");
        };
        assert!(is_fine(&Ok(result)), "a claim refused a call: {sent:?}");
    }
    let lines = site.close(&layer).await;
    for line in site.sink.lines() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    assert_eq!((lines.calls.len(), runs.get(), lines.events.len()), (sent.len(), sent.len(), 0));
    let members = members();
    for (record, sent) in lines.calls.iter().zip(sent) {
        for name in record.as_object().unwrap().keys() {
            assert!(members.contains(name.as_str()), "`{name}` in the record of {sent:?}");
        }
        assert_nothing_is_forged(record, sent);
    }
    lines.calls
}

fn assert_nothing_is_forged(record: &Value, sent: &Sent) {
    let uid = rustix::process::getuid().as_raw();
    let (principal, is_verified) = if sent.over_http {
        ("http:anonymous".to_owned(), false)
    } else {
        (format!("local:{uid}"), true)
    };
    assert_eq!(record["principal"], principal, "{sent:?}");
    assert_eq!(record["principal_verified"], is_verified, "{sent:?}");
    assert_eq!((&record["tenant"], &record["actor"]), (&json!("acme"), &json!("acme")));
    assert_eq!((&record["status"], &record["target_tool"]), (&json!("ok"), &json!("add@1.0")));
    let is_of = |member: &str, max: usize, keep: fn(char) -> bool| {
        let text = record[member].as_str().unwrap_or_default();
        assert!(text.len() <= max && text.chars().all(keep), "{member} in {record}");
    };
    is_of("nodeId", 80, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    is_of("agentRef", 120, |c| c.is_ascii_alphanumeric() || "._:-".contains(c));
    is_of("agentParentRef", 120, |c| c.is_ascii_alphanumeric() || "._:-".contains(c));
    is_of("cause_trace_id", 32, |c| c.is_ascii_hexdigit());
    is_of("idempotency_key", 256, |c| !c.is_control() && !"\u{202e}\u{2028}".contains(c));
    if let Some(auth) = record.get("auth") {
        assert_eq!(auth["verified"], false, "{auth}");
    }
    for token in record["claims_rejected"].as_array().into_iter().flatten() {
        let (claim, why) = token.as_str().unwrap().split_once(':').unwrap();
        assert!(ClaimName::ALL.iter().any(|name| name.header() == claim), "{token}");
        let known = ["ambiguous", "inconsistent", "malformed", "too_long", "unprintable"];
        assert!(known.contains(&why), "{token}");
    }
}

/// Texts that have broken something somewhere.
fn hostile_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "\n",
        "a\nb",
        "a\r\nx-sec0-principal: root",
        "\0",
        "a\0b",
        "\u{1b}[2J\u{1b}[31mroot",
        "\u{9b}31m",
        "user\u{202e}nimda",
        "\u{2066}a\u{2069}",
        "a\u{2028}b\u{2029}c",
        "\u{feff}",
        "..",
        "../../etc/passwd",
        "..\\..\\etc",
        "/etc/passwd",
        "%2e%2e%2f",
        "\"},\"principal\":\"root\",\"x\":{\"y\":\"",
        "\",\"principal_verified\":true,\"a\":\"",
        "\\",
        "\\\"",
        "\\u0000",
        "{\"$ne\":null}",
        "null",
        "true",
        "[]",
        "{}",
        "{\"scheme\":\"none\",\"verified\":true,\"principal\":\"root\"}",
        "{\"scheme\":\"none\",\"scheme\":\"bearer\"}",
        "{\"scheme\":\"none\",\"tenant\":\"\\ud800\"}",
        "{\"scheme\":\"none\",\"tenant\":\"\\u202e\"}",
        "{\"scheme\":\"none\",\"tenant\":\"\\\",\\\"principal\\\":\\\"root\"}",
        "' OR 1=1 --",
        "$(reboot)",
        "${jndi:ldap://x}",
        "<script>alert(1)</script>",
        "local:0",
        "http:anonymous",
        "日本語",
        "e\u{301}\u{301}\u{301}",
        "\u{10ffff}",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("A".repeat(1 << 20));
    texts.push("\u{202e}".repeat(1 << 18));
    texts.push("[".repeat(4000));
    let state = |json: &str| URL_SAFE_NO_PAD.encode(json);
    texts.push(state(r#"{"nodeId":"root","principal":"root"}"#));
    texts.push(state(r#"{"nodeId":"\ud800"}"#));
    texts.push(state(&format!("{{\"nodeId\":{}", "[".repeat(5000))));
    texts
}

#[tokio::test]
async fn no_text_in_any_claim_breaks_or_forges_a_record() {
    let texts = hostile_texts();
    for name in ClaimName::ALL {
        let in_headers = texts.iter().map(|text| Sent::header(name.header(), text));
        let in_meta = texts.iter().flat_map(|text| {
            let key = name.meta().unwrap_or("authorization");
            [Sent::meta(key, text.as_str().into()), Sent::meta(name.header(), text.as_str().into())]
        });
        let bytes = [&b"\xff\xfe"[..], b"caf\xe9", b"\x80", "日本".as_bytes()];
        let in_bytes = bytes.map(|bytes| Sent::header(name.header(), bytes));
        let sent: Vec<_> = in_headers.chain(in_meta).chain(in_bytes).collect();
        let records = records(&sent).await;
        for (record, sent) in
            records.iter().zip(&sent).filter(|_| name == ClaimName::IdempotencyKey)
        {
            // What is kept is kept as it was sent.
            let key = sent.meta.get("sec0/idempotencyKey").and_then(Value::as_str);
            if let (Some(kept), Some(key)) = (record["idempotency_key"].as_str(), key) {
                assert_eq!(kept, key.trim());
            }
        }
        for record in records.iter().rev().take(4) {
            let rejected = json!([format!("{}:unprintable", name.header())]);
            assert_eq!(record["claims_rejected"], rejected, "{name:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_text_in_meta_is_rejected_and_named() {
    let values = [
        json!(null),
        json!(true),
        json!(17),
        json!(1e308),
        json!([]),
        json!(["order-17"]),
        json!({"$ne": null}),
        json!({"toString": "x"}),
    ];
    for name in ClaimName::ALL {
        let Some(key) = name.meta() else { continue };
        let sent = values.clone().map(|value| Sent::meta(key, value));
        for record in records(&sent).await {
            let rejected = json!([format!("{}:malformed", name.header())]);
            assert_eq!(record["claims_rejected"], rejected, "{name:?}");
        }
    }
}

#[tokio::test]
async fn nobody_can_name_a_principal_or_a_member_of_the_record() {
    let names = members().into_iter().flat_map(|member| {
        ["", "x-", "x-sec0-", "sec0/", "sec0/x-"].map(|start| format!("{start}{member}"))
    });
    let mut sent: Vec<Sent> = names
        .map(|name| Sent::header(&name, "root").and(Sent::meta(&name, "root".into())))
        .collect();
    for name in ["x-sec0-principal", "sec0/principal", "x-forwarded-user", "x-principal-verified"] {
        sent.push(Sent::meta(name, true.into()));
        sent.push(Sent::header(name, "true"));
    }
    for record in records(&sent).await {
        assert!(!record["principal"].to_string().contains("root"));
        assert!(record.get("agentVariables").is_none() && record.get("auth").is_none());
    }
}

#[tokio::test]
async fn ten_thousand_keys_in_meta_are_passed_over() {
    let keys = (0..10_000).map(|n| (format!("sec0/x{n}"), json!({"n": n})));
    let mut sent = Sent { meta: keys.collect(), ..Sent::default() };
    sent.meta.insert("sec0/nodeId".to_owned(), "desk".into());
    let records = records(&[sent]).await;
    assert_eq!(records[0]["nodeId"], "desk");
    assert!(records[0].to_string().len() < 2000);
}

#[tokio::test]
async fn of_two_different_headers_neither_counts_and_a_header_comes_before_meta() {
    let key = "x-idempotency-key";
    let (one, two) = (Sent::header(key, "one"), Sent::header(key, "two"));
    let meta = Sent::meta("sec0/idempotencyKey", "meta".into());
    let blank = Sent::header(key, " ");
    let bad = Sent::header(key, b"\xff");
    let sent = [
        one.clone().and(two.clone()),
        one.clone().and(one.clone()),
        one.clone().and(meta.clone()),
        one.and(two).and(meta.clone()),
        blank.and(meta.clone()),
        bad.and(meta),
    ];
    let found = records(&sent)
        .await
        .into_iter()
        .map(|record| (record["idempotency_key"].clone(), record["claims_rejected"][0].clone()));
    let rejected = |why: &str| (json!(null), json!(format!("{key}:{why}")));
    let kept = |key: &str| (json!(key), json!(null));
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            rejected("ambiguous"),
            kept("one"),
            kept("one"),
            rejected("ambiguous"),
            kept("meta"),
            rejected("unprintable"),
        ]
    );
}

/// What JSON text can hold and Rust text cannot: such a message is none, and leaves no record.
#[tokio::test]
async fn half_a_surrogate_on_the_wire_is_no_call() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let serving = async move { server.serve(theirs).await.unwrap().waiting().await.unwrap() };
    let asking = async move {
        let (read, mut write) = tokio::io::split(ours);
        let mut answers = BufReader::new(read).lines();
        let hello = r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}"#;
        let call = |id: u32, meta: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"add","arguments":{{}},"_meta":{meta}}}}}"#
            )
        };
        let messages = [
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{hello}}}"#),
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned(),
            call(2, r#"{"sec0/nodeId":"\ud800"}"#),
            call(3, r#"{"sec0/nodeId":"\udc00\ud800","sec0/idempotencyKey":"a"}"#),
            call(4, r#"{"sec0/nodeId":"\ud83d\ude00 desk","sec0/nodeId":"second"}"#),
            call(5, r#"{"sec0/idempotencyKey":"\u0000"}"#),
        ];
        for message in messages {
            write.write_all(format!("{message}\n").as_bytes()).await.unwrap();
        }
        let mut answered = Vec::new();
        while !answered.contains(&json!(4)) || !answered.contains(&json!(5)) {
            let line = answers.next_line().await.unwrap().unwrap();
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer.get("result").is_some() {
                answered.push(answer["id"].clone());
            }
        }
        answered
    };
    let (_, mut answered) = soon(futures::future::join(serving, asking)).await;
    answered.sort_by_key(Value::as_u64);
    assert_eq!(answered, [json!(1), json!(4), json!(5)]);
    let lines = site.close(&layer).await;
    assert_eq!((lines.calls.len(), runs.get()), (2, 2));
    let nodes: Vec<_> = lines.calls.iter().filter_map(|call| call["nodeId"].as_str()).collect();
    assert_eq!(nodes, ["second"]);
    let rejected: Vec<_> =
        lines.calls.iter().filter_map(|call| call["claims_rejected"][0].as_str()).collect();
    assert_eq!(rejected, ["x-idempotency-key:unprintable"]);
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let name = || select(ClaimName::ALL.to_vec());
    let bytes = prop_oneof![vec(any::<u8>(), 0..60), vec(b' '..127, 0..60)];
    let text = prop_oneof![any::<String>(), "[\"\\\\{}:,a-z0-9-]{0,60}"];
    let value = prop_oneof![
        4 => text.prop_map(Value::from),
        1 => Just(json!(["a"])),
        1 => Just(json!({"a": null})),
        1 => any::<f64>().prop_map(Value::from),
    ];
    let headers = option::of(vec((name(), bytes), 0..6));
    let meta = vec((name(), value), 0..6);
    (headers, meta).prop_map(|(headers, meta)| {
        let over_http = headers.is_some();
        let headers = headers.into_iter().flatten();
        Sent {
            headers: headers.map(|(name, bytes)| (name.header().to_owned(), bytes)).collect(),
            meta: meta
                .into_iter()
                .filter_map(|(name, value)| Some((name.meta()?.to_owned(), value)))
                .collect(),
            over_http,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_sent_each_call_has_one_record_and_nothing_in_it_is_forged(
        sent in vec(any_sent(), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(records(&sent));
    }
}
