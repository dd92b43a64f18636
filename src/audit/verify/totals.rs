use std::collections::BTreeMap;

/// What a log holds that verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Logs: one for each writer of the directory.
    pub streams: u64,
    /// Day files.
    pub files: u64,
    /// Records of calls. 0 with 0 `events` is an empty or missing log: whether that is fine is
    /// for the caller to say.
    pub records: u64,
    /// Lines that are no calls.
    pub events: u64,
    /// Lines that a start of the writer completed after a crash.
    pub recovered: u64,
    /// Records of calls by their `status`.
    pub by_status: BTreeMap<String, u64>,
    /// `ts` of the first line; with several logs, the earliest of them.
    pub first_ts: Option<String>,
    /// `ts` of the last line; with several logs, the latest of them.
    pub last_ts: Option<String>,
    /// Number of the first line. Above 0 when older days are gone: the checkpoint of the day before
    /// then says how many lines there were, and nothing says what they held. `None` with several
    /// logs.
    pub first_seq: Option<u64>,
    /// Number of the last line. `None` with several logs.
    pub last_seq: Option<u64>,
    /// Bytes read.
    pub bytes: u64,
    /// Checkpoints that hold, the given ones among them.
    pub checkpoints: u64,
    /// How many lines the largest of them covers, from number 0 on. `None` with several logs.
    pub checkpoint_size: Option<u64>,
    /// Lines behind it: lines missing from the end of these cannot be seen.
    pub uncovered: u64,
    /// Lines about approvals that could not be checked: what they are about was created before the
    /// first line, or too long ago to be remembered.
    pub unchecked: u64,
    /// The ids of the keys that lines name, in the order of their first line.
    pub keys: Vec<String>,
}

impl Totals {
    /// True when there is not a single line.
    pub fn is_empty(&self) -> bool {
        self.records + self.events == 0
    }

    pub(super) fn count(&mut self, ts: &str, status: Option<&str>, is_event: bool) {
        self.first_ts.get_or_insert_with(|| ts.to_owned());
        let last = self.last_ts.get_or_insert_default();
        last.clear();
        last.push_str(ts);
        if is_event {
            self.events += 1;
            return;
        }
        self.records += 1;
        let status = status.unwrap_or("");
        match self.by_status.get_mut(status) {
            Some(count) => *count += 1,
            None => {
                self.by_status.insert(status.to_owned(), 1);
            }
        }
    }

    /// Adds what another log of the directory holds.
    pub(super) fn add(&mut self, other: Self) {
        if self.streams == 0 {
            *self = other;
            return;
        }
        self.streams += other.streams;
        self.files += other.files;
        self.records += other.records;
        self.events += other.events;
        self.recovered += other.recovered;
        self.bytes += other.bytes;
        self.checkpoints += other.checkpoints;
        self.uncovered += other.uncovered;
        self.unchecked += other.unchecked;
        for (status, count) in other.by_status {
            *self.by_status.entry(status).or_default() += count;
        }
        self.first_ts = [self.first_ts.take(), other.first_ts].into_iter().flatten().min();
        self.last_ts = self.last_ts.take().max(other.last_ts);
        (self.first_seq, self.last_seq, self.checkpoint_size) = (None, None, None);
        for key in other.keys {
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
    }
}
