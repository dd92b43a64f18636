use std::time::Duration;

/// How long a reporter may take to answer where nothing else is said.
pub const DEFAULT_REPORTER_TIMEOUT: Duration = Duration::from_millis(2500);

const NAME: &str = "SEC0_ESCALATION_TIMEOUT_MS";

/// What `SEC0_ESCALATION_TIMEOUT_MS` says: for how long a reporter may take to answer, in
/// milliseconds. `None` where it is not set, or is no whole number above 0, of which `tracing` is
/// told. Read it once, where options are made.
pub fn escalation_timeout() -> Option<Duration> {
    let value = std::env::var_os(NAME)?;
    let read = read(&value.to_string_lossy());
    if read.is_none() {
        // The value is left out: it may be a secret that was put into the wrong variable.
        tracing::warn!("`SEC0_ESCALATION_TIMEOUT_MS` is not a whole number above 0; it is ignored");
    }
    read
}

/// For how long a reporter may take to answer: what `SEC0_ESCALATION_TIMEOUT_MS` says, else
/// [`DEFAULT_REPORTER_TIMEOUT`].
pub fn reporter_timeout() -> Duration {
    escalation_timeout().unwrap_or(DEFAULT_REPORTER_TIMEOUT)
}

pub(super) fn read(value: &str) -> Option<Duration> {
    let digits = Some(value.trim()).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let millis = digits?.parse().ok().filter(|millis| *millis > 0)?;
    Some(Duration::from_millis(millis))
}
