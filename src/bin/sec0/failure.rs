use std::fmt::Display;

/// Why a command did not end well, as its exit status tells it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The thing that was checked does not hold. The text is empty where the report has it.
    DoesNotHold(String),
    /// The command was used wrongly, or what it was given cannot be used; the text says the fix.
    Usage(String),
    /// Something that should not happen.
    Internal(String),
}

impl Failure {
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const INTERNAL: u8 = 3;

    pub(crate) fn usage(cause: impl Display) -> Self {
        Self::Usage(cause.to_string())
    }

    pub(crate) fn internal(cause: impl Display) -> Self {
        Self::Internal(cause.to_string())
    }

    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::DoesNotHold(_) => 1,
            Self::Usage(_) => Self::USAGE,
            Self::Internal(_) => Self::INTERNAL,
        }
    }

    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Self::DoesNotHold(text) => (!text.is_empty()).then(|| text.clone()),
            Self::Usage(text) => Some(format!("sec0: {text}")),
            Self::Internal(text) => Some(format!("sec0: internal error: {text}")),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::internal(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}
