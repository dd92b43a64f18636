use super::*;

#[test]
fn has_the_defaults_of_the_contract() {
    let options = ManagerOptions::default();
    assert_eq!(options.timeout, ms(600_000));
    assert_eq!(options.poll_interval, ms(2_000));
    assert_eq!(options.max_retries, 3);
    assert_eq!(options.retry_backoff, ms(250));
    assert_eq!(options.control_plane_timeout, ms(8_000));
    assert_eq!(options.tenant, None);
    assert_eq!(options.defaults, Create::default());
    assert!(options.reporter.is_none() && options.resolver.is_none());
    assert!(options.hooks.created.is_none());
    assert!(options.hooks.resolved.is_none() && options.hooks.failed.is_none());
    assert_eq!(DEFAULT_REPORTER_TIMEOUT, ms(2_500));
}

#[test]
fn keeps_to_the_least_pause_and_the_least_time_for_an_answer() {
    let options = ManagerOptions::default().poll_interval(Duration::ZERO);
    assert_eq!(options.poll_interval, ms(1));
    let of_wait = WaitOptions::default().poll_interval(Duration::ZERO);
    assert_eq!(of_wait.poll_interval, Some(ms(1)));
    for (asked, got) in [(0, 1_000), (999, 1_000), (1_001, 1_001)] {
        let options = ManagerOptions::default().control_plane_timeout(ms(asked));
        assert_eq!(options.control_plane_timeout, ms(got));
    }
}

#[test]
fn reads_a_time_out_that_is_a_whole_number_above_zero_and_nothing_else() {
    for (text, read) in [("1", 1), (" 4000 ", 4_000), ("0015", 15)] {
        assert_eq!(env::read(text), Some(ms(read)), "{text}");
    }
    let others = ["", " ", "0", "000", "-1", "+1", "1.5", "1e3", "2s", "ten", "1_000", "١"];
    for text in others.into_iter().chain(["99999999999999999999999"]) {
        assert_eq!(env::read(text), None, "{text}");
    }
}

#[test]
fn shows_no_more_of_a_cause_than_a_line() {
    let long = format!("bad\r\n{}", "é".repeat(10_000));
    let cause = Cause::of(long.clone().into());
    let text = cause.to_string();
    assert_eq!(text.chars().count(), Cause::MAX_TEXT);
    assert!(text.starts_with("bad  é") && text.ends_with("é…"), "{text}");
    assert!(format!("{cause:?}").len() < 2 * Cause::MAX_TEXT + 20);
    assert_eq!(cause.inner().unwrap().to_string(), long);
    let whole = "x".repeat(Cause::MAX_TEXT);
    assert_eq!(Cause::of(whole.clone().into()).to_string(), whole);
}
