use super::day::Day;

/// The names of the files of one log: several processes may write logs into one directory, each
/// its own, told apart by their writer ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream(Option<Box<str>>);

/// Why a text is no writer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a writer id has 1 to 32 characters of `a` to `z`, `0` to `9`, `-` and `_`")]
#[non_exhaustive]
pub struct BadWriterId;

impl Stream {
    /// The folder of the checkpoints that close a day.
    pub(super) const CLOSING: &str = "checkpoints";
    /// The folder of the copies by agent.
    pub(super) const COPIES: &str = "agents";

    /// The stream of the writer with this id.
    ///
    /// # Errors
    ///
    /// The id is empty, longer than 32 characters, or has others than `a-z0-9-_`.
    pub fn of_writer(id: &str) -> Result<Self, BadWriterId> {
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        if matches!(id.len(), 1..=32) && id.bytes().all(fits) {
            Ok(Self(Some(id.into())))
        } else {
            Err(BadWriterId)
        }
    }

    /// The writer id; `None` for the log of a directory that has one writer.
    pub fn writer(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The name of the file of `day`.
    pub(super) fn day_file(&self, day: Day) -> String {
        match &self.0 {
            Some(writer) => format!("audit-{day}.{writer}.ndjson"),
            None => day.file_name(),
        }
    }

    /// The day whose file has this name; `None` for a file that is not part of this log.
    pub(super) fn day_of(&self, name: &str) -> Option<Day> {
        let Some(writer) = &self.0 else { return Day::of_file(name) };
        let stem = name.strip_prefix("audit-")?.strip_suffix(".ndjson")?;
        Day::parse(stem.strip_suffix(&**writer)?.strip_suffix('.')?)
    }

    pub(super) fn lock(&self) -> String {
        self.with_writer("lock")
    }

    pub(super) fn journal(&self) -> String {
        self.with_writer("journal")
    }

    /// The newest checkpoint.
    pub(super) fn checkpoint(&self) -> String {
        self.with_writer("checkpoint")
    }

    /// The day whose closing checkpoint has this name, in its folder.
    pub(super) fn closed_day(&self, name: &str) -> Option<Day> {
        let Some(writer) = &self.0 else { return Day::parse(name) };
        Day::parse(name.strip_suffix(&**writer)?.strip_suffix('.')?)
    }

    /// The checkpoint at the end of `day`.
    pub(super) fn closing(&self, day: Day) -> String {
        self.with_writer(&format!("{}/{day}", Self::CLOSING))
    }

    /// The payloads of `day`.
    pub(super) fn raw(&self, day: Day) -> String {
        match &self.0 {
            Some(writer) => format!("raw/raw-{day}.{writer}.ndjson"),
            None => format!("raw/raw-{day}.ndjson"),
        }
    }

    /// The lines of one agent in one run, on `day`. The names must be those of files.
    pub(super) fn copy(&self, node: &str, day: Day, agent: &str) -> String {
        match &self.0 {
            // A sign that no agent has in its name.
            Some(writer) => format!("{}/{node}/{day}/{agent}@{writer}.ndjson", Self::COPIES),
            None => format!("{}/{node}/{day}/{agent}.ndjson", Self::COPIES),
        }
    }

    /// True for the name that [`copy`](Self::copy) gives a file in its folder.
    pub(super) fn is_copy(&self, name: &str) -> bool {
        let Some(agent) = name.strip_suffix(".ndjson") else { return false };
        match &self.0 {
            Some(writer) => agent.strip_suffix(&**writer).is_some_and(|agent| agent.ends_with('@')),
            None => !agent.contains('@'),
        }
    }

    fn with_writer(&self, name: &str) -> String {
        match &self.0 {
            Some(writer) => format!("{name}.{writer}"),
            None => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_writer_has_files_of_its_own() {
        let day = Day::parse("2026-11-23").unwrap();
        let (one, two) = (Stream::default(), Stream::of_writer("w-2").unwrap());
        assert_eq!(one.day_file(day), "audit-2026-11-23.ndjson");
        assert_eq!(two.day_file(day), "audit-2026-11-23.w-2.ndjson");
        assert_eq!((one.lock(), two.lock()), ("lock".to_owned(), "lock.w-2".to_owned()));
        for (name, of_one, of_two) in [
            ("audit-2026-11-23.ndjson", Some(day), None),
            ("audit-2026-11-23.w-2.ndjson", None, Some(day)),
            ("audit-2026-11-23.w-3.ndjson", None, None),
            ("audit-2026-11-23w-2.ndjson", None, None),
        ] {
            assert_eq!((one.day_of(name), two.day_of(name)), (of_one, of_two), "{name}");
        }
    }

    #[test]
    fn a_writer_id_is_no_path_and_no_wildcard() {
        for id in ["", ".", "..", "a/b", "a.b", "A", "é", &"x".repeat(33)] {
            assert_eq!(Stream::of_writer(id), Err(BadWriterId), "{id}");
        }
    }
}
