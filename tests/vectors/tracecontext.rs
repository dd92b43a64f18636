//! The cases of the W3C for `traceparent`: by themselves, and as headers of a call.

use super::wire::{key, records};
use super::{Folder, rows, text, tried};
use http::{HeaderName, HeaderValue, Request};
use rmcp::ServerHandler as _;
use rmcp::model::{CallToolRequestParams, Tool};
use sec0::audit::MemorySink;
use sec0::identity::parse_traceparent;
use sec0::mcp::detached_context;
use sec0::{MapRegistry, Policy, Sec0Options, Sec0SecurityLayer};
use serde_json::Value;

const POLICY: &str = "tenant: acme\ndefault_retention: 30d\nsigning: {enabled: true}\n\
                      tools: {allowlist: []}\nenforcement: {mode: observe}\n";

/// Whether the case says that the trace goes on. Where only the text says it, this is about the
/// `tracestate`, which is not read, and the trace goes on with a `traceparent` that is valid.
fn goes_on(row: &Value) -> Option<bool> {
    match text(row, "expect_trace") {
        "continue" => Some(true),
        "restart" => Some(false),
        _ => None,
    }
}

/// Name and value of each header of a case.
fn headers(row: &Value) -> Vec<(&str, &str)> {
    let pairs = row["headers"].as_array().unwrap();
    pairs.iter().map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect()
}

#[tokio::test]
async fn tracecontext() {
    let Some(folder) = Folder::find("tracecontext") else { return };
    for path in folder.files("", "", ".jsonl") {
        let sink = MemorySink::new();
        let options = Sec0Options::new(Policy::from_yaml(POLICY).unwrap());
        let layer =
            Sec0SecurityLayer::try_new(options.audit_sink(sink.clone()).signer(key())).unwrap();
        let server = MapRegistry::new("demo", "1.0.0")
            .tool(Tool::new("t", "", serde_json::Map::new()), |_| async { "done".to_owned() })
            .layer(layer.clone());
        let rows = rows(&path);
        for row in &rows {
            let mut request = Request::builder();
            for (name, value) in headers(row) {
                let name = HeaderName::try_from(name).unwrap();
                // A server strips the blanks around a value.
                let value = HeaderValue::try_from(value.trim()).unwrap();
                request.headers_mut().unwrap().append(name, value);
            }
            let mut context = detached_context();
            context.extensions.insert(request.body(()).unwrap().into_parts().0);
            server.call_tool(CallToolRequestParams::new("t"), context).await.unwrap();
        }
        layer.try_shutdown().await.unwrap();
        let records = records(&sink);
        assert_eq!(records.len(), rows.len());

        let (mut on, mut anew, mut open) = (0, 0, 0);
        for (row, record) in rows.iter().zip(&records) {
            let parents: Vec<_> = headers(row)
                .into_iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("traceparent"))
                .map(|(_, value)| parse_traceparent(value))
                .collect();
            let parsed = match parents.as_slice() {
                [only] => *only,
                // None at all, or two of which nobody can say which is meant.
                _ => None,
            };
            assert_eq!(record["cause_trace_id"].is_string(), parsed.is_some(), "{row}\n{record}");
            match goes_on(row) {
                Some(expected) => {
                    assert_eq!(parsed.is_some(), expected, "{row}");
                    *(if expected { &mut on } else { &mut anew }) += 1;
                }
                None => open += 1,
            }
            if let Some(ids) = parsed {
                assert_eq!(record["cause_trace_id"], ids.trace_hex().to_string());
                assert_eq!(record["cause_span_id"], ids.span_hex().to_string());
            }
        }
        tried(&format!(
            "tracecontext: {}: {on} traces go on, {anew} begin anew, {open} left to the text",
            path.display()
        ));
    }
}
