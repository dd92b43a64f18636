use super::error::AgentStateError;
use std::fmt;

/// The name of a node: lower case, `a-z`, `0-9` and single dashes, at most 80 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(Box<str>);

impl NodeId {
    /// Normalises `text`: lower case, whatever is not `a-z0-9-` becomes a dash, dashes in a row
    /// become one, none stands at the ends; then it is cut at 80 bytes. Where the cut leaves a dash
    /// at the end, reading the name again takes it away: the contract has it so.
    ///
    /// # Errors
    ///
    /// Nothing is left.
    pub fn new(text: &str) -> Result<Self, AgentStateError> {
        let lower = trim(text).to_lowercase();
        let mut kept = String::with_capacity(lower.len().min(128));
        for c in lower.chars() {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                kept.push(c);
            } else if !kept.ends_with('-') {
                kept.push('-');
            }
        }
        let kept = cut(kept.trim_matches('-'), 80);
        if kept.is_empty() { Err(AgentStateError::EmptyNodeId) } else { Ok(Self(kept.into())) }
    }

    /// The normalised name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_inner(self) -> Box<str> {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a run: letters, digits and `._:-`, at most 120 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Box<str>);

impl RunId {
    /// An id that no other run has. Unique, not secret.
    pub fn fresh() -> Self {
        Self(format!("run-{:032x}", fastrand::u128(..)).into())
    }

    /// Normalises `text`: each run of characters outside `A-Za-z0-9._:-` becomes one `_`; then it
    /// is cut at 120 bytes.
    ///
    /// # Errors
    ///
    /// Nothing is left.
    pub fn new(text: &str) -> Result<Self, AgentStateError> {
        let text = trim(text);
        let mut kept = String::with_capacity(text.len().min(128));
        let mut is_filled = false;
        for c in text.chars() {
            let is_kept = c.is_ascii_alphanumeric() || "._:-".contains(c);
            if is_kept {
                kept.push(c);
            } else if !is_filled {
                kept.push('_');
            }
            is_filled = !is_kept;
        }
        let kept = cut(&kept, 120);
        if kept.is_empty() { Err(AgentStateError::EmptyRunId) } else { Ok(Self(kept.into())) }
    }

    /// The normalised name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_inner(self) -> Box<str> {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What ECMAScript trims: names must come out as the other SDK has them.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}'))
}

/// At most `max` bytes of ASCII.
fn cut(text: &str, max: usize) -> &str {
    text.get(..max).unwrap_or(text)
}
