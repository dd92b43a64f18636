//! How large arguments may be, how deep, and how long a call may take.

use crate::support::{
    Answer, Latch, Rules, Runs, Site, TokioClock, ask, assert_agree, demo, denial, done, is_fine,
    sha256_of, soon, text, tool,
};
use futures::poll;
use sec0::clock::{Clock, System, Timestamp};
use sec0::{Sec0Options, Sec0SecurityLayer};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Arguments whose canonical JSON has so many bytes.
fn of_bytes(bytes: usize) -> Value {
    let value = json!({ "t": "x".repeat(bytes - r#"{"t":""}"#.len()) });
    assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap().len(), bytes);
    value
}

/// One call of `add` with these arguments; the reply, the runs and the record.
async fn one(
    rules: &Rules,
    with: impl FnOnce(Sec0Options) -> Sec0Options,
    arguments: Value,
) -> (Answer, usize, Value) {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = Sec0SecurityLayer::try_new(with(site.options(rules))).unwrap();
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "add", arguments).await;
    let record = site.close(&layer).await.only().clone();
    (answer, runs.get(), record)
}

#[tokio::test]
async fn the_limit_is_on_the_bytes_of_canonical_json() {
    for (kb, bytes, refused) in
        [(1, 1024, false), (1, 1025, true), (3, 3072, false), (3, 3073, true)]
    {
        let arguments = of_bytes(bytes);
        let (answer, runs, record) =
            one(&Rules::enforce().max_kb(kb), |options| options, arguments.clone()).await;
        assert_eq!(runs, usize::from(!refused), "{kb} {bytes}");
        if refused {
            assert_eq!(denial(&answer)["reason"], "payload_too_large");
            assert_agree(&denial(&answer), &record);
        } else {
            assert!(is_fine(&answer));
            assert_eq!(record["input_sha256"], sha256_of(&arguments));
        }
    }
}

#[tokio::test]
async fn spelling_that_canonical_json_does_not_keep_does_not_count() {
    // `1.0` is one byte as canonical JSON and three as serde_json writes it.
    let spare = r#"{"n":1,"t":""}"#.len();
    for (length, refused) in [(1024 - spare, false), (1025 - spare, true)] {
        let arguments = json!({ "t": "x".repeat(length), "n": 1.0 });
        assert!(serde_json::to_vec(&arguments).unwrap().len() > 1024);
        let (answer, ..) = one(&Rules::enforce().max_kb(1), |options| options, arguments).await;
        assert_eq!(!is_fine(&answer), refused);
    }
}

#[tokio::test]
async fn arguments_that_are_too_large_only_for_the_record_keep_their_digest() {
    let arguments = of_bytes(5000);
    let (answer, runs, record) =
        one(&Rules::observe().max_kb(1), |options| options, arguments.clone()).await;
    assert!(is_fine(&answer));
    assert_eq!((runs, &record["policy"]["decision"]), (1, &json!("would_deny")));
    assert_eq!(record["input_sha256"], sha256_of(&arguments));
}

#[tokio::test]
async fn the_hard_bound_refuses_in_observe_too() {
    for rules in [Rules::observe(), Rules::with(None, &[]), Rules::enforce()] {
        for (bytes, refused) in [(100, false), (101, true)] {
            let bound = |options: Sec0Options| options.max_argument_bytes(100);
            let (answer, runs, record) = one(&rules, bound, of_bytes(bytes)).await;
            assert_eq!(runs, usize::from(!refused), "{bytes}");
            if refused {
                assert_eq!(denial(&answer)["reason"], "payload_too_large");
                assert_eq!(record["input_sha256"], Value::Null);
                assert_agree(&denial(&answer), &record);
            } else {
                assert!(is_fine(&answer));
                assert_eq!(record["policy"]["decision"], "allow");
            }
        }
    }
}

/// A value in memory may be as deep as it likes; only a text is stopped by its parser.
#[test]
fn arguments_ten_thousand_levels_deep_are_malformed_and_nothing_overflows() {
    let deep = || {
        let inner = (0..10_000).fold(json!(1), |inner, _| Value::Array(vec![inner]));
        Value::Object([("deep".to_owned(), inner)].into_iter().collect())
    };
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for rules in [Rules::observe(), Rules::enforce()] {
                let (answer, runs, record) = one(&rules, |options| options, deep()).await;
                assert_eq!(denial(&answer)["reason"], "malformed_arguments");
                assert_eq!((runs, &record["input_sha256"]), (0, &Value::Null));
                assert_agree(&denial(&answer), &record);
            }
        });
    };
    // Dropping such a value takes a frame a level, whoever does it.
    let thread = std::thread::Builder::new().stack_size(256 << 20);
    thread.spawn(run).unwrap().join().unwrap();
}

#[tokio::test]
async fn a_call_at_the_bound_of_depth_runs_and_one_level_more_does_not() {
    // serde_json, and so rmcp, reads 127 levels; 128 are written.
    for (levels, refused) in [(128, false), (129, true)] {
        let arguments = (1..levels).fold(json!({}), |inner, _| json!({ "in": inner }));
        let (answer, runs, record) = one(&Rules::observe(), |options| options, arguments).await;
        assert_eq!((runs, is_fine(&answer)), (usize::from(!refused), !refused), "{levels}");
        assert_eq!(record["executed"], !refused);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_drops_the_handler_and_leaves_alone_what_it_spawned() {
    let (site, ended, dropped) = (Site::default(), Runs::default(), Runs::default());
    let options = site.options(&Rules::enforce().max_ms(50)).clock(Arc::new(TokioClock));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let spawned = Arc::new(Notify::new());
    let server = {
        let (ended, dropped, spawned) = (ended.clone(), dropped.clone(), Arc::clone(&spawned));
        demo().tool(tool("slow", Some("1.0")), move |_| {
            let (ended, on_drop) = (ended.clone(), OnDrop(dropped.clone()));
            let spawned = Arc::clone(&spawned);
            async move {
                let _on_drop = on_drop;
                let mut work = tokio::task::JoinSet::new();
                work.spawn(async move {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    spawned.notify_one();
                });
                work.detach_all();
                tokio::time::sleep(Duration::from_secs(1)).await;
                ended.up();
                done()
            }
        })
    };
    let server = server.layer(layer.clone());
    let before = tokio::time::Instant::now();
    let answer = ask(&server, "slow", json!({ "s": "c0nfidential" })).await;
    assert!(before.elapsed() < Duration::from_secs(1), "it ended at the deadline, not at the end");
    assert_eq!((dropped.get(), ended.get()), (1, 0));
    let denial = denial(&answer);
    assert_eq!((&denial["code"], &denial["executed"]), (&json!("DEADLINE_EXCEEDED"), &json!(true)));
    assert!(!text(&answer).contains("refused") && !text(&answer).contains("c0nfidential"));
    spawned.notified().await;
    tokio::time::resume();
    let lines = site.close(&layer).await;
    assert_eq!(lines.only()["status"], "timeout");
    assert_agree(&denial, lines.only());
}

/// Counts that it was dropped.
struct OnDrop(Runs);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.up();
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_does_not_refuse_lets_the_handler_come_to_its_end() {
    let not_listed = Rules::with(Some("enforce"), &["payload_too_large"]);
    for rules in [Rules::observe(), not_listed, Rules::with(None, &[])] {
        for (sleeps, late) in [(10, false), (60_000, true)] {
            let site = Site::default();
            let options = site.options(&rules.clone().max_ms(50)).clock(Arc::new(TokioClock));
            let layer = Sec0SecurityLayer::try_new(options).unwrap();
            let server = demo().tool(tool("slow", Some("1.0")), move |_| async move {
                tokio::time::sleep(Duration::from_millis(sleeps)).await;
                done()
            });
            let server = server.layer(layer.clone());
            let answer = ask(&server, "slow", json!({})).await;
            tokio::time::resume();
            let lines = site.close(&layer).await;
            tokio::time::pause();
            assert!(is_fine(&answer));
            let record = lines.only();
            let decision = if late { "would_deny" } else { "allow" };
            assert_eq!(record["policy"]["decision"], decision, "{rules:?} {sleeps}");
            assert_eq!((&record["status"], &record["executed"]), (&json!("ok"), &json!(true)));
            assert!(record["latency_ms"].as_u64().unwrap() >= sleeps);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_within_its_time_is_allowed_at_the_deadline_itself() {
    let site = Site::default();
    let options = site.options(&Rules::enforce().max_ms(50)).clock(Arc::new(TokioClock));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo().tool(tool("slow", Some("1.0")), |_| async {
        tokio::time::sleep(Duration::from_millis(49)).await;
        done()
    });
    let server = server.layer(layer.clone());
    let answer = ask(&server, "slow", json!({})).await;
    tokio::time::resume();
    assert!(is_fine(&answer));
    assert_eq!(site.close(&layer).await.only()["policy"]["decision"], "allow");
}

/// The reason is in `deny_on` and the mode is `enforce`, so this is no `would_deny` and no `allow`.
#[tokio::test(start_paused = true)]
async fn a_call_that_its_deadline_ended_is_recorded_as_denied() {
    for jitter in [0, 1] {
        let site = Site::default();
        let clock = Arc::new(AheadClock(Duration::from_millis(jitter), Runs::default()));
        let options = site.options(&Rules::enforce().max_ms(50)).clock(clock);
        let layer = Sec0SecurityLayer::try_new(options).unwrap();
        let server = demo().tool(tool("slow", Some("1.0")), |_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            done()
        });
        let server = server.layer(layer.clone());
        let answer = ask(&server, "slow", json!({})).await;
        tokio::time::resume();
        let lines = site.close(&layer).await;
        tokio::time::pause();
        let record = lines.only();
        assert_eq!(denial(&answer)["reason"], "duration_too_long");
        assert_eq!(record["status"], "timeout");
        assert_eq!(record["policy"]["decision"], "deny", "{jitter} ms late: {record:#}");
        assert_eq!(record["denial_level"], "middleware", "{record:#}");
    }
}

/// The clock of tokio, ahead by so much from its second reading on, as a timer that fires late.
#[derive(Debug)]
struct AheadClock(Duration, Runs);

impl Clock for AheadClock {
    fn wall(&self) -> Timestamp {
        TokioClock.wall()
    }

    fn monotonic(&self) -> Instant {
        let is_first = self.1.get() == 0;
        self.1.up();
        TokioClock.monotonic() + if is_first { Duration::ZERO } else { self.0 }
    }
}

/// Blocks its thread until the clock says that so much has passed, as bad handlers do.
fn block_for(time: Duration) {
    let clock = System::shared();
    let start = clock.monotonic();
    while clock.monotonic().duration_since(start) < time {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_handler_that_blocks_past_its_deadline_is_refused_like_any_other() {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce().max_ms(1));
    let server = demo().tool(tool("blocks", Some("1.0")), |_| async {
        block_for(Duration::from_millis(5));
        done()
    });
    let server = server.layer(layer.clone());
    let answer = ask(&server, "blocks", json!({})).await;
    let lines = site.close(&layer).await;
    assert_eq!(lines.only()["status"], "timeout", "{:#}", lines.only());
    let denial = denial(&answer);
    assert_eq!(
        (&denial["reason"], &denial["executed"]),
        (&json!("duration_too_long"), &json!(true))
    );
}

#[tokio::test]
async fn a_call_whose_deadline_passed_before_its_turn_does_not_run() {
    let (site, latch, runs) = (Site::default(), Latch::new(), Runs::default());
    let rules = Rules::enforce().max_ms(5);
    let options = site.options(&rules).queue(1).admission_wait(Duration::from_secs(20));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let held = latch.clone();
    let server = demo()
        .tool(tool("hold", Some("1.0")), move |_| {
            let held = held.clone();
            async move {
                held.pass().await;
                done()
            }
        })
        .tool(tool("add", Some("1.0")), runs.handler())
        .layer(layer.clone());
    let mut first = Box::pin(ask(&server, "hold", json!({})));
    assert!(poll!(&mut first).is_pending());
    let mut second = Box::pin(ask(&server, "add", json!({})));
    assert!(poll!(&mut second).is_pending(), "it waits for room in the log");
    block_for(Duration::from_millis(10));
    denial(&soon(first).await);
    let answer = soon(second).await;
    let lines = site.close(&layer).await;
    assert_eq!(runs.get(), 0, "{:#?}", lines.calls);
    let denial = denial(&answer);
    assert_eq!(
        (&denial["reason"], &denial["executed"]),
        (&json!("duration_too_long"), &json!(false))
    );
    assert!(text(&answer).contains("refused"));
    assert_agree(&denial, &lines.calls[1]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_call_that_waits_below_and_says_that_nothing_ran() {
    let (site, runs) = (Site::default(), Runs::default());
    let options = site.options(&Rules::enforce().max_ms(50)).clock(Arc::new(TokioClock));
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let layer = layer.around(tower::limit::ConcurrencyLimitLayer::new(0));
    let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
    let answer = ask(&server, "add", json!({})).await;
    tokio::time::resume();
    let lines = site.close(&layer).await;
    let denial = denial(&answer);
    assert_eq!(
        (&denial["reason"], &denial["executed"]),
        (&json!("duration_too_long"), &json!(false))
    );
    assert!(text(&answer).contains("refused"));
    assert_eq!((runs.get(), &lines.only()["status"]), (0, &json!("timeout")));
    assert_agree(&denial, lines.only());
}
