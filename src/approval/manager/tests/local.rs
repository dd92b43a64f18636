use super::*;
use crate::approval::tests::{asked, terms, three};
use crate::approval::{
    Answer, ApprovalStore, Asking, CallKey, Escalation, EscalationId, Finalization, Kept, Line,
    Moment, NextRound, Opened, Overdue, Presentation, RoundId, Spent, StoreError, Strategy,
    TakenRound, Unspendable, Vote, Voted,
};
use std::fmt;
use tokio::sync::watch;

/// A store with one escalation, which can be read and watched.
struct One(watch::Sender<Kept>);

impl One {
    fn new() -> (Arc<Self>, String) {
        let escalation = Escalation::new(asked(terms(Strategy::HumanQuorum, three()))).unwrap();
        let id = escalation.id().to_string();
        let kept = Kept {
            escalation: Arc::new(escalation),
            casts: Vec::new(),
            ended: None,
            spent_at: None,
            version: 1,
        };
        (Arc::new(Self(watch::Sender::new(kept))), id)
    }

    fn end(&self, ended: Finalization) {
        self.0.send_modify(|kept| {
            kept.ended = Some(ended);
            kept.version += 1;
        });
    }
}

impl fmt::Debug for One {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("One")
    }
}

fn never<T: Send + 'static>() -> Answer<T> {
    Box::pin(async { Err(StoreError::Closed) })
}

impl ApprovalStore for One {
    fn read(&self, id: EscalationId) -> Answer<Option<Kept>> {
        let kept = self.0.borrow().clone();
        Box::pin(async move { Ok(Some(kept).filter(|kept| kept.escalation.id() == id)) })
    }

    fn changed(&self, _: EscalationId, seen: u64) -> Answer<Kept> {
        let mut kept = self.0.subscribe();
        Box::pin(async move {
            let changed = kept.wait_for(|kept| kept.version != seen).await;
            changed.map(|kept| kept.clone()).map_err(|_gone| StoreError::Closed)
        })
    }

    fn ask(&self, _: Arc<Asking>, _: Timestamp) -> Answer<Opened> {
        never()
    }

    fn vote(&self, _: Vote, _: Timestamp) -> Answer<Voted> {
        never()
    }

    fn settle(&self, _: EscalationId, _: Moment) -> Answer<Option<Kept>> {
        never()
    }

    fn spend(
        &self,
        _: EscalationId,
        _: Arc<Presentation>,
        _: Moment,
    ) -> Answer<Result<Spent, Unspendable>> {
        never()
    }

    fn expect_round(&self, _: RoundId, _: Arc<NextRound>, _: Timestamp) -> Answer<()> {
        never()
    }

    fn take_round(&self, _: RoundId, _: CallKey, _: Timestamp) -> Answer<TakenRound> {
        never()
    }

    fn overdue(&self, _: &str, _: Option<Overdue>, _: Timestamp) -> Answer<Vec<Kept>> {
        never()
    }

    fn lines(&self, _: &str, _: u64) -> Answer<Vec<Line>> {
        never()
    }

    fn recorded(&self, _: &str, _: u64) -> Answer<()> {
        never()
    }

    fn stirred(&self, _: u64) -> Answer<u64> {
        never()
    }

    fn is_durable(&self) -> bool {
        false
    }
}

fn manager_over(store: &Arc<One>) -> EscalationManager {
    let local = LocalApprovals::new(Arc::<One>::clone(store));
    EscalationManager::new(ManagerOptions::default().resolver(Arc::new(local)))
}

#[tokio::test]
async fn reads_an_escalation_of_the_store_for_its_tenant_alone() {
    let (store, id) = One::new();
    let manager = manager_over(&store);
    let tenant = store.0.borrow().escalation.binding().tenant.clone();
    for asked in [None, Some(&*tenant)] {
        let details = manager.get(&id, asked).await.unwrap().unwrap();
        assert_eq!((&*details.id, &*details.status), (&*id, "pending"));
        assert_eq!(details.expires_at, Some(store.0.borrow().escalation.expires_at()));
        assert_eq!(details.finalization_reason, None);
    }
    assert_eq!(manager.get(&id, Some("another")).await.unwrap(), None);
    for unknown in ["0123456789abcdef0123456789abcdef", "no id"] {
        assert_eq!(manager.get(unknown, None).await.unwrap(), None);
    }
}

#[tokio::test]
async fn takes_no_decision_without_a_key() {
    let (store, id) = One::new();
    let error = manager_over(&store).resolve(decision(&id)).await.unwrap_err();
    let cause = error.cause().unwrap().to_string();
    assert!(cause.starts_with("a vote needs the key of an approver"), "{cause}");
    assert_eq!(
        manager_over(&store).get(&id, None).await.unwrap().unwrap().status,
        "pending".into()
    );
}

#[tokio::test(start_paused = true)]
async fn hears_of_a_decision_at_once_and_reads_no_more_than_twice() {
    let (store, id) = One::new();
    let manager = manager_over(&store);
    let begun = Instant::now();
    let (resolution, ()) =
        tokio::join!(manager.wait_for_resolution(&id, WaitOptions::default()), async {
            tokio::time::sleep(ms(100_001)).await;
            store.end(Finalization::Vetoed);
        });
    let resolution = resolution.unwrap();
    assert_eq!(begun.elapsed(), ms(100_001));
    assert_eq!(resolution.status, ResolutionStatus::Rejected);
    assert_eq!(resolution.metadata.finalization_reason.as_deref(), Some("vetoed"));
    assert_eq!(resolution.metadata.attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn hears_of_nothing_until_the_time_is_up() {
    let (store, id) = One::new();
    let wait = WaitOptions::default().timeout(ms(5_000));
    let resolution = manager_over(&store).wait_for_resolution(&id, wait).await.unwrap();
    assert_eq!(resolution.status, ResolutionStatus::Timeout);
    assert_eq!((resolution.metadata.attempts, resolution.metadata.elapsed), (2, ms(5_000)));
}

/// Says at once, each time, that there is news, or fails or panics in place of that.
struct Restless(Act, Arc<Backend>);

impl EscalationResolver for Restless {
    fn get<'a>(
        &'a self,
        id: &'a str,
        tenant: Option<&'a str>,
    ) -> BackendAnswer<'a, Option<Details>> {
        self.1.get(id, tenant)
    }

    fn changed<'a>(&'a self, _: &'a Details) -> Option<BackendAnswer<'a, ()>> {
        match self.0 {
            Act::Fails(text) => Some(Box::pin(async move { Err(text.into()) })),
            Act::Panics => panic!("the backend of a test"),
            Act::Says(_) | Act::Nothing | Act::Hangs => Some(Box::pin(async { Ok(()) })),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_whose_news_are_none_is_polled() {
    let ends = || std::iter::repeat_n(Act::Says("pending"), 4).chain([Act::Says("approved")]);
    // Slept on after each news that were none, and asked for news again after each sleep.
    for (act, times) in [
        (Act::Nothing, vec![0, 0, 2_000, 2_000, 4_000]),
        (Act::Fails("503"), vec![0, 2_000, 4_000, 6_000, 8_000]),
        (Act::Panics, vec![0, 2_000, 4_000, 6_000, 8_000]),
    ] {
        let backend = Backend::of(ends());
        let resolver = Arc::new(Restless(act, Arc::clone(&backend)));
        let manager = EscalationManager::new(ManagerOptions::default().resolver(resolver));
        let waited = manager.wait_for_resolution("a", WaitOptions::default()).await.unwrap();
        assert_eq!(waited.status, ResolutionStatus::Approved);
        assert_eq!(backend.read_at(), times);
    }
}

/// Its news fail, but only after a while.
struct BreaksOff(Arc<Backend>);

impl EscalationResolver for BreaksOff {
    fn get<'a>(
        &'a self,
        id: &'a str,
        tenant: Option<&'a str>,
    ) -> BackendAnswer<'a, Option<Details>> {
        self.0.get(id, tenant)
    }

    fn changed<'a>(&'a self, _: &'a Details) -> Option<BackendAnswer<'a, ()>> {
        Some(Box::pin(async {
            tokio::time::sleep(ms(900)).await;
            Err("the line went dead".into())
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn news_that_break_off_do_not_make_a_wait_longer() {
    let backend = Backend::of([Act::Says("pending")]);
    let resolver = Arc::new(BreaksOff(Arc::clone(&backend)));
    let manager = EscalationManager::new(ManagerOptions::default().resolver(resolver));
    let wait = WaitOptions::default().timeout(ms(1_000));
    let waited = manager.wait_for_resolution("a", wait).await.unwrap();
    assert_eq!((waited.status, waited.metadata.elapsed), (ResolutionStatus::Timeout, ms(1_000)));
    assert_eq!(backend.read_at(), [0, 1_000]);
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_fails_does_not_end_the_listening() {
    let (store, id) = One::new();
    let flaky = Arc::new(Flaky(LocalApprovals::new(Arc::<One>::clone(&store)), Mutex::new(1)));
    let manager = EscalationManager::new(ManagerOptions::default().resolver(flaky));
    let (resolution, ()) =
        tokio::join!(manager.wait_for_resolution(&id, WaitOptions::default()), async {
            // Something that decides nothing, whose reading fails, and then the end.
            tokio::time::sleep(ms(100_000)).await;
            store.0.send_modify(|kept| kept.version += 1);
            tokio::time::sleep(ms(100_000)).await;
            store.end(Finalization::QuorumReached);
        });
    let metadata = resolution.unwrap().metadata;
    assert_eq!((metadata.attempts, metadata.elapsed), (4, ms(200_000)));
}

/// Fails at the reading behind so many good ones.
struct Flaky(LocalApprovals, Mutex<u32>);

impl EscalationResolver for Flaky {
    fn get<'a>(
        &'a self,
        id: &'a str,
        tenant: Option<&'a str>,
    ) -> BackendAnswer<'a, Option<Details>> {
        let mut left = self.1.lock();
        let now = *left;
        *left = now.wrapping_sub(1);
        if now == 0 { Box::pin(async { Err("503".into()) }) } else { self.0.get(id, tenant) }
    }

    fn changed<'a>(&'a self, seen: &'a Details) -> Option<BackendAnswer<'a, ()>> {
        self.0.changed(seen)
    }
}
