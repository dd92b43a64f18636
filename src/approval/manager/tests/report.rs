use super::*;
use crate::call::Reason;

async fn reported(act: Act) -> Result<Option<Created>, NotReported> {
    let create = Create::denied("mcp://demo/fetch@1.0", Reason::RuleDenied);
    report_within(&*Backend::of([act]), create, ms(2_500)).await
}

#[tokio::test(start_paused = true)]
async fn cuts_a_reporter_off_that_hangs() {
    let begun = Instant::now();
    let error = reported(Act::Hangs).await.unwrap_err();
    assert_eq!(begun.elapsed(), ms(2_500));
    assert_eq!(error.to_string(), "the escalation reporter did not answer within 2500 ms");
}

#[tokio::test]
async fn gives_what_was_opened_or_that_there_is_nobody_to_ask() {
    let created = reported(Act::Says("pending")).await.unwrap().unwrap();
    assert_eq!(&*created.id, "for rule_denied");
    assert_eq!(reported(Act::Nothing).await, Ok(None));
}

#[tokio::test]
async fn says_why_not_without_a_word_of_the_reporter() {
    for (act, text) in [
        (Act::Says(" "), "the escalation reporter gave no escalation id"),
        (Act::Panics, "the escalation reporter panicked"),
        (Act::Fails("key s3cret is wrong"), "the escalation reporter failed"),
        (Act::Fails("escalation_create_failed:key:1"), "the escalation reporter failed"),
        (Act::Fails("escalation_create_failed:5é"), "the escalation reporter failed"),
        (
            Act::Fails("escalation_create_failed:503:key s3cret is wrong"),
            "the escalation reporter failed with HTTP status 503",
        ),
    ] {
        assert_eq!(reported(act).await.unwrap_err().to_string(), text);
    }
}
