use super::*;
use tokio_util::sync::CancellationToken;

async fn waited(
    backend: &Arc<Backend>,
    wait: WaitOptions,
) -> (Result<Resolution, EscalationError>, Vec<String>) {
    let (options, told) = options(backend);
    let resolution = EscalationManager::new(options).wait_for_resolution(" a ", wait).await;
    let told = told.lock().clone();
    (resolution, told)
}

#[tokio::test(start_paused = true)]
async fn reads_at_once_and_then_after_each_pause() {
    let acts = [Act::Says("pending"), Act::Nothing, Act::Says("in review"), Act::Says("approved")];
    let backend = Backend::of(acts);
    let (resolution, told) = waited(&backend, WaitOptions::default()).await;
    let resolution = resolution.unwrap();
    assert_eq!(backend.read_at(), [0, 2_000, 4_000, 6_000]);
    assert_eq!(&*resolution.escalation_id, "a");
    assert_eq!(resolution.status, ResolutionStatus::Approved);
    assert_eq!(&*resolution.details.unwrap().id, "a");
    let noon = Timestamp::from_millis(NOON);
    assert_eq!(
        resolution.metadata,
        ResolutionMetadata {
            attempts: 4,
            retry_count: 0,
            started_at: noon,
            resolved_at: noon,
            elapsed: ms(6_000),
            last_known_status: Some("approved".into()),
            finalization_reason: Some("quorum_reached".into()),
        }
    );
    assert_eq!(told, ["resolved approved"]);
}

#[tokio::test(start_paused = true)]
async fn ends_with_each_word_that_decides_however_it_is_written() {
    use ResolutionStatus::{Approved, Expired, Rejected};
    for (word, status) in [
        ("approved", Approved),
        (" APPROVED\n", Approved),
        ("Rejected", Rejected),
        ("eXpired ", Expired),
    ] {
        let (resolution, _) = waited(&Backend::of([Act::Says(word)]), WaitOptions::default()).await;
        let resolution = resolution.unwrap();
        assert_eq!(resolution.status, status);
        assert_eq!(resolution.metadata.last_known_status.as_deref(), Some(word));
    }
}

#[tokio::test(start_paused = true)]
async fn takes_every_other_word_for_not_decided() {
    for word in ["", "pending", "approve", "approved!", "timeout", "auto_approved", "granted"] {
        let wait = WaitOptions::default().timeout(ms(10));
        let (resolution, _) = waited(&Backend::of([Act::Says(word)]), wait).await;
        assert_eq!(resolution.unwrap().status, ResolutionStatus::Timeout, "{word}");
    }
}

#[tokio::test(start_paused = true)]
async fn ends_when_the_time_is_up_after_a_last_look_and_tells_no_hook() {
    let backend = Backend::of([Act::Says("pending")]);
    let wait = WaitOptions::default().timeout(ms(1_000)).poll_interval(ms(600));
    let (resolution, told) = waited(&backend, wait).await;
    let resolution = resolution.unwrap();
    assert_eq!(backend.read_at(), [0, 600, 1_000]);
    assert_eq!(resolution.status, ResolutionStatus::Timeout);
    assert_eq!(resolution.status.as_str(), "timeout");
    assert_eq!(resolution.metadata.elapsed, ms(1_000));
    assert_eq!(resolution.metadata.last_known_status.as_deref(), Some("pending"));
    assert!(told.is_empty());
}

#[tokio::test(start_paused = true)]
async fn waits_for_ten_minutes_where_nothing_else_is_said() {
    let backend = Backend::of([Act::Nothing]);
    let (resolution, _) = waited(&backend, WaitOptions::default()).await;
    let resolution = resolution.unwrap();
    assert_eq!(resolution.status, ResolutionStatus::Timeout);
    assert_eq!((resolution.metadata.attempts, resolution.metadata.elapsed), (301, ms(600_000)));
    assert_eq!((resolution.details, resolution.metadata.last_known_status), (None, None));
}

#[tokio::test(start_paused = true)]
async fn looks_once_when_there_is_no_time_at_all() {
    let backend = Backend::of([Act::Says("approved")]);
    let (resolution, _) = waited(&backend, WaitOptions::default().timeout(Duration::ZERO)).await;
    assert_eq!(resolution.unwrap().status, ResolutionStatus::Approved);
    let backend = Backend::of([Act::Nothing]);
    let (resolution, _) = waited(&backend, WaitOptions::default().timeout(Duration::ZERO)).await;
    assert_eq!(resolution.unwrap().metadata.attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn gives_up_when_one_reading_more_has_failed_than_may() {
    let acts = [Act::Fails("1"), Act::Fails("2"), Act::Fails("3"), Act::Fails("4")];
    let backend = Backend::of(acts);
    let (error, told) = waited(&backend, WaitOptions::default()).await;
    let text = "Escalation get failed".to_owned();
    let expected = ("Sec0EscalationWaitError", text, Some("4".to_owned()));
    assert_eq!(parts(&error.unwrap_err()), expected);
    // 250 ms, then twice, then three times as much.
    assert_eq!(backend.read_at(), [0, 250, 750, 1_500]);
    assert_eq!(told, ["failed Escalation get failed"]);
}

#[tokio::test(start_paused = true)]
async fn one_good_answer_forgives_all_failures_before_it() {
    let fails = || std::iter::repeat_n(Act::Fails("503"), 3);
    let acts = fails().chain([Act::Nothing]).chain(fails()).chain([Act::Says("pending")]);
    let backend = Backend::of(acts.chain(fails()).chain([Act::Says("approved")]));
    let (resolution, told) = waited(&backend, WaitOptions::default()).await;
    let metadata = resolution.unwrap().metadata;
    assert_eq!((metadata.attempts, metadata.retry_count), (12, 3));
    assert_eq!(told, ["resolved approved"]);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_panics_or_hangs_has_failed() {
    let backend = Backend::of([Act::Panics, Act::Hangs, Act::Says("approved")]);
    let (resolution, _) = waited(&backend, WaitOptions::default()).await;
    let resolution = resolution.unwrap();
    assert_eq!(resolution.status, ResolutionStatus::Approved);
    assert_eq!(backend.read_at(), [0, 250, 250 + 8_000 + 500]);
    assert_eq!(resolution.metadata.retry_count, 2);
}

#[tokio::test(start_paused = true)]
async fn the_time_ends_a_wait_whose_readings_fail() {
    let backend = Backend::of([Act::Fails("503")]);
    let wait = WaitOptions::default().max_retries(u32::MAX).timeout(ms(600));
    let (resolution, _) = waited(&backend, wait).await;
    assert_eq!(resolution.unwrap().status, ResolutionStatus::Timeout);
    assert_eq!(backend.read_at(), [0, 250, 600]);
}

#[tokio::test(start_paused = true)]
async fn goes_by_the_options_of_the_wait() {
    let backend = Backend::of([Act::Nothing, Act::Fails("1"), Act::Fails("2")]);
    let wait = WaitOptions::default().poll_interval(ms(5)).max_retries(1).retry_backoff(ms(7));
    let (error, _) = waited(&backend, wait.tenant("acme")).await;
    assert_eq!(error.unwrap_err().class(), EscalationErrorClass::Wait);
    assert_eq!(backend.read_at(), [0, 5, 12]);
    assert!(backend.reads.lock().iter().all(|(_, tenant)| tenant.as_deref() == Some("acme")));
}

#[tokio::test]
async fn needs_an_id_and_somebody_to_ask() {
    let without = EscalationManager::new(ManagerOptions::default());
    for (id, text) in
        [("\t", "Escalation id is required"), ("a", "Escalation resolver is not configured")]
    {
        let error = without.wait_for_resolution(id, WaitOptions::default()).await.unwrap_err();
        assert_eq!(parts(&error), ("Sec0EscalationWaitError", text.to_owned(), None));
    }
}

#[tokio::test(start_paused = true)]
async fn is_given_up_before_it_asks_anybody() {
    let backend = Backend::of([Act::Says("approved")]);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let (error, told) = waited(&backend, WaitOptions::default().cancel(cancel)).await;
    let text = "Escalation wait was aborted by AbortSignal".to_owned();
    assert_eq!(parts(&error.unwrap_err()), ("Sec0EscalationAbortError", text, None));
    assert!(backend.read_at().is_empty() && told.is_empty());
}

#[tokio::test(start_paused = true)]
async fn is_given_up_in_a_pause_and_in_a_reading() {
    for act in [Act::Says("pending"), Act::Fails("503"), Act::Hangs] {
        let backend = Backend::of([act]);
        let cancel = CancellationToken::new();
        let wait = WaitOptions::default().cancel(cancel.clone()).poll_interval(ms(50_000));
        let begun = Instant::now();
        let (waited, ()) = tokio::join!(waited(&backend, wait), async {
            tokio::time::sleep(ms(100)).await;
            cancel.cancel();
        });
        assert_eq!(waited.0.unwrap_err().class(), EscalationErrorClass::Abort);
        assert_eq!(begun.elapsed(), ms(100));
    }
}
