use super::wrap::wrapped;
use sec0::config::ConfigProblem;
use serde::Serialize;
use std::io::{self, Write as _};

/// One line of the checklist.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    id: &'static str,
    area: &'static str,
    status: Status,
    looked_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Pass,
    Warn,
    Fail,
    #[serde(rename = "n/a")]
    NotApplicable,
}

impl Check {
    pub(super) fn pass(id: &'static str, looked_at: impl Into<String>) -> Self {
        Self::new(id, Status::Pass, looked_at.into())
    }

    /// Lacks its input, for this cause.
    pub(super) fn without_input(id: &'static str, looked_at: &str, cause: &str) -> Self {
        let check = Self::new(id, Status::NotApplicable, looked_at.to_owned());
        Self { cause: Some(cause.to_owned()), ..check }
    }

    pub(super) fn fail(id: &'static str, looked_at: &str, cause: String, fix: String) -> Self {
        Self::new(id, Status::Fail, looked_at.to_owned()).because(cause, fix)
    }

    pub(super) fn warn(id: &'static str, looked_at: &str, cause: String, fix: String) -> Self {
        Self::new(id, Status::Warn, looked_at.to_owned()).because(cause, fix)
    }

    /// A problem of the configuration `file`.
    pub(super) fn problem(
        id: &'static str,
        file: &str,
        problem: &ConfigProblem,
        fails: bool,
    ) -> Self {
        let mut bare = problem.clone();
        bare.fix.clear();
        let cause = bare.told_of(file);
        let fix = problem.fix.clone();
        if fails { Self::fail(id, file, cause, fix) } else { Self::warn(id, file, cause, fix) }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.status == Status::Fail
    }

    /// Writes it for people; as wide as a terminal where `width` says how wide that is.
    pub(super) fn write(&self, out: &mut Vec<u8>, width: Option<usize>) -> io::Result<()> {
        let status = match self.status {
            Status::Pass => "pass",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
            Status::NotApplicable => "n/a ",
        };
        let line = format!("{status}  {}  {}", self.id, self.looked_at);
        writeln!(out, "{}", line.trim_end())?;
        let parts =
            [("cause", self.cause.as_deref()), ("fix", self.fix.as_deref()), ("page", self.page)];
        for (name, text) in parts {
            let Some(text) = text else { continue };
            for (index, line) in
                wrapped(text, width.map(|width| width.saturating_sub(13))).enumerate()
            {
                let name = if index == 0 { format!("{name}:") } else { String::new() };
                writeln!(out, "      {name:<6} {line}")?;
            }
        }
        Ok(())
    }

    fn new(id: &'static str, status: Status, looked_at: String) -> Self {
        Self { id, area: "config", status, looked_at, cause: None, fix: None, page: None }
    }

    fn because(self, cause: String, fix: String) -> Self {
        let fix = if fix.is_empty() { "see the page".to_owned() } else { fix };
        Self { cause: Some(cause), fix: Some(fix), page: Some("docs/config.md"), ..self }
    }
}
