use super::compare::{BinaryChange, LockDrift, ServerChange, ToolChange};
use super::hidden::visible;
use std::fmt;

/// How many tools are named before the others are only counted.
const MOST: usize = 8;

/// Every difference in words, in one line; of more than eight tools the others are counted.
impl fmt::Display for LockDrift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.server.as_ref().map(ToString::to_string));
        parts.extend(self.binary.as_ref().map(ToString::to_string));
        parts.extend(self.tools.iter().take(MOST).map(ToString::to_string));
        match self.tools.len().saturating_sub(MOST) {
            0 => {}
            more => parts.push(format!("{more} more tools differ")),
        }
        if parts.is_empty() {
            parts.push("nothing differs".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

impl fmt::Display for ServerChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server is `{}`, not `{}`", shown(&self.now), shown(&self.locked))
    }
}

impl fmt::Display for BinaryChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.now {
            Some(_) => "the executable is another one",
            None => "the executable cannot be read",
        })
    }
}

impl fmt::Display for ToolChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(tool) => write!(f, "tool `{}` was added", shown(&tool.name)),
            Self::Removed(tool) => write!(f, "tool `{}` was removed", shown(&tool.name)),
            Self::Changed { now, .. } => write!(f, "tool `{}` was changed", shown(&now.name)),
            Self::Renamed { locked, now } => {
                write!(f, "tool `{}` was renamed to `{}`", shown(&locked.name), shown(&now.name))
            }
        }
    }
}

/// A server chooses its names: at most 80 characters, and none that hides.
fn shown(name: &str) -> String {
    let head: String = name.chars().take(80).collect();
    let mark = if head.len() < name.len() { "…" } else { "" };
    visible(&head) + mark
}
