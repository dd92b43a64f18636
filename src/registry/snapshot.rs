use super::definition::Definition;
use crate::digest::Digest;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// All tools of a server at one moment.
#[derive(Debug)]
pub struct Snapshot {
    tools: HashMap<Box<str>, Arc<Definition>>,
    digest: Digest,
}

impl Snapshot {
    /// Takes the snapshot of these tools; of two with one name the later one counts.
    pub fn new(definitions: impl IntoIterator<Item = Definition>) -> Self {
        let tools: HashMap<_, _> = definitions
            .into_iter()
            .map(|definition| (definition.name.clone(), Arc::new(definition)))
            .collect();
        let digest = digest_of(&tools);
        Self { tools, digest }
    }

    /// The tool of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.tools.get(name)
    }

    /// All tools, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.tools.values()
    }

    /// The digest of the whole: equal exactly when names, versions and definitions are.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many tools there are.
    pub fn len(&self) -> usize {
        self.tools.len()
    }

    /// True when there is no tool.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// The first tool whose handler was swapped before `later` was taken, where that can be seen.
    pub fn swapped_in(&self, later: &Self) -> Option<Drift> {
        let swapped = |tool: &&Arc<Definition>| {
            later.get(&tool.name).is_some_and(|now| tool.is_swapped_in(now))
        };
        let first = self.tools.values().filter(swapped).map(|tool| &tool.name).min();
        first.map(|name| Drift::Swapped(name.clone()))
    }

    /// The first difference of `later` from this, by the name of the tool; `None` when equal.
    pub fn drift(&self, later: &Self) -> Option<Drift> {
        if self.digest == later.digest {
            return None;
        }
        let added = later.tools.keys().filter(|name| !self.tools.contains_key(*name));
        let added = added.map(|name| Drift::Added(name.clone()));
        let others = self.tools.values().filter_map(|tool| match later.get(&tool.name) {
            None => Some(Drift::Removed(tool.name.clone())),
            Some(now) => (!now.says_the_same(tool)).then(|| Drift::Changed(tool.name.clone())),
        });
        added.chain(others).min_by(|one, other| one.tool().cmp(other.tool()))
    }
}

fn digest_of(tools: &HashMap<Box<str>, Arc<Definition>>) -> Digest {
    let mut sorted: Vec<_> = tools.values().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    let mut bytes = Vec::with_capacity(sorted.len().saturating_mul(96));
    for tool in sorted {
        let version = tool.version.as_ref().map_or("", |version| version.as_str());
        // Lengths before texts, so that no two different lists give the same bytes.
        for text in [&*tool.name, version] {
            bytes.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(tool.digest.as_bytes());
    }
    Digest::of(&bytes)
}

/// How one registry differs from another, by the first tool that does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fifth way to differ")]
pub enum Drift {
    /// The tool is new.
    Added(Box<str>),
    /// The tool has another definition or version.
    Changed(Box<str>),
    /// The tool is gone.
    Removed(Box<str>),
    /// The tool has another handler.
    Swapped(Box<str>),
}

impl Drift {
    /// The tool's name.
    pub fn tool(&self) -> &str {
        match self {
            Self::Added(name) | Self::Changed(name) | Self::Removed(name) | Self::Swapped(name) => {
                name
            }
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(name) => write!(f, "tool `{name}` was added after the freeze"),
            Self::Changed(name) => write!(f, "tool `{name}` was changed after the freeze"),
            Self::Removed(name) => write!(f, "tool `{name}` was removed after the freeze"),
            Self::Swapped(name) => {
                write!(f, "the handler of tool `{name}` was swapped after the freeze")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ToolVersion;
    use proptest::prelude::*;

    fn tool(name: &str, version: &str, body: &str) -> Definition {
        Definition::new(name, ToolVersion::new(version), Digest::of(body.as_bytes()))
    }

    #[test]
    fn a_difference_names_the_first_tool_that_differs() {
        let frozen = Snapshot::new([tool("add", "1.0", "a"), tool("echo", "1.0", "e")]);
        let added = Snapshot::new([
            tool("add", "1.0", "a"),
            tool("echo", "1.0", "e"),
            tool("evil", "1.0", "x"),
        ]);
        let changed = Snapshot::new([tool("add", "1.0", "other"), tool("echo", "1.0", "e")]);
        let removed = Snapshot::new([tool("add", "1.0", "a")]);
        assert_eq!(frozen.drift(&added), Some(Drift::Added("evil".into())));
        assert_eq!(frozen.drift(&changed), Some(Drift::Changed("add".into())));
        assert_eq!(frozen.drift(&removed), Some(Drift::Removed("echo".into())));
        assert_eq!(frozen.drift(&frozen), None);
    }

    #[test]
    fn a_version_set_elsewhere_is_a_difference() {
        let one = Snapshot::new([tool("add", "1.0", "a")]);
        let other = Snapshot::new([tool("add", "1.1", "a")]);
        assert_eq!(one.drift(&other), Some(Drift::Changed("add".into())));
    }

    fn tools() -> impl Strategy<Value = Vec<(String, String)>> {
        proptest::collection::vec(("[ab]{1,3}", "[0-9]{0,2}"), 0..4)
    }

    proptest! {
        /// The digest decides alone: it must separate what the full comparison separates.
        #[test]
        fn two_snapshots_have_one_digest_exactly_when_they_are_equal(one in tools(), other in tools()) {
            let snapshot = |tools: &[(String, String)]| {
                Snapshot::new(tools.iter().map(|(name, version)| tool(name, version, "body")))
            };
            let (one, other) = (snapshot(&one), snapshot(&other));
            let equal = one.len() == other.len()
                && one.tools.values().all(|tool| {
                    other.get(&tool.name).is_some_and(|now| now.says_the_same(tool))
                });
            prop_assert_eq!(one.digest() == other.digest(), equal);
            prop_assert_eq!(one.drift(&other).is_none(), equal);
        }
    }
}
