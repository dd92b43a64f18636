use std::fmt;
use std::io;

/// Where in a file something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Place {
    pub(crate) const START: Self = Self { line: 1, column: 1 };
    /// Not a place in the file but the file as a whole.
    pub(crate) const WHOLE: Self = Self { line: 0, column: 0 };
}

/// One thing that is wrong in a policy file, or worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The line, from 1; 0 when the problem is the file as a whole.
    pub line: u32,
    /// The column in characters, from 1; 0 when the problem is the file as a whole.
    pub column: u32,
    /// The key that it is about, such as `enforcement.deny_on[2]`; empty for the whole document.
    pub path: String,
    /// What was found, what is allowed and what to do, in one sentence.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(place: Place, path: &str, message: String) -> Self {
        Self { line: place.line, column: place.column, path: path.to_owned(), message }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        f.write_str(&self.message)
    }
}

/// Why a policy was not taken: everything that was found wrong with it.
///
/// `Display` has one line for each problem, `policy.yaml:12:7: …`, in the order of the file.
#[derive(Debug)]
#[non_exhaustive]
pub struct PolicyError {
    file: String,
    problems: Vec<Problem>,
    cause: Option<io::Error>,
}

impl PolicyError {
    /// The most problems that are kept; a file with more is told so in one last line.
    pub const MAX_PROBLEMS: usize = 100;

    pub(super) fn new(file: &str, problems: Vec<Problem>) -> Self {
        Self { file: file.to_owned(), problems: Self::bounded(problems), cause: None }
    }

    /// The problems in the order of the file, and no more than are kept.
    pub(super) fn bounded(mut problems: Vec<Problem>) -> Vec<Problem> {
        problems.sort_by_key(|problem| (problem.line, problem.column));
        if problems.len() > Self::MAX_PROBLEMS {
            problems.truncate(Self::MAX_PROBLEMS);
            let message = "and more; mend these first".to_owned();
            problems.push(Problem::new(Place::WHOLE, "", message));
        }
        problems
    }

    pub(super) fn unreadable(file: &str, cause: io::Error) -> Self {
        let message = format!("cannot be read: {cause}; check the path and who may read it");
        let problems = vec![Problem::new(Place::WHOLE, "", message)];
        Self { file: file.to_owned(), problems, cause: Some(cause) }
    }

    /// The file as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What is wrong, in the order of the file. Never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            // With a place `file:line:column: …`, without one `file: …`.
            let gap = if problem.line > 0 { "" } else { " " };
            write!(f, "{}:{gap}{problem}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let cause = self.cause.as_ref()?;
        Some(cause)
    }
}

/// Text of the user's for a message: at most 80 characters, and nothing that a terminal obeys.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let mut out = String::new();
    for (count, letter) in text.chars().enumerate() {
        if count == MOST {
            out.push('…');
            break;
        }
        // `escape_debug` also marks quotes, which are harmless here; what it spells with `\u`
        // or as a control (`\n`) is what a terminal would act on or hide.
        if matches!(letter, '"' | '\'' | '\\') {
            out.push(letter);
        } else {
            out.extend(letter.escape_debug());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_control_or_direction_character_and_no_more_than_eighty_characters() {
        assert_eq!(shown("a\u{1b}[31m\n\u{202e}é'\"\\"), "a\\u{1b}[31m\\n\\u{202e}é'\"\\");
        assert_eq!(shown(&"x".repeat(80)), "x".repeat(80));
        assert_eq!(shown(&"x".repeat(5000)), format!("{}…", "x".repeat(80)));
    }

    #[test]
    fn a_hundred_problems_are_told_and_more_than_that_are_cut() {
        let told = |count: usize| {
            PolicyError::bounded(vec![Problem::new(Place::START, "a", "is wrong".into()); count])
        };
        assert!(told(100).iter().all(|problem| problem.message == "is wrong"));
        assert_eq!(told(101).len(), 101);
        assert_eq!(told(101).last().unwrap().message, "and more; mend these first");
    }

    #[test]
    fn a_problem_of_the_whole_file_has_no_place() {
        let error = PolicyError::unreadable("p.yaml", io::Error::other("gone"));
        assert_eq!(
            error.to_string(),
            "p.yaml: cannot be read: gone; check the path and who may read it"
        );
        assert!(std::error::Error::source(&error).is_some());
    }
}
