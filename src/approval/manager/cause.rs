use super::answer::BackendError;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// What a backend failed with: its own words, in one line and not too long.
///
/// Printed, it is no more than [`Cause::MAX_TEXT`] characters without control characters. The error
/// itself is at [`Cause::inner`].
#[derive(Clone)]
pub struct Cause {
    text: Box<str>,
    inner: Option<Arc<dyn Error + Send + Sync>>,
}

impl Cause {
    /// The most characters that are shown of it.
    pub const MAX_TEXT: usize = 300;

    /// The backend's error; `None` where it gave no answer at all.
    pub fn inner(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.inner.as_deref()
    }

    pub(super) fn of(error: BackendError) -> Self {
        Self { text: bounded(&error), inner: Some(error.into()) }
    }

    pub(super) fn said(text: &dyn fmt::Display) -> Self {
        Self { text: bounded(text), inner: None }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cause({:?})", self.text)
    }
}

/// Its own sources are not told: they have no bound.
impl Error for Cause {}

fn bounded(text: &dyn fmt::Display) -> Box<str> {
    let mut line = Line { text: String::new(), left: Cause::MAX_TEXT };
    if write!(line, "{text}").is_err() {
        line.text.pop();
        line.text.push('…');
    }
    line.text.into()
}

/// Takes so many characters, and then fails, which ends the writing.
struct Line {
    text: String,
    left: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(if letter.is_control() { ' ' } else { letter });
        }
        Ok(())
    }
}
