//! Approvals whose store fails, hangs, panics, is full, damaged or gone, and clocks that step: no call
//! runs without its grant, and all goes on when the trouble is over.

use crate::approving::{
    HELD, Sent, approve, arguments, closed, id_of, listed, logged, pending, policy, send, vote,
    with_token,
};
use crate::drive::{House, denial};
use crate::machine::Mount;
use crate::support::{ask_in, eventually, soon};
use crate::transport::layered;
use rmcp::model::CallToolResponse;
use rmcp::{ErrorData, ServerHandler};
use rusqlite::Connection;
use sec0::approval::{
    Answer, ApprovalBounds, ApprovalStore, Asking, CallKey, Choice, EscalationId, Kept, Line,
    MemoryApprovals, Moment, NextRound, Opened, Overdue, Presentation, RoundId, Spent, Statement,
    StoreError, TakenRound, Unspendable, Vote, Voted,
};
use sec0::clock::{Manual, System, Timestamp};
use sec0::mcp::detached_context;
use sec0::store::sqlite::{FILE, SqliteApprovals};
use sec0::{LocalDevSigner, Sec0SecurityLayer};
use serde_json::{Value, json};
use std::future::{pending as never, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// The ways in which a store lets one down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Fails,
    Hangs,
    PanicsAtOnce,
    PanicsWhenPolled,
}

const TROUBLES: [Trouble; 4] =
    [Trouble::Fails, Trouble::Hangs, Trouble::PanicsAtOnce, Trouble::PanicsWhenPolled];

/// A store that is in trouble for as long as it is told to be.
#[derive(Debug, Clone)]
struct FaultyStore {
    inner: MemoryApprovals,
    trouble: watch::Sender<Option<Trouble>>,
    /// How often somebody has met it.
    met: Arc<AtomicUsize>,
    /// How many calls have been held.
    held: Arc<AtomicUsize>,
}

impl FaultyStore {
    fn new() -> Self {
        let (inner, trouble) = (MemoryApprovals::default(), watch::Sender::new(None));
        Self { inner, trouble, met: Arc::default(), held: Arc::default() }
    }

    fn answer<T: Send + 'static>(&self, sound: impl FnOnce() -> Answer<T>) -> Answer<T> {
        let trouble = *self.trouble.borrow();
        if trouble.is_some() {
            self.met.fetch_add(1, Ordering::SeqCst);
        }
        trouble.map_or_else(sound, fault)
    }

    /// The vote of bo, who needs no sound store.
    async fn approve(&self, id: &str) {
        let id = id.parse().unwrap();
        let kept = self.inner.read(id).await.unwrap().unwrap();
        let now = System::shared().wall();
        let statement = Statement::new(&kept.escalation, "bo", Choice::Approve, now, "");
        let sig = LocalDevSigner::from_seed([2; 32]).sign_now(&statement.bytes().unwrap());
        let vote = Vote::new(&statement, "", sig).unwrap();
        assert!(matches!(self.inner.vote(vote, now).await, Ok(Voted::Counted(_))));
    }
}

fn fault<T: Send + 'static>(trouble: Trouble) -> Answer<T> {
    match trouble {
        Trouble::Fails => Box::pin(ready(Err(StoreError::Failed("it is away".into())))),
        Trouble::Hangs => Box::pin(never()),
        Trouble::PanicsAtOnce => panic!("the store panics"),
        Trouble::PanicsWhenPolled => Box::pin(async { panic!("the store panics") }),
    }
}

impl ApprovalStore for FaultyStore {
    fn ask(&self, asking: Arc<Asking>, now: Timestamp) -> Answer<Opened> {
        self.answer(|| self.inner.ask(asking, now))
    }

    fn read(&self, id: EscalationId) -> Answer<Option<Kept>> {
        self.answer(|| self.inner.read(id))
    }

    /// Trouble reaches whoever waits already; one who hangs waits on when it is over.
    fn changed(&self, id: EscalationId, seen: u64) -> Answer<Kept> {
        let (store, mut trouble) = (self.clone(), self.trouble.subscribe());
        self.held.fetch_add(1, Ordering::SeqCst);
        self.answer(|| {
            Box::pin(async move {
                let mut changed = store.inner.changed(id, seen);
                loop {
                    let now = *trouble.borrow_and_update();
                    match now {
                        Some(Trouble::Hangs) => trouble.changed().await.unwrap(),
                        Some(now) => return fault(now).await,
                        None => tokio::select! {
                            kept = &mut changed => return kept,
                            begun = trouble.changed() => begun.unwrap(),
                        },
                    }
                }
            })
        })
    }

    fn vote(&self, vote: Vote, now: Timestamp) -> Answer<Voted> {
        self.answer(|| self.inner.vote(vote, now))
    }

    fn settle(&self, id: EscalationId, moment: Moment) -> Answer<Option<Kept>> {
        self.answer(|| self.inner.settle(id, moment))
    }

    fn spend(
        &self,
        id: EscalationId,
        presentation: Arc<Presentation>,
        moment: Moment,
    ) -> Answer<Result<Spent, Unspendable>> {
        self.answer(|| self.inner.spend(id, presentation, moment))
    }

    fn overdue(&self, stream: &str, after: Option<Overdue>, now: Timestamp) -> Answer<Vec<Kept>> {
        self.answer(|| self.inner.overdue(stream, after, now))
    }

    fn lines(&self, stream: &str, after: u64) -> Answer<Vec<Line>> {
        self.answer(|| self.inner.lines(stream, after))
    }

    fn recorded(&self, stream: &str, up_to: u64) -> Answer<()> {
        self.answer(|| self.inner.recorded(stream, up_to))
    }

    fn stirred(&self, seen: u64) -> Answer<u64> {
        self.answer(|| self.inner.stirred(seen))
    }

    fn expect_round(&self, id: RoundId, next: Arc<NextRound>, now: Timestamp) -> Answer<()> {
        self.answer(|| self.inner.expect_round(id, next, now))
    }

    fn take_round(&self, id: RoundId, call: CallKey, now: Timestamp) -> Answer<TakenRound> {
        self.answer(|| self.inner.take_round(id, call, now))
    }

    fn is_durable(&self) -> bool {
        false
    }
}

/// Sends the call while the store is in trouble. It does not run, and may come again.
async fn fails<S: ServerHandler>(
    server: &S,
    arguments: Value,
    token: Option<&str>,
    trouble: Trouble,
) {
    let mut context = detached_context();
    if let Some(token) = token {
        context.meta.0.0.insert("sec0/approvalToken".to_owned(), token.into());
    }
    let answer = ask_in(server, "write_file", arguments, context).await;
    is_no_answer(answer, trouble);
}

/// A refusal that says why, whatever the trouble.
fn is_no_answer(answer: Result<CallToolResponse, ErrorData>, trouble: Trouble) {
    match answer {
        Ok(CallToolResponse::Complete(result)) => is_unavailable(&denial(&result)),
        other => panic!("{trouble:?}: not a complete result: {other:?}"),
    }
}

fn over(house: &House, store: &FaultyStore) -> Sec0SecurityLayer {
    Sec0SecurityLayer::try_new(house.options().approval_store(store.clone())).unwrap()
}

fn is_unavailable(refused: &Value) {
    assert_eq!(
        (&refused["reason"], &refused["executed"], &refused["retryable"]),
        (&json!("approval_unavailable"), &json!(false), &json!(true)),
        "{refused:#}"
    );
}

/// How each call ended: what permitted it or why it was refused, and whether it ran.
fn ends(records: &[Value]) -> Vec<(&str, bool)> {
    let end = |record: &'_ Value| record["executed"].as_bool().unwrap();
    records.iter().map(|it| (it["policy"]["reason"].as_str().unwrap_or(""), end(it))).collect()
}

#[tokio::test]
async fn a_call_that_asks_or_presents_while_the_store_is_in_trouble_is_refused_and_may_come_again()
{
    for trouble in TROUBLES {
        let (house, store) = (House::new(&policy("")), FaultyStore::new());
        let sec0 = over(&house, &store);
        let server = layered(&sec0);
        let call = arguments(&house, "a");
        let in_trouble = async |token| {
            store.trouble.send_replace(Some(trouble));
            // A store that hangs is waited for in no time.
            tokio::time::pause();
            fails(&server, call.clone(), token, trouble).await;
            tokio::time::resume();
            store.trouble.send_replace(None);
        };
        in_trouble(None).await;
        let id = id_of(&denial(&send(&server, call.clone(), Sent::default()).await));
        store.approve(&id).await;
        in_trouble(Some(&id)).await;
        assert!(!house.path("written").exists(), "{trouble:?}");
        let run = send(&server, call.clone(), with_token(&id)).await;
        assert_ne!(run.is_error, Some(true), "{trouble:?} {run:?}");
        let (records, _) = closed(&house, &sec0).await;
        let refused = ("approval_unavailable", false);
        let ends = ends(&records);
        assert_eq!((ends[0], ends[2]), (refused, refused), "{trouble:?}");
        let ran: Vec<_> = ends.into_iter().map(|(_, ran)| ran).collect();
        assert_eq!(ran, [false, false, false, true], "{trouble:?}");
    }
}

#[tokio::test]
async fn a_held_call_whose_store_gets_into_trouble_runs_with_its_grant_or_not_at_all() {
    for trouble in TROUBLES {
        let (house, store) = (House::new(&policy(HELD)), FaultyStore::new());
        let sec0 = over(&house, &store);
        let server = layered(&sec0);
        let call = arguments(&house, "a");
        let held = ask_in(&server, "write_file", call.clone(), detached_context());
        let (answer, id) = tokio::join!(soon(held), async {
            eventually(async || store.held.load(Ordering::SeqCst) > 0).await;
            let id = store.inner.overdue("", None, Timestamp::from_millis(i64::MAX)).await.unwrap();
            let id = id[0].escalation.id().to_string();
            store.trouble.send_replace(Some(trouble));
            store.approve(&id).await;
            tokio::task::yield_now().await;
            if trouble == Trouble::Hangs {
                store.trouble.send_replace(None);
            }
            id
        });
        if trouble == Trouble::Hangs {
            assert!(answer.is_ok() && house.path("written").exists(), "{answer:?}");
        } else {
            is_no_answer(answer, trouble);
            assert!(!house.path("written").exists(), "{trouble:?}");
            store.trouble.send_replace(None);
            // The approval that came meanwhile is not lost.
            let run = send(&server, call.clone(), with_token(&id)).await;
            assert_ne!(run.is_error, Some(true), "{trouble:?} {run:?}");
        }
        let again = send(&server, call, with_token(&id)).await;
        assert_eq!(denial(&again)["reason"], "approval_invalid", "{trouble:?}");
        closed(&house, &sec0).await;
    }
}

#[tokio::test]
async fn a_vote_is_recorded_without_a_call_when_the_trouble_of_the_store_is_over() {
    for trouble in TROUBLES {
        let (house, store) = (House::new(&policy("")), FaultyStore::new());
        let sec0 = over(&house, &store);
        let server = layered(&sec0);
        let id = id_of(&denial(&send(&server, arguments(&house, "a"), Sent::default()).await));
        store.trouble.send_replace(Some(trouble));
        store.approve(&id).await;
        // The thread that looks after approvals meets it.
        let met = store.met.load(Ordering::SeqCst);
        within(async || store.met.load(Ordering::SeqCst) > met).await;
        store.trouble.send_replace(None);
        within(async || logged(&house).contains("approval_vote")).await;
        closed(&house, &sec0).await;
    }
}

/// Asks again until it holds. A turn that hangs is given up after seconds.
async fn within(holds: impl AsyncFn() -> bool) {
    let until = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(until).await;
}

#[tokio::test]
async fn a_start_records_more_lines_than_the_log_takes_at_once() {
    const LINES: usize = 3000;
    let house = House::new(&policy("approval_strategy: auto_allow, allow_unattended: true"));
    let sec0 = house.layer();
    let server = layered(&sec0);
    // The log has these lines, and the store does not know.
    let store = Connection::open(house.audit().join(FILE)).unwrap();
    assert_ne!(send(&server, arguments(&house, "a"), Sent::default()).await.is_error, Some(true));
    closed(&house, &sec0).await;
    drop((server, sec0));
    let before = house.events().len();
    store.busy_timeout(Duration::from_secs(5)).unwrap();
    let one = house.events().into_iter().find(|it| it["event"] == "approval_created").unwrap();
    let body = one["escalation"].to_string();
    store.execute_batch("BEGIN").unwrap();
    for _ in 0..LINES {
        store
            .execute(
                "INSERT INTO approval_lines (stream, approval, id, at, about, body) \
                 SELECT stream, number, id, 0, 0, ?1 FROM approvals",
                [&body],
            )
            .unwrap();
    }
    store.execute_batch("COMMIT").unwrap();
    drop(store);
    let sec0 = house.layer();
    closed(&house, &sec0).await;
    assert_eq!(house.events().len(), before + LINES);
}

#[tokio::test]
async fn a_store_without_room_on_its_disk_runs_nothing_until_there_is_some() {
    let house = House::new(&policy(""));
    let Some(mount) = Mount::on(&house.path("small"), "1m") else { return };
    let store = SqliteApprovals::open(&house.path("small"), ApprovalBounds::default()).unwrap();
    let layer = house.options().approval_store(store);
    let sec0 = Sec0SecurityLayer::try_new(layer).unwrap();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let id = id_of(&denial(&send(&server, call.clone(), Sent::default()).await));
    let desk = sec0::store::sqlite::ApprovalDesk::open(&house.path("small")).unwrap();
    let kept = desk.show(id.parse().unwrap()).unwrap().unwrap().kept;
    let now = System::shared().wall();
    let statement = Statement::new(&kept.escalation, "bo", Choice::Approve, now, "");
    let sig = LocalDevSigner::from_seed([2; 32]).sign_now(&statement.bytes().unwrap());
    desk.vote(Vote::new(&statement, "", sig).unwrap(), now).unwrap();

    let ballast = mount.fill();
    is_unavailable(&denial(&send(&server, arguments(&house, "b"), Sent::default()).await));
    is_unavailable(&denial(&send(&server, call.clone(), with_token(&id)).await));
    assert!(!house.path("written").exists());
    std::fs::remove_file(ballast).unwrap();
    let run = send(&server, call.clone(), with_token(&id)).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    let again = denial(&send(&server, call, with_token(&id)).await);
    assert_eq!(again["reason"], "approval_invalid");
    id_of(&denial(&send(&server, arguments(&house, "b"), Sent::default()).await));
    drop(desk);
    closed(&house, &sec0).await;
}

#[tokio::test]
async fn a_damaged_row_permits_nothing_and_harms_no_other_call() {
    let house = House::new(&policy(""));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let id = id_of(&denial(&send(&server, call.clone(), Sent::default()).await));
    approve(&house, &id, "bo");
    let file = Connection::open(house.audit().join(FILE)).unwrap();
    file.busy_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(file.execute("UPDATE approvals SET escalation = escalation || ' '", ()).unwrap(), 1);
    is_unavailable(&denial(&send(&server, call.clone(), with_token(&id)).await));
    // Nothing stands in the way of another question about the same call.
    let anew = denial(&send(&server, call.clone(), Sent::default()).await);
    assert_eq!(anew["reason"], "approval_required", "{anew:#}");
    assert_ne!(id_of(&anew), id);
    let other = arguments(&house, "b");
    let other_id = id_of(&denial(&send(&server, other.clone(), Sent::default()).await));
    approve(&house, &other_id, "bo");
    let run = send(&server, other, with_token(&other_id)).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    file.execute("UPDATE approvals SET escalation = rtrim(escalation)", ()).unwrap();
    drop(file);
    let run = send(&server, call, with_token(&id)).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    assert_eq!(std::fs::read_to_string(house.path("written")).unwrap(), "a");
    closed(&house, &sec0).await;
}

#[tokio::test]
async fn a_damaged_line_is_passed_over_and_permits_nothing() {
    let house = House::new(&policy(""));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let [a, b] = ["a", "b"].map(|text| arguments(&house, text));
    let mut ids = Vec::new();
    for call in [&a, &b] {
        ids.push(id_of(&denial(&send(&server, call.clone(), Sent::default()).await)));
    }
    closed(&house, &sec0).await;
    drop((server, sec0));
    for id in &ids {
        approve(&house, id, "bo");
    }
    let file = Connection::open(house.audit().join(FILE)).unwrap();
    let damage = "UPDATE approval_lines SET body = '{' WHERE about = 1 AND hex(id) = upper(?1)";
    assert_eq!(file.execute(damage, [&ids[0]]).unwrap(), 1);
    drop(file);
    let sec0 = house.layer();
    let server = layered(&sec0);
    is_unavailable(&denial(&send(&server, a, with_token(&ids[0])).await));
    let run = send(&server, b, with_token(&ids[1])).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    assert_eq!(std::fs::read_to_string(house.path("written")).unwrap(), "b");
    let (_, events) = closed(&house, &sec0).await;
    let about = |id: &str| {
        let of = |it: &&Value| it["escalation_id"] == id;
        events.iter().filter(of).map(|it| it["event"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(about(&ids[0]), ["approval_created"]);
    assert_eq!(about(&ids[1]), ["approval_created", "approval_vote", "approval_decided"]);
}

#[tokio::test]
async fn a_store_that_was_removed_permits_nothing_until_the_next_start_makes_another() {
    let house = House::new(&policy(""));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let id = id_of(&denial(&send(&server, call.clone(), Sent::default()).await));
    approve(&house, &id, "bo");
    for end in ["", "-wal", "-shm"] {
        std::fs::remove_file(house.audit().join(format!("{FILE}{end}"))).unwrap();
    }
    // Nobody could find what is asked now.
    is_unavailable(&denial(&send(&server, arguments(&house, "b"), Sent::default()).await));
    is_unavailable(&denial(&send(&server, call.clone(), with_token(&id)).await));
    drop(server);
    closed(&house, &sec0).await;
    drop(sec0);
    let sec0 = house.layer();
    let server = layered(&sec0);
    let unknown = denial(&send(&server, call.clone(), with_token(&id)).await);
    assert_eq!(unknown["reason"], "approval_invalid");
    let id = id_of(&denial(&send(&server, call.clone(), Sent::default()).await));
    approve(&house, &id, "bo");
    let run = send(&server, call, with_token(&id)).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    closed(&house, &sec0).await;
}

const HOUR: i64 = 3_600_000;

/// A clock at the hour that it is, and its steps.
fn stepping() -> (Arc<Manual>, impl Fn(i64)) {
    let now = System::shared().wall();
    let clock = Arc::new(Manual::at(now));
    let stepped = Arc::clone(&clock);
    (clock, move |by| stepped.set(Timestamp::from_millis(now.as_millis() + by)))
}

#[tokio::test]
async fn no_step_of_the_clock_approves_a_call_that_waits() {
    let house = House::new(&policy(
        "wait_ms: 3000, timeout_action: auto_approve, allow_unattended: true, ttl_seconds: 600",
    ));
    let (clock, step) = stepping();
    let sec0 = Sec0SecurityLayer::try_new(house.options().clock(clock)).unwrap();
    let server = layered(&sec0);
    let (refused, id) =
        tokio::join!(send(&server, arguments(&house, "a"), Sent::default()), async {
            let id = pending(&house).await;
            step(-HOUR);
            step(HOUR);
            id
        });
    let refused = denial(&refused);
    assert_eq!(
        (&refused["reason"], &refused["escalation_status"]),
        (&json!("approval_required"), &json!("timeout")),
        "{refused:#}"
    );
    let token = denial(&send(&server, arguments(&house, "a"), with_token(&id)).await);
    assert_eq!(token["reason"], "approval_pending", "{token:#}");
    assert_eq!(listed(&house, &id).kept.ended, None);
    assert!(!house.path("written").exists());
    closed(&house, &sec0).await;
}

#[tokio::test]
async fn a_step_of_the_clock_ends_a_call_that_waits_and_no_other_step_brings_it_back() {
    let house = House::new(&policy("wait_ms: 20000, ttl_seconds: 600"));
    let (clock, step) = stepping();
    let sec0 = Sec0SecurityLayer::try_new(house.options().clock(clock)).unwrap();
    let server = layered(&sec0);
    let (refused, id) =
        tokio::join!(send(&server, arguments(&house, "a"), Sent::default()), async {
            let id = pending(&house).await;
            step(HOUR);
            id
        });
    let refused = denial(&refused);
    assert_eq!(
        (&refused["reason"], &refused["escalation_status"]),
        (&json!("approval_expired"), &json!("expired")),
        "{refused:#}"
    );
    step(-HOUR);
    let late = vote(&house, &id, "bo", Choice::Approve);
    assert!(matches!(late, Voted::Not(_)), "{late:?}");
    let token = denial(&send(&server, arguments(&house, "a"), with_token(&id)).await);
    assert_eq!(token["reason"], "approval_expired", "{token:#}");
    assert!(!house.path("written").exists());
    closed(&house, &sec0).await;
}

#[tokio::test]
async fn a_call_that_waits_through_steps_of_the_clock_runs_when_it_is_approved() {
    let house = House::new(&policy(&format!("{HELD}, ttl_seconds: 600")));
    let (clock, step) = stepping();
    let sec0 = Sec0SecurityLayer::try_new(house.options().clock(clock)).unwrap();
    let server = layered(&sec0);
    let (run, ()) = tokio::join!(send(&server, arguments(&house, "a"), Sent::default()), async {
        let id = pending(&house).await;
        for by in [-HOUR, 0, -HOUR, 60_000] {
            step(by);
            tokio::task::yield_now().await;
        }
        approve(&house, &id, "bo");
    });
    assert_ne!(run.is_error, Some(true), "{run:?}");
    let (records, _) = closed(&house, &sec0).await;
    assert_eq!(records[0]["finalization_reason"], "approved_by_approver");
}

#[tokio::test]
async fn a_grant_is_refused_as_expired_while_the_clock_says_so() {
    let house = House::new(&policy("ttl_seconds: 600"));
    let (clock, step) = stepping();
    let sec0 = Sec0SecurityLayer::try_new(house.options().clock(clock)).unwrap();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let id = id_of(&denial(&send(&server, call.clone(), Sent::default()).await));
    approve(&house, &id, "bo");
    step(HOUR);
    let early = denial(&send(&server, call.clone(), with_token(&id)).await);
    assert_eq!(early["reason"], "approval_expired", "{early:#}");
    assert!(!house.path("written").exists());
    step(0);
    let run = send(&server, call, with_token(&id)).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    closed(&house, &sec0).await;
}
