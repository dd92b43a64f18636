use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// When a call may rely on its record: the modes, and the names, of the Kubernetes audit backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "another mode must be handled wherever a call waits")]
pub enum AuditMode {
    /// The record is queued when the reply leaves; a crash can lose what was not yet written.
    Batch,
    /// The intent is durable before the handler runs.
    Blocking,
    /// As [`Blocking`](Self::Blocking), and the outcome is durable before the reply leaves.
    BlockingStrict,
}

/// The audit mode of each class of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "there are these two classes")]
pub struct AuditModes {
    /// For calls that have no side effect.
    pub read: AuditMode,
    /// For calls that have one, and for those of which it is not known.
    pub write: AuditMode,
}

/// What of the log is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "a reader of the log must know both")]
pub enum LineSigning {
    /// Each line has a signature of its own.
    #[default]
    Record,
    /// Lines have none: the signed checkpoint covers them.
    Checkpoint,
}

/// A text that names no audit mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown audit mode `{found}`; use one of {}", listed())]
#[non_exhaustive]
pub struct UnknownAuditMode {
    /// The text, cut where it is longer than any mode.
    found: String,
}

impl AuditMode {
    /// All of them, from the weakest to the strongest.
    pub const ALL: [Self; 3] = [Self::Batch, Self::Blocking, Self::BlockingStrict];

    /// The spelling in policies and on command lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Blocking => "blocking",
            Self::BlockingStrict => "blocking-strict",
        }
    }
}

impl AuditModes {
    /// The same mode for every class.
    pub fn all(mode: AuditMode) -> Self {
        Self { read: mode, write: mode }
    }

    /// The mode of a call with or without a side effect. `None` is a call of which it is not
    /// known: it counts as one that has one.
    pub fn of(self, side_effect: Option<bool>) -> AuditMode {
        match side_effect {
            Some(false) => self.read,
            Some(true) | None => self.write,
        }
    }
}

impl LineSigning {
    /// The spelling in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// Reads may be lost in a crash, writes may not.
impl Default for AuditModes {
    fn default() -> Self {
        Self { read: AuditMode::Batch, write: AuditMode::Blocking }
    }
}

impl fmt::Display for AuditMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for LineSigning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AuditMode {
    type Err = UnknownAuditMode;

    fn from_str(text: &str) -> Result<Self, UnknownAuditMode> {
        let unknown = || UnknownAuditMode { found: text.chars().take(32).collect() };
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or_else(unknown)
    }
}

fn listed() -> String {
    AuditMode::ALL.map(|mode| format!("`{mode}`")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_read_as_it_is_written() {
        for mode in AuditMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            assert_eq!(serde_json::from_value::<AuditMode>(mode.as_str().into()).unwrap(), mode);
        }
        for signing in [LineSigning::Record, LineSigning::Checkpoint] {
            let text = signing.to_string().into();
            assert_eq!(serde_json::from_value::<LineSigning>(text).unwrap(), signing);
        }
    }

    #[test]
    fn a_name_that_is_no_mode_is_told_what_there_is() {
        for text in ["", "Batch", "blocking_strict", "strict"] {
            let error = text.parse::<AuditMode>().unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "unknown audit mode `{text}`; use one of `batch`, `blocking`, `blocking-strict`"
                )
            );
        }
        assert!("x".repeat(10_000).parse::<AuditMode>().unwrap_err().to_string().len() < 120);
    }

    #[test]
    fn a_call_of_which_nothing_is_known_counts_as_a_write() {
        let modes = AuditModes::default();
        assert_eq!(modes.of(Some(false)), AuditMode::Batch);
        assert_eq!(modes.of(Some(true)), AuditMode::Blocking);
        assert_eq!(modes.of(None), AuditMode::Blocking);
        for side_effect in [None, Some(false), Some(true)] {
            let strict = AuditModes::all(AuditMode::BlockingStrict);
            assert_eq!(strict.of(side_effect), AuditMode::BlockingStrict);
        }
    }
}
