use super::*;
use tokio_util::sync::CancellationToken;

fn wait() -> WaitOptions {
    WaitOptions::default()
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_for_one_escalation_share_one_wait() {
    let backend = Backend::of([Act::Says("pending"), Act::Says("approved")]);
    let (options, told) = options(&backend);
    let manager = EscalationManager::new(options);
    let given_up = CancellationToken::new();
    given_up.cancel();
    // Neither the options of the second nor the cancellation of the third count.
    let (first, second, third) = tokio::join!(
        manager.wait_for_resolution("a", wait()),
        manager.wait_for_resolution(" a", wait().timeout(ms(1)).poll_interval(ms(1))),
        manager.wait_for_resolution("a", wait().cancel(given_up)),
    );
    let first = first.unwrap();
    assert_eq!(first.status, ResolutionStatus::Approved);
    assert_eq!((&second.unwrap(), &third.unwrap()), (&first, &first));
    assert_eq!(backend.read_at(), [0, 2_000]);
    assert_eq!(*told.lock(), ["resolved approved"]);
    assert_eq!(manager.waits.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_for_all_who_share_and_told_once() {
    let backend = Backend::of([Act::Fails("503")]);
    let (options, told) = options(&backend);
    let manager = EscalationManager::new(options.max_retries(0));
    let (one, other) = tokio::join!(
        manager.wait_for_resolution("a", wait()),
        manager.wait_for_resolution("a", wait()),
    );
    assert_eq!(parts(&one.unwrap_err()), parts(&other.unwrap_err()));
    assert_eq!(told.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_drops_a_shared_wait_does_not_stop_the_others() {
    let acts = [Act::Says("pending"), Act::Says("pending"), Act::Says("rejected")];
    let backend = Backend::of(acts);
    let manager = manager(&backend);
    let mut first = Box::pin(manager.wait_for_resolution("a", wait()));
    assert!(futures::poll!(&mut first).is_pending());
    let mut second = Box::pin(manager.wait_for_resolution("a", wait()));
    assert!(futures::poll!(&mut second).is_pending());
    tokio::time::sleep(ms(3_000)).await;
    drop(first);
    assert_eq!(second.await.unwrap().status, ResolutionStatus::Rejected);
    assert_eq!(backend.read_at(), [0, 2_000, 4_000]);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_polled_does_not_hold_the_others_up() {
    let backend = Backend::of([Act::Says("pending"), Act::Says("approved")]);
    let manager = manager(&backend);
    let mut idle = Box::pin(manager.wait_for_resolution("a", wait()));
    assert!(futures::poll!(&mut idle).is_pending());
    let waited = manager.wait_for_resolution("a", wait()).await.unwrap();
    assert_eq!(idle.await.unwrap(), waited);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_all_have_dropped_ends() {
    let backend = Backend::of([Act::Says("pending")]);
    let manager = manager(&backend);
    for _ in 0..2 {
        let mut only = Box::pin(manager.wait_for_resolution("a", wait()));
        assert!(futures::poll!(&mut only).is_pending());
        assert_eq!(manager.waits.len(), 1);
        tokio::time::sleep(ms(1)).await;
        drop(only);
        assert_eq!(manager.waits.len(), 0);
    }
    tokio::time::sleep(ms(60_000)).await;
    assert_eq!(backend.read_at().len(), 2, "each wait has read once");
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_the_end_waits_anew() {
    let backend = Backend::of([Act::Nothing, Act::Says("approved")]);
    let manager = manager(&backend);
    let mut slow = Box::pin(manager.wait_for_resolution("a", wait().timeout(ms(0))));
    assert!(futures::poll!(&mut slow).is_pending());
    tokio::time::sleep(ms(1)).await;
    let anew = manager.wait_for_resolution("a", wait()).await.unwrap();
    assert_eq!(anew.status, ResolutionStatus::Approved);
    assert_eq!(slow.await.unwrap().status, ResolutionStatus::Timeout);
}

#[tokio::test(start_paused = true)]
async fn other_escalations_and_other_tenants_have_waits_of_their_own() {
    let backend = Backend::of([Act::Says("approved")]);
    let manager = EscalationManager::new(options(&backend).0.tenant("acme"));
    let (one, same, other, theirs) = tokio::join!(
        manager.wait_for_resolution("a", wait()),
        manager.wait_for_resolution("a", wait().tenant("acme")),
        manager.wait_for_resolution("b", wait()),
        manager.wait_for_resolution("a", wait().tenant("other")),
    );
    assert_eq!(one.unwrap(), same.unwrap());
    assert_eq!(&*other.unwrap().escalation_id, "b");
    assert_eq!(&*theirs.unwrap().escalation_id, "a");
    assert_eq!(backend.reads.lock().len(), 3);
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let manager = EscalationManager::new(ManagerOptions::default().resolver(Arc::new(NeverRead)));
    let error = futures::executor::block_on(manager.wait_for_resolution("a", wait()));
    assert_eq!(error.unwrap_err().class(), EscalationErrorClass::Wait);
}

struct NeverRead;

impl EscalationResolver for NeverRead {
    fn get<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> BackendAnswer<'a, Option<Details>> {
        panic!("nobody can read without a runtime")
    }
}
