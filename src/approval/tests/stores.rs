//! What every store of approvals is tested with.

use super::*;
use std::sync::Arc;

/// Which terms an escalation of the tests has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Two of three must approve, one can reject.
    Two,
    /// Nobody is asked.
    Nobody,
    /// Two of three, and time approves.
    Time,
}

pub(crate) fn terms_by(by: By) -> Terms {
    let strategy = if by == By::Nobody { Strategy::AutoAllow } else { Strategy::HumanQuorum };
    let action =
        if by == By::Time { TimeoutAction::AutoApprove } else { TimeoutAction::AutoReject };
    Terms {
        min_approvals: 2,
        allow_unattended: true,
        timeout_action: action,
        ..terms(strategy, three())
    }
}

/// Asks for the call number `call` so many seconds after the start, with the id number `id`.
pub(crate) fn asking(by: By, call: u8, id: u64, after: i64) -> Arc<Asking> {
    asking_of(by, call, id, after, "local:1")
}

pub(crate) fn asking_of(by: By, call: u8, id: u64, after: i64, principal: &str) -> Arc<Asking> {
    let shown = Shown { text: format!("{{\"call\": {call}}}").into(), salt: [call; 16] };
    let mut asked = Asked {
        id: id_of(id),
        created_at: seconds(after),
        shown: shown.digest(),
        ..asked(terms_by(by))
    };
    asked.binding.arguments = Fingerprint::Sha256([call; 32]);
    asked.binding.principal = principal.into();
    let escalation = Escalation::new(asked).unwrap();
    Arc::new(Asking { escalation, shown, stream: "".into() })
}

pub(crate) fn id_of(id: u64) -> EscalationId {
    EscalationId::from_random((u128::from(id) << 64 | 7).to_be_bytes())
}

pub(crate) fn vote_of(escalation: &Escalation, who: &str, choice: Choice, after: i64) -> Vote {
    cast(escalation, who, choice, after).vote
}

pub(crate) fn presentation(escalation: &Escalation) -> Arc<Presentation> {
    Arc::new(Presentation {
        binding: escalation.binding().clone(),
        terms: escalation.terms().clone(),
        severity: escalation.severity(),
    })
}

pub(crate) fn at_second(after: i64) -> Timestamp {
    seconds(after)
}

/// Lets it run beside the test, which holds its handle.
#[expect(clippy::disallowed_methods, reason = "the handle is what is returned")]
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(task)
}

/// What any store promises of its bounds; `open` makes an empty one.
#[expect(clippy::cognitive_complexity, reason = "one story, from empty to full and back")]
pub(crate) async fn keeps_its_bounds(open: impl Fn(ApprovalBounds) -> Arc<dyn ApprovalStore>) {
    let ttl = i64::try_from(TTL).unwrap();
    let store = open(ApprovalBounds::default().max_rows(8));
    let ask = |id: u64, principal: &str, after: i64| {
        let asking = asking_of(By::Two, 1, id, after, principal);
        store.ask(asking, at_second(after))
    };
    let ask_other = |call: u8, id: u64, principal: &str, after: i64| {
        let asking = asking_of(By::Two, call, id, after, principal);
        store.ask(asking, at_second(after))
    };
    assert!(ask(1, "a", 0).await.unwrap().is_new);
    assert!(ask_other(2, 2, "a", 1).await.unwrap().is_new);
    assert_eq!(ask_other(3, 3, "a", 1).await, Err(StoreError::Full), "a quarter is two");
    assert!(!ask(4, "a", 1).await.unwrap().is_new, "what is there is found all the same");
    // Over, but the log does not have their lines yet.
    assert_eq!(ask_other(3, 3, "a", ttl + 1).await, Err(StoreError::Full));
    let lines = store.lines("", 0).await.unwrap();
    store.recorded("", lines[0].number).await.unwrap();
    assert!(ask_other(3, 3, "a", ttl + 1).await.unwrap().is_new);
    assert_eq!(store.read(id_of(1)).await.unwrap(), None, "the oldest has gone");
    assert!(store.read(id_of(2)).await.unwrap().is_some());

    for (number, principal) in ["b", "b", "c", "c", "d", "d"].into_iter().enumerate() {
        let (call, id) = (u8::try_from(number).unwrap(), 10 + u64::try_from(number).unwrap());
        assert!(ask_other(call, id, principal, ttl + 2).await.unwrap().is_new);
    }
    assert_eq!(ask(20, "e", ttl + 2).await, Err(StoreError::Full), "eight are all");
    store.recorded("", u64::MAX).await.unwrap();
    assert!(ask(20, "e", ttl + 2).await.unwrap().is_new, "the second has gone");

    // What has been over for a week goes of itself.
    store.recorded("", u64::MAX).await.unwrap();
    let week = 7 * 24 * 3600;
    assert!(ask(30, "f", 2 * ttl + 2 + week).await.unwrap().is_new);
    for id in [3, 10, 15, 20] {
        assert_eq!(store.read(id_of(id)).await.unwrap(), None, "{id}");
    }

    let len = asking(By::Two, 1, 1, 0).bytes();
    let store = open(ApprovalBounds::default().max_bytes(len * 4 + 3));
    let asked = asking(By::Two, 1, 1, 0);
    assert!(store.ask(asked.clone(), at_second(0)).await.unwrap().is_new);
    let more = asking(By::Two, 2, 2, 0);
    assert_eq!(store.ask(more, at_second(0)).await, Err(StoreError::Full), "a quarter is one");
    let store = open(ApprovalBounds::default().max_bytes(len * 8));
    store.ask(asked.clone(), at_second(0)).await.unwrap();
    store.vote(vote_of(&asked.escalation, "bo", Choice::Approve, 1), at_second(1)).await.unwrap();
    let more = asking(By::Two, 2, 2, 1);
    assert_eq!(store.ask(more, at_second(1)).await, Err(StoreError::Full), "votes count as well");
}

/// What any store promises of what was used before it is over: it makes room, and stays used.
#[expect(clippy::cognitive_complexity, reason = "one story, from the first use to the last")]
pub(crate) async fn what_was_used_makes_room(store: Arc<dyn ApprovalStore>) {
    // The store takes two of one principal.
    let asking = |call: u8, id: u64| asking_of(By::Nobody, call, id, 0, "a");
    let spend = |call: u8, id: u64| {
        let presented = presentation(&asking(call, id).escalation);
        store.spend(id_of(id), presented, Moment::at(at_second(1)))
    };
    let ask = |call: u8, id: u64| store.ask(asking(call, id), at_second(1));
    for id in 1..=40 {
        let call = u8::try_from(id).unwrap();
        assert!(ask(call, id).await.unwrap().is_new, "{id}");
        assert!(spend(call, id).await.unwrap().is_ok(), "{id}");
        store.recorded("", u64::MAX).await.unwrap();
    }
    assert_eq!(store.read(id_of(1)).await.unwrap(), None, "the first has gone");
    assert_eq!(spend(1, 1).await.unwrap(), Err(Unspendable::Unknown), "and is not used again");
    assert_eq!(spend(40, 40).await.unwrap(), Err(Unspendable::Spent));
    // The same call is asked about anew, under another id, and the old id stays without use.
    assert!(ask(1, 101).await.unwrap().is_new);
    assert_eq!(spend(1, 1).await.unwrap(), Err(Unspendable::Unknown));
    assert!(spend(1, 101).await.unwrap().is_ok());

    // What the log does not have yet stays, and so does what can still be used.
    assert!(ask(2, 102).await.unwrap().is_new);
    assert_eq!(ask(3, 103).await, Err(StoreError::Full));
    store.recorded("", u64::MAX).await.unwrap();
    assert!(ask(3, 103).await.unwrap().is_new);
    assert_eq!(store.read(id_of(101)).await.unwrap(), None);
    store.recorded("", u64::MAX).await.unwrap();
    assert_eq!(ask(4, 104).await, Err(StoreError::Full), "two grants wait for their use");
    assert!(spend(2, 102).await.unwrap().is_ok());
    assert!(spend(3, 103).await.unwrap().is_ok());
    // The one that was used first goes first, for another caller as well.
    for (number, principal) in ["b", "b", "c", "c", "d", "d"].into_iter().enumerate() {
        let (call, id) = (u8::try_from(number).unwrap(), 200 + u64::try_from(number).unwrap());
        let asking = asking_of(By::Two, call, id, 0, principal);
        assert!(store.ask(asking, at_second(1)).await.unwrap().is_new);
    }
    let of_e = |id: u64| store.ask(asking_of(By::Two, 1, id, 0, "e"), at_second(1));
    assert!(of_e(300).await.unwrap().is_new);
    assert_eq!(store.read(id_of(102)).await.unwrap(), None);
}

/// What people have rejected is not asked about again for want of room; what nobody was asked is.
#[expect(clippy::cognitive_complexity, reason = "one story, from nobody's answer to people's")]
pub(crate) async fn a_rejection_stays(store: Arc<dyn ApprovalStore>) {
    let ask = |call: u8, id: u64, strategy, set: Option<ApprovalSet>| {
        let mut asked = asked(Terms { approval_set: set, ..terms(strategy, three()) });
        (asked.id, asked.binding.arguments) = (id_of(id), Fingerprint::Sha256([call; 32]));
        let shown = Shown { text: "{}".into(), salt: [1; 16] };
        asked.shown = shown.digest();
        let escalation = Escalation::new(asked).unwrap();
        store.ask(Arc::new(Asking { escalation, shown, stream: "".into() }), at_second(0))
    };
    let set = || Some(ApprovalSet { members: three() });
    for id in 1..=20 {
        let call = u8::try_from(id).unwrap();
        let (strategy, set) = if id % 2 == 0 {
            (Strategy::AutoAllow, set())
        } else {
            (Strategy::SingleApprover, None)
        };
        let kept = ask(call, id, strategy, set).await.unwrap().kept;
        assert_eq!(kept.status(), Status::Rejected);
        store.recorded("", u64::MAX).await.unwrap();
    }
    for (call, id) in [(101, 101), (102, 102)] {
        let kept = ask(call, id, Strategy::SingleApprover, set()).await.unwrap().kept;
        let no = vote_of(&kept.escalation, "bo", Choice::Reject, 1);
        assert!(matches!(store.vote(no, at_second(1)).await, Ok(Voted::Counted(_))));
        store.recorded("", u64::MAX).await.unwrap();
    }
    let third = ask(103, 103, Strategy::SingleApprover, set()).await;
    assert_eq!(third, Err(StoreError::Full));
    let again = ask(101, 104, Strategy::SingleApprover, set()).await.unwrap();
    assert_eq!((again.is_new, again.kept.status()), (false, Status::Rejected));
}

/// What any store promises to those who wait.
#[expect(clippy::cognitive_complexity, reason = "one story, from the first change to the end")]
pub(crate) async fn wakes_who_waits(store: Arc<dyn ApprovalStore>) {
    let asked = asking(By::Two, 1, 1, 0);
    let id = asked.escalation.id();
    // Whoever waits for something that is not there yet is told of it when it comes.
    let waits = spawn(store.changed(id, 0));
    let version = store.ask(asked.clone(), at_second(0)).await.unwrap().kept.version;
    assert_eq!(waits.await.unwrap().unwrap().version, version);
    let latest = store.stirred(0).await.unwrap();
    assert_eq!(store.stirred(0).await, Ok(latest), "whoever was not told is told as well");

    let mut waits = std::pin::pin!(store.changed(id, version));
    let mut log = std::pin::pin!(store.stirred(latest));
    let mut other_log = std::pin::pin!(store.stirred(latest));
    assert!(
        futures::poll!(waits.as_mut()).is_pending() && futures::poll!(log.as_mut()).is_pending()
    );
    assert!(futures::poll!(other_log.as_mut()).is_pending());
    // A change of another wakes the log, and not who waits for this one.
    store.ask(asking(By::Two, 2, 2, 0), at_second(0)).await.unwrap();
    // One change, and both who wait for any are told of it.
    let latest = log.await.unwrap();
    assert_eq!(other_log.await, Ok(latest));
    store.vote(vote_of(&asked.escalation, "bo", Choice::Approve, 1), at_second(1)).await.unwrap();
    let seen = waits.await.unwrap();
    assert_eq!(seen.casts.len(), 1);
    // Where it has another version, nobody waits.
    assert_eq!(store.changed(id, version).await.unwrap(), seen);

    let waits = spawn(store.changed(id, seen.version));
    let log = {
        let latest = store.stirred(latest).await.unwrap();
        spawn(store.stirred(latest))
    };
    tokio::task::yield_now().await;
    drop(store);
    assert_eq!(waits.await.unwrap(), Err(StoreError::Closed));
    assert_eq!(log.await.unwrap(), Err(StoreError::Closed));
}

#[tokio::test]
async fn memory_keeps_its_bounds() {
    keeps_its_bounds(|bounds| Arc::new(MemoryApprovals::new(bounds))).await;
}

#[tokio::test]
async fn memory_makes_room_with_what_was_used() {
    let bounds = ApprovalBounds::default().max_rows(8);
    what_was_used_makes_room(Arc::new(MemoryApprovals::new(bounds))).await;
    a_rejection_stays(Arc::new(MemoryApprovals::new(bounds))).await;
}

/// What any store promises of what is overdue: page by page, each is reached once.
pub(crate) async fn gives_all_that_is_overdue(store: Arc<dyn ApprovalStore>) {
    for id in 0..230 {
        // Many at the same time.
        let after = if id % 2 == 0 { 0 } else { i64::try_from(id % 7).unwrap() };
        let asking = asking_of(By::Time, 1, id, after, &id.to_string());
        assert!(store.ask(asking, at_second(0)).await.unwrap().is_new);
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.overdue("", after, at_second(1000)).await.unwrap();
        assert_eq!(store.overdue("other", after, at_second(1000)).await.unwrap(), []);
        found.extend(page.iter().map(Kept::overdue));
        let Some(last) = page.last().filter(|_| page.len() == 100) else { break };
        after = Some(last.overdue());
    }
    assert!(found.is_sorted_by(|one, next| one < next), "the oldest first, and none twice");
    assert_eq!(found.len(), 230);
    let ttl = i64::try_from(TTL).unwrap();
    let due = store.overdue("", Some(found[9]), at_second(ttl)).await.unwrap();
    assert!(due.len() == 100 && due.iter().all(|kept| kept.overdue().since == at_second(ttl)));
}

#[tokio::test]
async fn memory_gives_all_that_is_overdue() {
    gives_all_that_is_overdue(Arc::new(MemoryApprovals::default())).await;
}

#[tokio::test]
async fn memory_wakes_who_waits() {
    wakes_who_waits(Arc::new(MemoryApprovals::default())).await;
}

fn key_of_one() -> CallKey {
    asking(By::Two, 1, 1, 0).escalation.binding().call_key().unwrap()
}

fn round(number: u8) -> RoundId {
    RoundId::from_random([number; 16])
}

fn next_round(share: u8, state: Option<&str>) -> NextRound {
    NextRound {
        call: key_of_one(),
        share: [share; 32],
        escalation: id_of(1),
        until: at_second(10),
        about: RoundAbout::Tool(state.map(Into::into)),
    }
}

/// What any store promises of rounds that may come.
#[expect(clippy::cognitive_complexity, reason = "one story, from keeping to taking")]
pub(crate) async fn gives_each_round_once(store: Arc<dyn ApprovalStore>) {
    let (one, now) = (key_of_one(), at_second(1));
    let other = asking(By::Two, 2, 2, 0).escalation.binding().call_key().unwrap();
    store.expect_round(round(1), Arc::new(next_round(1, Some("w"))), now).await.unwrap();
    let taken = store.take_round(round(1), other, now).await.unwrap();
    assert_eq!(taken, TakenRound::OtherCall(id_of(1)), "and it is still there");
    assert_eq!(store.take_round(round(2), one, now).await.unwrap(), TakenRound::None);
    let both = [store.take_round(round(1), one, now), store.take_round(round(1), one, now)];
    let mut both = futures::future::try_join_all(both).await.unwrap();
    both.sort_by_key(|taken| *taken == TakenRound::None);
    let its = TakenRound::This(id_of(1), RoundAbout::Tool(Some("w".into())));
    assert_eq!(both, [its, TakenRound::None]);

    let asked = NextRound { about: RoundAbout::Approval, ..next_round(1, None) };
    store.expect_round(round(3), Arc::new(asked), now).await.unwrap();
    store.expect_round(round(4), Arc::new(next_round(1, None)), now).await.unwrap();
    for late in [one, other] {
        assert_eq!(store.take_round(round(3), late, at_second(10)).await, Ok(TakenRound::None));
    }
    let taken = store.take_round(round(3), one, now).await.unwrap();
    assert_eq!(taken, TakenRound::This(id_of(1), RoundAbout::Approval));
    let taken = store.take_round(round(4), one, now).await.unwrap();
    assert_eq!(taken, TakenRound::This(id_of(1), RoundAbout::Tool(None)));
}

/// What any store promises of how many there are.
pub(crate) async fn bounds_the_rounds(store: Arc<dyn ApprovalStore>) {
    // A quarter of 64 MiB is 255 of the longest, with what each takes besides.
    let long = "w".repeat(NextRound::MAX_STATE);
    let keep = |number: u8, share: u8, at: i64| {
        let next = NextRound { until: at_second(at + 10), ..next_round(share, Some(&long)) };
        store.expect_round(round(number), Arc::new(next), at_second(at))
    };
    for number in 0..255 {
        keep(number, 1, 1).await.unwrap();
    }
    assert_eq!(keep(255, 1, 1).await, Err(StoreError::Full));
    keep(255, 2, 1).await.unwrap();
    store.take_round(round(0), key_of_one(), at_second(1)).await.unwrap();
    keep(0, 1, 1).await.unwrap();
    assert_eq!(keep(100, 1, 1).await, Err(StoreError::Full));
    // What is over makes room.
    store.take_round(round(255), key_of_one(), at_second(1)).await.unwrap();
    keep(255, 1, 11).await.unwrap();
}

#[tokio::test]
async fn memory_gives_each_round_once_and_bounds_them() {
    gives_each_round_once(Arc::new(MemoryApprovals::default())).await;
    bounds_the_rounds(Arc::new(MemoryApprovals::default())).await;
}
