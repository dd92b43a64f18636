use super::contents::{Lock, LockedTool};
use crate::canonical;
use crate::digest::Digest;
use serde_json::Value;
use std::cmp::Ordering;

/// How a server differs from its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockDrift {
    /// It is another server, or the same in another version.
    pub server: Option<ServerChange>,
    /// It is another executable.
    pub binary: Option<BinaryChange>,
    /// The tools that differ, by name.
    pub tools: Vec<ToolChange>,
}

/// A server that is not the locked one; both as `name@version`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerChange {
    /// The locked one.
    pub locked: Box<str>,
    /// The one that is there.
    pub now: Box<str>,
}

/// An executable that is not the locked one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BinaryChange {
    /// Digest of the locked one.
    pub locked: Digest,
    /// Digest of the one that is there; `None` where it could not be read.
    pub now: Option<Digest>,
}

/// A tool that is not as it was locked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fifth way to differ")]
pub enum ToolChange {
    /// It is not in the lock.
    Added(LockedTool),
    /// It has another definition or version.
    Changed {
        /// As it was locked.
        locked: LockedTool,
        /// As it is.
        now: LockedTool,
    },
    /// It is in the lock alone.
    Removed(LockedTool),
    /// It has another name, and the same definition apart from that.
    Renamed {
        /// As it was locked.
        locked: LockedTool,
        /// As it is.
        now: LockedTool,
    },
}

impl Lock {
    /// How `now` differs from this. What this lock does not say, such as which server it is of, is
    /// not compared; what it says and `now` does not, is only where it is the executable.
    ///
    /// The version of a tool counts where both say one: a list of tools does not have what a
    /// server's options say.
    pub fn drift(&self, now: &Self) -> LockDrift {
        let server = match (&self.server, &now.server) {
            (Some(locked), Some(now)) if locked != now => Some(ServerChange {
                locked: locked.at_version().as_ref().into(),
                now: now.at_version().as_ref().into(),
            }),
            (Some(_) | None, _) => None,
        };
        let binary = self.binary.filter(|locked| now.binary != Some(*locked));
        let binary = binary.map(|locked| BinaryChange { locked, now: now.binary });
        LockDrift { server, binary, tools: tools(&self.tools, &now.tools) }
    }
}

impl LockDrift {
    /// True when nothing differs.
    pub fn is_empty(&self) -> bool {
        self.server.is_none() && self.binary.is_none() && self.tools.is_empty()
    }

    /// The same without the executable, where nothing can be said of it.
    #[must_use]
    pub fn without_binary(mut self) -> Self {
        self.binary = None;
        self
    }
}

impl ToolChange {
    /// Its name now; that of the lock where it is gone.
    pub fn name(&self) -> &str {
        match self {
            Self::Added(tool) | Self::Removed(tool) => &tool.name,
            Self::Changed { now, .. } | Self::Renamed { now, .. } => &now.name,
        }
    }

    /// `added`, `changed`, `removed` or `renamed`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Added(_) => "added",
            Self::Changed { .. } => "changed",
            Self::Removed(_) => "removed",
            Self::Renamed { .. } => "renamed",
        }
    }

    /// The tool as it was locked, if it was.
    pub fn locked(&self) -> Option<&LockedTool> {
        match self {
            Self::Added(_) => None,
            Self::Changed { locked, .. } | Self::Renamed { locked, .. } | Self::Removed(locked) => {
                Some(locked)
            }
        }
    }

    /// The tool as it is, if it is there.
    pub fn now(&self) -> Option<&LockedTool> {
        match self {
            Self::Removed(_) => None,
            Self::Changed { now, .. } | Self::Renamed { now, .. } | Self::Added(now) => Some(now),
        }
    }
}

/// Both lists are sorted by name.
fn tools(locked: &[LockedTool], now: &[LockedTool]) -> Vec<ToolChange> {
    let (mut changes, mut removed, mut added) = (Vec::new(), Vec::new(), Vec::new());
    let (mut locked, mut now) = (locked.iter().peekable(), now.iter().peekable());
    loop {
        let order = match (locked.peek(), now.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(locked), Some(now)) => locked.name.cmp(&now.name),
        };
        match order {
            Ordering::Less => removed.extend(locked.next()),
            Ordering::Greater => added.extend(now.next()),
            Ordering::Equal => {
                if let (Some(locked), Some(now)) = (locked.next(), now.next())
                    && !says_the_same(locked, now)
                {
                    let (locked, now) = (locked.clone(), now.clone());
                    changes.push(ToolChange::Changed { locked, now });
                }
            }
        }
    }
    renamed(&mut changes, removed, added);
    changes.sort_by(|one, other| one.name().cmp(other.name()));
    changes
}

fn says_the_same(locked: &LockedTool, now: &LockedTool) -> bool {
    let is_other_version = match (&locked.version, &now.version) {
        (Some(locked), Some(now)) => locked != now,
        (Some(_) | None, _) => false,
    };
    locked.digest == now.digest && !is_other_version
}

/// Pairs what is gone with what is new, where nothing but the name differs.
fn renamed(changes: &mut Vec<ToolChange>, gone: Vec<&LockedTool>, new: Vec<&LockedTool>) {
    let mut by_body: std::collections::HashMap<Digest, std::collections::VecDeque<&LockedTool>> =
        std::collections::HashMap::new();
    // Without either there is no pair, and nothing to compute.
    let pairs = !gone.is_empty() && !new.is_empty();
    for tool in gone {
        match body(tool).filter(|_| pairs) {
            Some(body) => by_body.entry(body).or_default().push_back(tool),
            None => changes.push(ToolChange::Removed(tool.clone())),
        }
    }
    for tool in new {
        let body = body(tool).filter(|_| pairs);
        let old = body.and_then(|body| by_body.get_mut(&body)?.pop_front());
        changes.push(match old {
            Some(old) => ToolChange::Renamed { locked: old.clone(), now: tool.clone() },
            None => ToolChange::Added(tool.clone()),
        });
    }
    let left = by_body.into_values().flatten();
    changes.extend(left.map(|tool| ToolChange::Removed(tool.clone())));
}

/// The digest of a definition without its name; `None` where it cannot be read.
fn body(tool: &LockedTool) -> Option<Digest> {
    let mut definition: Value = serde_json::from_str(&tool.definition).ok()?;
    definition.as_object_mut()?.remove("name");
    let limits = canonical::Limits { max_len: usize::MAX, ..canonical::Limits::default() };
    Some(canonical::measure(&definition, limits).ok()?.digest)
}
