use super::said::Said;
use crate::policy::reading::Place;
use crate::policy::{PolicyError, Problem};
use std::fmt;
use std::io;

/// One thing that is wrong with a configuration, or worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigProblem {
    /// The line, from 1; 0 when the problem is the file as a whole.
    pub line: u32,
    /// The column in characters, from 1; 0 when the problem is the file as a whole.
    pub column: u32,
    /// The key that it is about, such as `app.hops["OrderAgent.run"].nodeId`; empty for the whole
    /// document.
    pub path: String,
    /// What was found and what is allowed. Texts that start with `[sec0` are those of the
    /// TypeScript original, to the letter.
    pub message: String,
    /// What to do about it; empty where the message says it all.
    pub fix: String,
}

impl ConfigProblem {
    pub(super) fn said(place: Place, path: &str, said: &Said<'_>) -> Self {
        Self::new(place, path, said.text(), said.fix())
    }

    pub(super) fn new(place: Place, path: &str, message: String, fix: String) -> Self {
        Self { line: place.line, column: place.column, path: path.to_owned(), message, fix }
    }

    /// The problem as one line, behind its file: `sec0.config.yaml:3:7: …`. A text of the original
    /// stands first and the place behind it.
    pub fn told_of(&self, file: &str) -> String {
        let place = match self.line {
            0 => file.to_owned(),
            line => format!("{file}:{line}:{}", self.column),
        };
        let said = self.said_and_fix();
        match (self.message.starts_with("[sec0"), self.line) {
            (true, 0) => said,
            (true, _) => format!("{said} ({place})"),
            (false, _) => format!("{place}: {said}"),
        }
    }

    /// The message and the fix, without a place.
    pub fn said_and_fix(&self) -> String {
        let (message, fix) = (&self.message, &self.fix);
        if fix.is_empty() {
            message.clone()
        } else if message.ends_with('.') {
            format!("{message} Fix: {fix}")
        } else {
            format!("{message}; {fix}")
        }
    }
}

impl From<Problem> for ConfigProblem {
    fn from(problem: Problem) -> Self {
        let Problem { line, column, path, message } = problem;
        let (message, fix) = match message.split_once("; ") {
            Some((message, fix)) => (message.to_owned(), fix.to_owned()),
            None => (message, String::new()),
        };
        Self { line, column, path, message, fix }
    }
}

/// Why a configuration was not taken: everything that was found wrong with it.
///
/// `Display` has one line for each problem, in the order of the file.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConfigError {
    file: String,
    problems: Vec<ConfigProblem>,
    cause: Option<io::Error>,
}

impl ConfigError {
    /// The most problems that are kept; a file with more is told so in one last line.
    pub const MAX_PROBLEMS: usize = PolicyError::MAX_PROBLEMS;

    pub(super) fn new(file: &str, mut problems: Vec<ConfigProblem>) -> Self {
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems.dedup();
        if problems.len() > Self::MAX_PROBLEMS {
            problems.truncate(Self::MAX_PROBLEMS);
            let fix = "mend these first".to_owned();
            problems.push(ConfigProblem::new(Place::WHOLE, "", "and more".to_owned(), fix));
        }
        Self { file: file.to_owned(), problems, cause: None }
    }

    pub(super) fn of_file(file: &str, said: &Said<'_>, cause: Option<io::Error>) -> Self {
        let problems = vec![ConfigProblem::said(Place::WHOLE, "", said)];
        Self { file: file.to_owned(), problems, cause }
    }

    pub(super) fn unreadable(file: &str, cause: io::Error) -> Self {
        let message = format!("cannot be read: {cause}");
        let fix = "check the path and who may read it".to_owned();
        let problems = vec![ConfigProblem::new(Place::WHOLE, "", message, fix)];
        Self { file: file.to_owned(), problems, cause: Some(cause) }
    }

    /// The file as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What is wrong, in the order of the file. Never empty.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl From<PolicyError> for ConfigError {
    fn from(error: PolicyError) -> Self {
        let problems = error.problems().iter().cloned().map(ConfigProblem::from).collect();
        Self::new(error.file(), problems)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&problem.told_of(&self.file))?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let cause = self.cause.as_ref()?;
        Some(cause)
    }
}
