use crate::clock::Timestamp;
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike};
use std::fmt;

/// A day in UTC: which file of the log a record goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(NaiveDate);

impl Day {
    /// The day in which `at` lies. A moment outside the years 0 to 9999 counts as the nearest one
    /// inside, since the date in a file name has four digits for the year.
    pub fn of(at: Timestamp) -> Self {
        Self(moment(at).date())
    }

    /// Reads `YYYY-MM-DD`; `None` when `text` is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let read = |range| text.get(range).and_then(|digits: &str| digits.parse().ok());
        let (year, month, day) = (read(0..4)?, read(5..7)?, read(8..10)?);
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        well_formed.then_some(Self(date))
    }

    /// How many days this one comes after `earlier`; 0 where it does not.
    pub(super) fn days_after(self, earlier: Self) -> u64 {
        u64::try_from(self.0.signed_duration_since(earlier.0).num_days()).unwrap_or(0)
    }

    /// The name of the day's file.
    pub(super) fn file_name(self) -> String {
        format!("audit-{self}.ndjson")
    }

    /// The day whose file has this name; `None` for a file that is not part of the log.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        Self::parse(name.strip_prefix("audit-")?.strip_suffix(".ndjson")?)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

/// Appends `at` as `2026-11-23T08:15:30.042Z`: ISO 8601 in UTC, always 24 characters.
pub(super) fn write_ts(out: &mut Vec<u8>, at: Timestamp) {
    let moment = moment(at);
    let date = moment.date();
    padded(out, u32::try_from(date.year()).unwrap_or(0), 4);
    for (before, value) in [(b'-', date.month()), (b'-', date.day()), (b'T', moment.hour())] {
        out.push(before);
        padded(out, value, 2);
    }
    for value in [moment.minute(), moment.second()] {
        out.push(b':');
        padded(out, value, 2);
    }
    out.push(b'.');
    padded(out, moment.nanosecond() / 1_000_000, 3);
    out.push(b'Z');
}

fn moment(at: Timestamp) -> NaiveDateTime {
    // 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z.
    let millis = at.as_millis().clamp(-62_167_219_200_000, 253_402_300_799_999);
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH).naive_utc()
}

fn padded(out: &mut Vec<u8>, mut value: u32, width: usize) {
    let mut digits = [b'0'; 4];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    out.extend_from_slice(digits.get(digits.len() - width..).unwrap_or(&digits));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(millis: i64) -> String {
        let mut out = Vec::new();
        write_ts(&mut out, Timestamp::from_millis(millis));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_moment_is_written_in_utc_with_milliseconds() {
        assert_eq!(ts(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(ts(1_795_421_730_042), "2026-11-23T08:15:30.042Z");
        assert_eq!(ts(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(ts(i64::MIN), "0000-01-01T00:00:00.000Z");
        assert_eq!(ts(i64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn only_the_exact_name_of_a_day_file_belongs_to_the_log() {
        let day = Day::of(Timestamp::from_millis(1_795_421_730_042));
        assert_eq!(day.file_name(), "audit-2026-11-23.ndjson");
        assert_eq!(Day::of_file("audit-2026-11-23.ndjson"), Some(day));
        for name in [
            "audit-2026-11-23.ndjson.gz",
            "audit-2026-11-23.w1.ndjson",
            "audit-2026-11-31.ndjson",
            "audit-2026-1-23.ndjson",
            "audit-+026-11-23.ndjson",
            "raw-2026-11-23.ndjson",
            "audit-é26-11-23.ndjson",
        ] {
            assert_eq!(Day::of_file(name), None, "{name}");
        }
    }
}
