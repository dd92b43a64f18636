//! A door of one's own over a stack put together by hand, from the layers of the steps.

use crate::support::{Rules, Runs, Site};
use futures::poll;
use sec0::approval::Connected;
use sec0::call::{
    ApprovalToken, Call, Cleared, End, Outcome, Reason, Refusal, Reply, ServerIdent, ToolName,
    ToolVersion,
};
use sec0::digest::Digest;
use sec0::identity::{self, ClaimName, Claimant, Origin};
use sec0::registry::{Definition, Freeze, Live, Sight, Sighted, Snapshot};
use sec0::stack::{Entered, Identified, Intact, Judged, Permitted, Steps};
use serde_json::{Map, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio_util::sync::CancellationToken;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

/// The door's part of a call.
#[derive(Debug)]
struct Door(Arc<Snapshot>);

impl Claimant for Door {
    fn claim(&self, name: ClaimName) -> identity::Said<'_> {
        match name {
            ClaimName::NodeId => identity::Said::Text("Node 7".into()),
            _ => identity::Said::Nothing,
        }
    }

    fn origin(&self) -> Origin {
        Origin::Http
    }
}

impl Connected for Door {}

impl Sighted for Door {
    fn sight(&self, _tool: &str) -> Sight<'_> {
        Sight::new(Some(&self.0), Live::Owned)
    }
}

/// What the handler of this door says.
#[derive(Debug)]
struct Said(&'static str);

impl Reply for Said {
    type Body<'a> = &'a str;

    fn body(&self) -> Option<&str> {
        Some(self.0)
    }

    fn failed(&self) -> bool {
        false
    }
}

/// What a whole stack of this door is.
trait Stack: Service<Call<Door>, Response = Outcome<Said>, Error = Infallible> + Freeze {}

impl<S: Service<Call<Door>, Response = Outcome<Said>, Error = Infallible> + Freeze> Stack for S {}

fn stack(steps: &Steps, runs: &Runs) -> impl Stack + use<> {
    ServiceBuilder::new()
        .layer(steps.trace())
        .layer(steps.record())
        .layer(steps.settle())
        .layer(steps.identify())
        .layer(steps.limit())
        .layer(steps.verify())
        .layer(steps.authorize())
        .layer(steps.dedupe())
        .layer(steps.approve())
        .layer(steps.reserve())
        .layer(steps.invoke())
        .service(handler(runs))
}

fn handler(
    runs: &Runs,
) -> impl Service<
    Cleared<Door>,
    Response = Said,
    Error = Infallible,
    Future = std::future::Ready<Result<Said, Infallible>>,
> + Clone
+ use<> {
    let runs = runs.clone();
    tower::service_fn(move |cleared: Cleared<Door>| {
        assert_eq!(cleared.into_call().tool.as_str(), "add");
        runs.up();
        std::future::ready(Ok(Said("three")))
    })
}

fn snapshot() -> Arc<Snapshot> {
    let definition = Definition::new("add", ToolVersion::new("1.0"), Digest::of(b"add"));
    Arc::new(Snapshot::new([definition]))
}

fn call(frozen: &Arc<Snapshot>, tool: &str, argument: u32) -> Call<Door> {
    let server = Arc::new(ServerIdent::new("demo", "1.0.0"));
    let mut arguments = Map::new();
    arguments.insert("n".to_owned(), json!(argument));
    Call::new(server, ToolName::from(tool), CancellationToken::new(), Door(Arc::clone(frozen)))
        .with_arguments(Some(arguments))
}

#[tokio::test]
async fn a_stack_of_the_steps_does_what_the_layer_does() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce().allow(&["mcp://demo/add"]));
    let mut by_hand = stack(&layer.steps(), &runs);
    let mut whole = layer.layer(handler(&runs));
    let frozen = by_hand.freeze(snapshot());
    assert!(Arc::ptr_eq(&frozen, &whole.freeze(snapshot())), "the steps share one registry");

    for tool in ["add", "rm"] {
        let one = by_hand.ready().await.unwrap().call(call(&frozen, tool, 1)).await.unwrap();
        let other = whole.ready().await.unwrap().call(call(&frozen, tool, 1)).await.unwrap();
        for outcome in [&one, &other] {
            match (&outcome.end, tool) {
                (End::Replied(Said("three")), "add") => {}
                (End::Refused(refusal), "rm") => assert_eq!(refusal.reason(), Reason::UnknownTool),
                (end, tool) => panic!("{tool}: {end:?}"),
            }
        }
    }
    assert_eq!(runs.get(), 2);
    let mut calls = site.close(&layer).await.calls;
    assert_eq!(calls.len(), 4);
    for call in &mut calls {
        assert_eq!(
            (&call["nodeId"], &call["principal"]),
            (&json!("node-7"), &json!("http:anonymous"))
        );
        let call = call.as_object_mut().unwrap();
        for own in ["latency_ms", "prev_sha256", "seq", "sig", "span_id", "trace_id", "ts"] {
            call.remove(own).unwrap();
        }
    }
    assert_eq!(calls[0], calls[1]);
    assert_eq!(calls[2], calls[3]);
}

#[tokio::test]
async fn a_call_dropped_before_it_was_polled_or_after_leaves_one_record() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce());
    let mut stack = stack(&layer.steps(), &runs);
    let frozen = stack.freeze(snapshot());

    drop(stack.ready().await.unwrap().call(call(&frozen, "add", 1)));
    assert_eq!(runs.get(), 0);

    let mut polled = Box::pin(stack.ready().await.unwrap().call(call(&frozen, "add", 2)));
    assert!(poll!(&mut polled).is_ready());
    drop(polled);

    let lines = site.close(&layer).await;
    assert_eq!(lines.calls.len(), 2, "{:#?}", lines.calls);
    let unpolled = &lines.calls[0];
    assert_eq!(unpolled["status"], "cancelled");
    assert_eq!(
        (&unpolled["executed"], &unpolled["policy"]["decision"]),
        (&json!(false), &json!("deny"))
    );
    assert_eq!((&lines.calls[1]["status"], runs.get()), (&json!("ok"), 1));
}

/// A reply that panics when somebody looks at it.
#[derive(Debug)]
struct Boom;

impl Reply for Boom {
    type Body<'a> = ();

    fn body(&self) -> Option<()> {
        panic!("looked at")
    }

    fn failed(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_reply_that_panics_when_it_is_looked_at_leaves_its_record() {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&Rules::enforce().allow(&["mcp://demo/add"]));
    let counted = runs.clone();
    let whole = layer.layer(tower::service_fn(move |cleared: Cleared<Door>| {
        let call = cleared.into_call();
        assert_eq!(call.tool.as_str(), "add");
        assert!(call.approval.is_none(), "the handler got what its caller presented");
        counted.up();
        std::future::ready(Ok::<_, Infallible>(Boom))
    }));
    let frozen = whole.freeze(snapshot());
    let mut asked = call(&frozen, "add", 1);
    asked.approval = ApprovalToken::new("7ea5e");
    let Ok(outcome) = whole.oneshot(asked).await;
    assert!(matches!(outcome.end, End::Panicked));
    let lines = site.close(&layer).await;
    assert_eq!((runs.get(), &lines.only()["status"]), (1, &json!("panicked")));
}

/// Takes no call, as a full limit does.
#[derive(Debug, Clone)]
struct Full;

impl<Q> Service<Q> for Full {
    type Response = Said;
    type Error = Refusal;
    type Future = std::future::Pending<Result<Said, Refusal>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        Poll::Pending
    }

    fn call(&mut self, _: Q) -> Self::Future {
        panic!("a service was called that was not ready")
    }
}

fn is_ready<Q>(mut service: impl Service<Q, Error = Refusal>) -> bool {
    service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[tokio::test]
async fn a_step_that_does_not_wait_is_ready_when_what_lies_below_is() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce());
    let steps = layer.steps();
    assert!(!is_ready::<Entered<Door>>(steps.identify().layer(Full)));
    assert!(!is_ready::<Identified<Door>>(steps.limit().layer(Full)));
    assert!(!is_ready::<Identified<Door>>(steps.verify().layer(Full)));
    assert!(!is_ready::<Intact<Door>>(steps.authorize().layer(Full)));
    assert!(!is_ready::<Judged<Door>>(steps.dedupe().layer(Full)));
    // A call that waits for a human keeps no other from being judged.
    assert!(is_ready::<Judged<Door>>(steps.approve().layer(Full)));
    assert!(!is_ready::<Permitted<Door>>(steps.reserve().layer(Full)));
    site.close(&layer).await;
}
