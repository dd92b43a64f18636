//! Ordinary tower layers in the stack, and a stack put together by hand.

use crate::support::{
    Latch, Rules, Runs, Site, TokioClock, ask, assert_agree, demo, denial, done, is_fine, soon,
    text, tool,
};
use futures::future::join_all;
use parking_lot::Mutex;
use sec0::Sec0SecurityLayer;
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::{BoxError, Layer, Service};

/// How a layer of somebody else's lets one down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    FailsWhenAskedIfReady,
    FailsBefore,
    FailsAfter,
    PanicsWhenAskedIfReady,
    PanicsWhenCalled,
    PanicsBefore,
    PanicsAfter,
}

/// A layer that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Odd(pub(crate) Way);

#[derive(Debug, Clone)]
pub(crate) struct OddService<S> {
    inner: S,
    way: Way,
}

impl<S> Layer<S> for Odd {
    type Service = OddService<S>;

    fn layer(&self, inner: S) -> OddService<S> {
        OddService { inner, way: self.0 }
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl<S, Q> Service<Q> for OddService<S>
where
    S: Service<Q>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    Q: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Boxed<S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self.way {
            Way::FailsWhenAskedIfReady => Poll::Ready(Err("not ready today".into())),
            Way::PanicsWhenAskedIfReady => panic!("a layer panics when asked if it is ready"),
            Way::FailsBefore
            | Way::FailsAfter
            | Way::PanicsWhenCalled
            | Way::PanicsBefore
            | Way::PanicsAfter => self.inner.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, request: Q) -> Boxed<S::Response> {
        let way = self.way;
        match way {
            Way::FailsBefore => return Box::pin(async { Err("no answer today".into()) }),
            Way::PanicsBefore => return Box::pin(async { panic!("a layer panics when polled") }),
            Way::PanicsWhenCalled => panic!("a layer panics when called"),
            Way::FailsWhenAskedIfReady
            | Way::FailsAfter
            | Way::PanicsWhenAskedIfReady
            | Way::PanicsAfter => {}
        }
        let inner = self.inner.call(request);
        Box::pin(async move {
            let reply = inner.await.map_err(Into::into)?;
            assert!(way != Way::PanicsAfter, "a layer panics with the answer in hand");
            if way == Way::FailsAfter { Err("the answer got lost".into()) } else { Ok(reply) }
        })
    }
}

/// Runs one call of `add` behind a layer that goes wrong; gives the record.
async fn behind(way: Way) -> (crate::support::Answer, usize, Value) {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce()).around(Odd(way));
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "add", json!({})).await;
    let record = site.close(&layer).await.only().clone();
    (answer, runs.get(), record)
}

#[tokio::test]
async fn a_layer_that_fails_refuses_the_call_and_says_whether_the_handler_ran() {
    for (way, ran, status) in [
        (Way::FailsWhenAskedIfReady, 0, "denied"),
        (Way::FailsBefore, 0, "denied"),
        (Way::FailsAfter, 1, "error"),
    ] {
        let (answer, runs, record) = behind(way).await;
        let denial = denial(&answer);
        assert_eq!(
            (&denial["code"], &denial["reason"]),
            (&json!("POLICY_DENIED"), &json!("layer_failed"))
        );
        assert_eq!((runs, &denial["executed"]), (ran, &json!(ran == 1)), "{way:?}");
        assert_eq!(text(&answer).contains("refused"), ran == 0, "{way:?}");
        assert!(!text(&answer).contains("today") && !text(&answer).contains("lost"), "{way:?}");
        assert_eq!(record["status"], status, "{way:?}");
        assert_agree(&denial, &record);
    }
}

#[tokio::test]
async fn a_layer_that_panics_answers_an_internal_error_and_leaves_its_record() {
    for (way, ran) in [
        (Way::PanicsWhenAskedIfReady, false),
        (Way::PanicsWhenCalled, false),
        (Way::PanicsBefore, false),
        (Way::PanicsAfter, true),
    ] {
        let (answer, runs, record) = behind(way).await;
        assert_eq!(answer.unwrap_err().code.0, -32603, "{way:?}");
        assert_eq!(runs, usize::from(ran), "{way:?}");
        assert_eq!((&record["status"], &record["executed"]), (&json!("panicked"), &json!(ran)));
    }
}

#[tokio::test]
async fn a_concurrency_limit_holds_and_keeps_no_denied_call_waiting() {
    let (site, latch) = (Site::default(), Latch::new());
    let rules = Rules::enforce().allow(&["mcp://demo/hold"]);
    let layer = site.layer(&rules).around(ConcurrencyLimitLayer::new(3));
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let server = {
        let (latch, now, most) = (latch.clone(), Arc::clone(&now), Arc::clone(&most));
        demo()
            .tool(tool("hold", Some("1.0")), move |_| {
                let (latch, now, most) = (latch.clone(), Arc::clone(&now), Arc::clone(&most));
                async move {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    latch.pass().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    done()
                }
            })
            .tool(tool("rm", Some("1.0")), Runs::default().handler())
            .layer(layer.clone())
    };
    let held = join_all((0..16).map(|n| ask(&server, "hold", json!({ "n": n }))));
    let other = async {
        latch.entered(3).await;
        // The limit is full now. What will be refused does not queue for it.
        let denied = soon(ask(&server, "rm", json!({}))).await;
        assert_eq!(denial(&denied)["reason"], "tool_not_in_allowlist");
        assert_eq!(now.load(Ordering::SeqCst), 3);
        latch.release(16);
    };
    let (answers, ()) = soon(futures::future::join(held, other)).await;
    assert!(answers.iter().all(is_fine));
    assert_eq!(most.load(Ordering::SeqCst), 3);
    let lines = site.close(&layer).await;
    assert_eq!(lines.calls.len(), 17);
    assert!(lines.by_input().values().all(|&count| count == 1));
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_layer_is_a_deadline_in_observe_too() {
    for rules in [Rules::observe(), Rules::enforce(), Rules::with(None, &[])] {
        let (site, runs) = (Site::default(), Runs::default());
        let options = site.options(&rules).clock(Arc::new(TokioClock));
        let layer = Sec0SecurityLayer::try_new(options).unwrap();
        let layer = layer.around(TimeoutLayer::new(Duration::from_millis(20)));
        let counted = runs.clone();
        let server = demo().tool(tool("slow", Some("1.0")), move |_| {
            counted.up();
            async {
                tokio::time::sleep(Duration::from_mins(1)).await;
                done()
            }
        });
        let server = server.layer(layer.clone());
        let answer = ask(&server, "slow", json!({})).await;
        tokio::time::resume();
        let lines = site.close(&layer).await;
        tokio::time::pause();
        let (denial, record) = (denial(&answer), lines.only());
        assert_eq!(denial["code"], "DEADLINE_EXCEEDED");
        assert_eq!(
            (&denial["reason"], &denial["executed"]),
            (&json!("duration_too_long"), &json!(true))
        );
        assert_eq!(record["status"], "timeout");
        assert!(!text(&answer).contains("refused"));
        assert_agree(&denial, record);
        assert_eq!(runs.get(), 1);
    }
}

#[tokio::test]
async fn load_that_is_shed_may_be_sent_again() {
    let (site, latch, runs) = (Site::default(), Latch::new(), Runs::default());
    let layer = site
        .layer(&Rules::enforce())
        .around(ConcurrencyLimitLayer::new(1))
        .around(LoadShedLayer::new());
    let server = demo().tool(tool("hold", Some("1.0")), latch.handler(&runs)).layer(layer.clone());
    let first = ask(&server, "hold", json!({ "n": 1 }));
    let second = async {
        latch.entered(1).await;
        let shed = ask(&server, "hold", json!({ "n": 2 })).await;
        latch.release(2);
        shed
    };
    let (first, shed) = soon(futures::future::join(first, second)).await;
    assert!(is_fine(&first));
    let denial = denial(&shed);
    assert_eq!(
        (&denial["code"], &denial["reason"]),
        (&json!("RATE_LIMITED"), &json!("overloaded"))
    );
    assert_eq!((&denial["retryable"], &denial["executed"]), (&json!(true), &json!(false)));
    assert_eq!(runs.get(), 1);
    assert!(is_fine(&soon(ask(&server, "hold", json!({ "n": 2 }))).await));
    let lines = site.close(&layer).await;
    let refused: Vec<_> = lines.calls.iter().filter(|call| call["status"] == "denied").collect();
    assert_eq!((lines.calls.len(), refused.len()), (3, 1));
    assert_agree(&denial, refused[0]);
}

/// Writes its name down before it passes a call on.
#[derive(Debug, Clone)]
struct Named(&'static str, Arc<Mutex<Vec<&'static str>>>);

#[derive(Debug, Clone)]
struct NamedService<S>(S, Named);

impl<S> Layer<S> for Named {
    type Service = NamedService<S>;

    fn layer(&self, inner: S) -> NamedService<S> {
        NamedService(inner, self.clone())
    }
}

impl<S: Service<Q>, Q> Service<Q> for NamedService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Q) -> S::Future {
        self.1.1.lock().push(self.1.0);
        self.0.call(request)
    }
}

#[tokio::test]
async fn the_layer_put_in_last_is_the_outermost_and_sees_no_refused_call() {
    let (site, order) = (Site::default(), Arc::new(Mutex::new(Vec::new())));
    let named = |name| Named(name, Arc::clone(&order));
    let rules = Rules::enforce().allow(&["mcp://demo/add"]);
    let layer = site.layer(&rules).around(named("first")).around(named("last"));
    let noted = Arc::clone(&order);
    let server = demo()
        .tool(tool("add", Some("1.0")), move |_| {
            noted.lock().push("handler");
            async { done() }
        })
        .tool(tool("rm", Some("1.0")), Runs::default().handler())
        .layer(layer.clone());
    assert!(is_fine(&ask(&server, "add", json!({})).await));
    assert_eq!(*order.lock(), ["last", "first", "handler"]);
    denial(&ask(&server, "rm", json!({})).await);
    ask(&server, "none", json!({})).await.unwrap_err();
    assert_eq!(order.lock().len(), 3);
    assert_eq!(site.close(&layer).await.calls.len(), 3);
}

#[tokio::test]
async fn limit_is_present_and_stands_before_verify() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce().max_kb(1));
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "none", json!({ "text": "x".repeat(2000) })).await;
    let denial = denial(&answer);
    assert_eq!(
        (&denial["reason"], &denial["reasons"]),
        (&json!("payload_too_large"), &json!(["payload_too_large"]))
    );
    assert_agree(&denial, site.close(&layer).await.only());
}
