//! Handlers that panic, wherever they can.

use crate::support::{Rules, Site, ask, assert_agree, demo, denial, done, soon, text, tool};
use futures::{FutureExt, poll};
use rmcp::ErrorData;
use serde_json::json;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

/// Panics when it is dropped, as long as nothing else does.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a drop that panics");
    }
}

/// Panics with this payload.
fn burst(payload: impl Send + 'static) -> String {
    panic_any(payload)
}

#[tokio::test]
async fn a_handler_that_panics_answers_an_internal_error_and_leaves_its_record() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce());
    let server = demo()
        .tool(tool("at_once", Some("1.0")), |_| std::future::ready(burst("c0nfidential")))
        .tool(tool("polled", Some("1.0")), |_| async { burst("c0nfidential") })
        .tool(tool("after_await", Some("1.0")), |_| async {
            tokio::task::yield_now().await;
            burst("c0nfidential")
        })
        .tool(tool("not_a_text", Some("1.0")), |_| async { burst(7) })
        .tool(tool("bomb", Some("1.0")), |_| async { burst(Bomb) })
        .tool(tool("at_its_end", Some("1.0")), |_| async {
            let _bomb = Bomb;
            done()
        })
        .layer(layer.clone());
    let names = ["at_once", "polled", "after_await", "not_a_text", "bomb", "at_its_end"];
    for name in names {
        let error = ask(&server, name, json!({})).await.unwrap_err();
        assert_eq!(error.code.0, -32603, "{name}");
        assert!(!format!("{error:?}").contains("c0nfidential"), "{name}: {error:?}");
    }
    let lines = site.close(&layer).await;
    assert_eq!(lines.calls.len(), names.len());
    for (name, record) in names.iter().zip(&lines.calls) {
        assert_eq!(record["target_tool"], format!("{name}@1.0"));
        assert_eq!((&record["status"], &record["executed"]), (&json!("panicked"), &json!(true)));
        assert!(!record.to_string().contains("c0nfidential"));
    }
}

/// Each panics with the next as it is dropped.
struct Chain(u8);

impl Drop for Chain {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Chain(self.0 - 1));
        }
    }
}

#[tokio::test]
async fn payloads_that_panic_one_after_the_other_change_nothing() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(tool("chain", Some("1.0")), |_| async {
        if true {
            panic_any(Chain(3))
        }
        done()
    });
    let server = server.layer(layer.clone());
    let answer = AssertUnwindSafe(ask(&server, "chain", json!({}))).catch_unwind().await;
    let is_answered = match answer {
        Ok(answer) => answer.is_err_and(|error| error.code.0 == -32603),
        Err(payload) => {
            // Dropping it would panic here.
            std::mem::forget(payload);
            false
        }
    };
    let lines = site.close(&layer).await;
    assert_eq!(lines.only()["status"], "panicked");
    assert!(is_answered, "the caller gets an answer");
}

#[tokio::test]
async fn a_handler_that_panics_as_it_is_dropped_leaves_its_record() {
    // The caller drops the call.
    let site = Site::default();
    let layer = site.layer(&Rules::enforce());
    let server = demo().tool(tool("hold", Some("1.0")), |_| async {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
        done()
    });
    let server = server.layer(layer.clone());
    let mut call = Box::pin(ask(&server, "hold", json!({})));
    assert!(poll!(&mut call).is_pending());
    // Where the panic goes is not promised; the record is.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(call))) {
        drop(payload);
    }
    let lines = site.close(&layer).await;
    let record = lines.only();
    assert_eq!((&record["status"], &record["executed"]), (&json!("panicked"), &json!(true)));

    // The deadline drops the handler.
    let site = Site::default();
    let layer = site.layer(&Rules::enforce().max_ms(1));
    let server = demo().tool(tool("hold", Some("1.0")), |_| async {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
        done()
    });
    let server = server.layer(layer.clone());
    let answer = soon(AssertUnwindSafe(ask(&server, "hold", json!({}))).catch_unwind()).await;
    let answer = answer.expect("a panic of the handler does not reach the server");
    let lines = site.close(&layer).await;
    match answer {
        Err(ErrorData { code, .. }) => {
            assert_eq!((code.0, &lines.only()["status"]), (-32603, &json!("panicked")));
        }
        refused => {
            assert!(!text(&refused).contains("refused"));
            assert_agree(&denial(&refused), lines.only());
        }
    }
    assert_eq!(lines.only()["executed"], true);
}
