use super::allowlist::MalformedEntry;
use super::entry::Entry;
use super::error::Place;
use super::limits::RateEntry;
use super::rules::ByTool;
use super::tree::Node;
use crate::call::{RateRule, ToolRef};

/// The entries of `security.limits.rate`, found by the tool: those for other tools cost nothing.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    entries: Vec<(Entry, RateRule)>,
    by_tool: ByTool,
    /// As if no entry named a version.
    by_any_version: ByTool,
}

impl Rates {
    pub(super) fn compile(written: &[RateEntry], nodes: &[Node]) -> Result<Self, MalformedEntry> {
        let places = nodes.iter().map(|node| node.get("tool").map_or(node.place, |it| it.place));
        let places = places.chain(std::iter::repeat(Place::START));
        let read = |(written, place): (&RateEntry, Place)| {
            Ok((Entry::read(&written.tool, place)?, written.rule()))
        };
        let entries: Vec<_> = written.iter().zip(places).map(read).collect::<Result<_, _>>()?;
        let unversioned = |entry: &Entry| match entry.pattern.unversioned() {
            Some(pattern) => pattern.kept(),
            None => entry.pattern.clone(),
        };
        let any: Vec<_> = entries.iter().map(|(entry, _)| unversioned(entry)).collect();
        let by_tool = ByTool::new(entries.iter().map(|(entry, _)| &entry.pattern));
        Ok(Self { by_tool, by_any_version: ByTool::new(&any), entries })
    }

    /// The rates, in the order of the file.
    pub fn rules(&self) -> impl Iterator<Item = RateRule> {
        self.entries.iter().map(|(_, rule)| *rule)
    }

    /// The numbers of the entries that are for `tool`, counted from 0. Where nobody has seen yet
    /// which version the tool has, an entry for any version of it is one: a limit may hold too
    /// early, and not too late.
    pub fn matching(
        &self,
        tool: ToolRef<'_>,
        version_known: bool,
    ) -> impl Iterator<Item = usize> + Clone + use<'_> {
        let index = if version_known { &self.by_tool } else { &self.by_any_version };
        index.matching(tool)
    }

    /// True when both have the same entries in the same order, wherever these stand.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let said = |rates: &Self| -> Vec<_> {
            rates.entries.iter().map(|(entry, rule)| (entry.text.clone(), *rule)).collect()
        };
        said(self) == said(other)
    }

    /// The patterns, in the order of the file.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(entry, _)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ToolVersion;
    use crate::policy::Policy;
    use crate::policy::pattern::{PATTERNS, Pattern};
    use proptest::prelude::*;

    fn rates(patterns: &[&str]) -> Rates {
        let entries = patterns.iter().map(|it| format!("{{tool: '{it}', per_second: 1}}"));
        let entries = entries.collect::<Vec<_>>().join(", ");
        let text = format!(
            "tenant: acme\ndefault_retention: 30d\nsigning: {{enabled: true}}\n\
             tools: {{allowlist: []}}\nenforcement: {{}}\nsecurity: {{limits: {{rate: [{entries}]}}}}\n"
        );
        Policy::from_yaml(&text).unwrap().rates().clone()
    }

    #[test]
    fn a_burst_that_is_not_given_is_the_rate_rounded_up() {
        let text = "[{tool: a, per_second: 2.1}, {tool: a, per_second: 0.1}, \
                    {tool: a, per_second: 5, burst: 1.9}]";
        let document: Vec<RateEntry> = serde_saphyr::from_str(text).unwrap();
        let bursts: Vec<_> = document.iter().map(|entry| entry.rule().burst).collect();
        assert_eq!(bursts, [3, 1, 1]);
    }

    #[test]
    fn while_no_version_is_known_an_entry_for_any_version_counts() {
        let rates = rates(&["a@1", "a@2", "b@1", "mcp://s/*"]);
        let tool = ToolRef::new("s", "a", None);
        let numbers = |known| {
            let mut numbers: Vec<_> = rates.matching(tool, known).collect();
            numbers.sort_unstable();
            numbers
        };
        assert_eq!((numbers(false), numbers(true)), (vec![0, 1, 3], vec![3]));
    }

    proptest! {
        /// The index finds what going through all entries would.
        #[test]
        fn the_entries_for_a_tool_are_those_whose_pattern_matches(
            patterns in proptest::collection::vec(proptest::sample::select(&PATTERNS[..]), 0..12),
            server in "s|t|s/x",
            tool in "a|b|x/a",
            version in proptest::option::of("[12]"),
        ) {
            let rates = rates(&patterns);
            let version = version.as_deref().and_then(ToolVersion::new);
            let tool = ToolRef::new(&server, &tool, version.as_ref());
            let mut found: Vec<_> = rates.matching(tool, true).collect();
            found.sort_unstable();
            let matches = |pattern: &str| Pattern::parse(pattern).unwrap().matches(tool).is_some();
            let naive: Vec<_> =
                (0..patterns.len()).filter(|number| matches(patterns[*number])).collect();
            prop_assert_eq!(found, naive);
        }
    }
}
