use chrono::{DateTime, SecondsFormat, Utc};
use sec0::clock::{System, Timestamp};

/// The time in the form of RFC 3339, with milliseconds.
pub(super) fn when(at: Timestamp) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.as_millis()).map_or_else(
        || at.as_millis().to_string(),
        |at| at.to_rfc3339_opts(SecondsFormat::Millis, true),
    )
}

/// The time on the wall clock.
pub(super) fn now() -> Timestamp {
    System::shared().wall()
}
