use super::*;
use crate::approval::{
    ApprovalSet, Asked, Binding, Finalization, Member, MemoryApprovals, Shown, Strategy, Terms,
    TimeoutAction,
};
use crate::audit::{LogOptions, MemorySink, Site};
use crate::call::Severity;
use crate::clock::System;
use crate::digest::Fingerprint;
use crate::sign::LocalDevSigner;

/// A clock whose monotonic hand is moved by hand.
#[derive(Debug)]
struct Hands(Instant, Mutex<Duration>);

impl Hands {
    fn advance(&self, by: Duration) {
        *self.1.lock() += by;
    }
}

impl Clock for Hands {
    fn wall(&self) -> Timestamp {
        NOW
    }

    fn monotonic(&self) -> Instant {
        self.0 + *self.1.lock()
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn escalation(number: u128, at: Timestamp) -> Asking {
    by(number, at, TimeoutAction::AutoReject, None)
}

/// Asks somebody, so that time may decide.
fn of_somebody(number: u128, at: Timestamp, action: TimeoutAction) -> Arc<Asking> {
    let member = Member {
        id: "bo".into(),
        roles: Vec::new(),
        public_key: LocalDevSigner::from_seed([2; 32]).public_key(),
        principals: Vec::new(),
    };
    Arc::new(by(number, at, action, Some(ApprovalSet { members: vec![member] })))
}

fn by(
    number: u128,
    at: Timestamp,
    timeout_action: TimeoutAction,
    approval_set: Option<ApprovalSet>,
) -> Asking {
    let mut arguments = [2; 32];
    arguments[..16].copy_from_slice(&number.to_be_bytes());
    let terms = Terms {
        strategy: Strategy::SingleApprover,
        min_approvals: 1,
        min_rejections: 1,
        required_roles: Vec::new(),
        veto_roles: Vec::new(),
        timeout_action,
        ttl_seconds: 60,
        allow_unattended: true,
        approval_set_id: None,
        approval_set,
    };
    let binding = Binding {
        tenant: "acme".into(),
        server: "demo".into(),
        tool: "pay".into(),
        definition: Digest::from_bytes([1; 32]),
        arguments: Fingerprint::Sha256(arguments),
        principal: "local:1000".into(),
        policy: Digest::from_bytes([3; 32]),
    };
    let shown = Shown::of(None, [0; 16]);
    let escalation = Escalation::new(Asked {
        id: EscalationId::from_random(number.to_be_bytes()),
        binding,
        terms,
        reasons: Vec::new(),
        rules: Vec::new(),
        severity: Severity::High,
        created_at: at,
        shown: shown.digest(),
    });
    Asking { escalation: escalation.unwrap(), shown, stream: "".into() }
}

fn approvals(sink: MemorySink) -> (Arc<Approvals>, Arc<Hands>) {
    over(Arc::new(MemoryApprovals::default()), None, sink)
}

fn over(
    store: Arc<dyn ApprovalStore>,
    stream: Option<&str>,
    sink: MemorySink,
) -> (Arc<Approvals>, Arc<Hands>) {
    let clock = Arc::new(Hands(System.monotonic(), Mutex::default()));
    let shared: Arc<dyn Clock> = clock.clone();
    let signer = Arc::new(LocalDevSigner::from_seed([1; 32]));
    let options = LogOptions::new(Site::middleware("acme", "30d"), signer.clone(), sink);
    let log = Log::open(options.clock(Arc::clone(&shared))).unwrap();
    (Approvals::open(store, stream, log, shared, signer).unwrap(), clock)
}

#[test]
fn what_nobody_can_use_any_more_is_forgotten_and_makes_room() {
    let (approvals, clock) = approvals(MemorySink::new());
    let measured = |escalation: &Escalation| {
        approvals.learn(escalation);
        approvals.moment(escalation.id()).measured
    };
    for number in 0..u128::try_from(MEASURED).unwrap() {
        approvals.moment(EscalationId::from_random((number << 64).to_be_bytes()));
        approvals.learn(&escalation(number, NOW).escalation);
    }
    let late = escalation(u128::MAX, NOW).escalation;
    assert_eq!(measured(&late), None);
    clock.advance(Duration::from_secs(119));
    approvals.forget();
    assert_eq!(measured(&late), None);
    clock.advance(Duration::from_secs(3));
    approvals.forget();
    assert_eq!(measured(&late), Some(Duration::ZERO));
}

/// Whose clock is ahead in another process takes the log along into no other day.
#[tokio::test]
async fn a_line_from_a_clock_that_is_ahead_is_dated_by_the_clock_of_the_log() {
    let sink = MemorySink::new();
    let (approvals, _) = approvals(sink.clone());
    let ahead = Timestamp::from_millis(NOW.as_millis() + 400 * 24 * 3600 * 1000);
    approvals.store().ask(Arc::new(escalation(1, ahead)), ahead).await.unwrap();
    approvals.recorded().await.unwrap();
    approvals.log.shutdown(ANSWERED).await.unwrap();
    let lines = sink.lines();
    let line = lines.iter().find(|line| line.contains("approval_created")).unwrap();
    assert!(line.contains("\"ts\":\"2023-11-14T22:13:20.000Z\""), "{line}");
}

/// Time approves only what this program has measured, and after a restart it has measured nothing.
#[tokio::test]
async fn what_time_cannot_decide_yet_keeps_it_from_nothing_behind_it() {
    let (approvals, clock) = approvals(MemorySink::new());
    let ago = |seconds: i64| Timestamp::from_millis(NOW.as_millis() - seconds * 1000);
    let store = Arc::clone(approvals.store());
    for number in 0..950 {
        let asked = of_somebody(number, ago(100), TimeoutAction::AutoApprove);
        store.ask(asked, ago(100)).await.unwrap();
        approvals.recorded().await.unwrap();
    }
    let last = of_somebody(999, ago(90), TimeoutAction::AutoReject);
    store.ask(last.clone(), ago(90)).await.unwrap();
    let ended = async |id| store.read(id).await.unwrap().unwrap().ended;
    for _ in 0..3 {
        approvals.turn().await.unwrap();
    }
    let id = last.escalation.id();
    assert_eq!(ended(id).await, Some(Finalization::TimedOutRejected));
    let first = EscalationId::from_random(0_u128.to_be_bytes());
    assert_eq!(ended(first).await, None);
    // They are gone through again from the first.
    clock.advance(Duration::from_secs(61));
    for _ in 0..6 {
        approvals.turn().await.unwrap();
    }
    assert_eq!(ended(first).await, Some(Finalization::TimedOutApproved));
    let all = store.overdue("", None, NOW).await.unwrap();
    assert_eq!(all, []);
}

#[tokio::test]
async fn of_two_layers_on_one_store_each_log_gets_its_own_lines_and_all_of_them() {
    let store: Arc<dyn ApprovalStore> = Arc::new(MemoryApprovals::default());
    let sinks = [MemorySink::new(), MemorySink::new()];
    let streams = ["one", "two"];
    let both: Vec<_> = streams
        .iter()
        .zip(&sinks)
        .map(|(stream, sink)| over(Arc::clone(&store), Some(stream), sink.clone()).0)
        .collect();
    for number in 0..40_u128 {
        let at = usize::from(number % 2 == 1);
        let asked = of_somebody(number, NOW, TimeoutAction::AutoReject);
        let asked = Asking { stream: streams[at].into(), ..(*asked).clone() };
        store.ask(Arc::new(asked), NOW).await.unwrap();
        // The other one is first to look.
        both[1 - at].turn().await.unwrap();
        both[at].turn().await.unwrap();
    }
    for (at, approvals) in both.iter().enumerate() {
        approvals.flush().await;
        approvals.log.shutdown(ANSWERED).await.unwrap();
        approvals.settle().await;
        let lines = sinks[at].lines();
        let created: Vec<_> =
            lines.iter().filter(|line| line.contains("approval_created")).collect();
        assert_eq!(created.len(), 20);
        assert_eq!(store.lines(streams[at], 0).await.unwrap(), []);
    }
}

/// One after the other each, and many at a time together, and one that asks again.
#[tokio::test]
async fn whoever_has_asked_finds_it_in_the_log_once() {
    let sink = MemorySink::new();
    let (approvals, _) = approvals(sink.clone());
    let in_the_log = || approvals.in_the_log.load(Ordering::SeqCst);
    for number in 1..=3 {
        let (opened, recorded) = approvals.ask(escalation(number, NOW)).await.unwrap();
        assert!(opened.is_new && recorded.is_ok());
        // Nobody can approve it, so it is decided as well.
        assert_eq!(u128::from(in_the_log()), 2 * number);
    }
    // Another look was faster.
    let lines = approvals.store().lines("", 0).await.unwrap();
    assert!(lines.len() == 6 && approvals.goes_on(lines).await);
    let (_, recorded) = approvals.ask(escalation(3, NOW)).await.unwrap();
    assert!(recorded.is_ok());
    let mut asking = tokio::task::JoinSet::new();
    for number in 4..=150 {
        let approvals = Arc::clone(&approvals);
        asking.spawn(async move { approvals.ask(escalation(number, NOW)).await.unwrap().1 });
    }
    assert!(asking.join_all().await.iter().all(Result::is_ok));
    approvals.log.shutdown(ANSWERED).await.unwrap();
    let lines = sink.lines();
    for number in 1_u128..=150 {
        let id = EscalationId::from_random(number.to_be_bytes());
        let id = format!("\"{id}\"");
        for about in ["approval_created", "approval_decided"] {
            let of = |line: &&String| line.contains(&id) && line.contains(about);
            assert_eq!(lines.iter().filter(of).count(), 1, "{about} {id}");
        }
    }
}
