use super::allowlist::MalformedEntry;
use super::entry::Entry;
use super::error::Place;
use super::limits::RateEntry;
use super::pattern::Pattern;
use super::tree::Node;
use crate::call::{RateRule, ToolRef};
use std::collections::HashMap;

/// The entries of `security.limits.rate`, found by the tool: those for other tools cost nothing.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    entries: Vec<(Entry, RateRule)>,
    /// The numbers of the entries for every tool.
    everything: Vec<usize>,
    /// Of those for every tool of a server, by its name.
    servers: HashMap<Box<str>, Vec<usize>>,
    /// Of those that name a tool, by what follows the last `/` of the name: servers and tools may
    /// have slashes in their names, so that is all that is sure to be the tool's.
    named: HashMap<Box<str>, Vec<usize>>,
}

impl Rates {
    pub(super) fn compile(written: &[RateEntry], nodes: &[Node]) -> Result<Self, MalformedEntry> {
        let mut rates = Self::default();
        let places = nodes.iter().map(|node| node.get("tool").map_or(node.place, |it| it.place));
        let places = places.chain(std::iter::repeat(Place::START));
        for ((written, place), number) in written.iter().zip(places).zip(0..) {
            let entry = Entry::read(&written.tool, place)?;
            let numbers = match &entry.pattern {
                Pattern::Everything => &mut rates.everything,
                Pattern::Server(server) => rates.servers.entry(server.clone()).or_default(),
                Pattern::OfServer(name, _) | Pattern::Anywhere(name, _) => {
                    rates.named.entry(tail(name).into()).or_default()
                }
            };
            numbers.push(number);
            rates.entries.push((entry, written.rule()));
        }
        Ok(rates)
    }

    /// The rates, in the order of the file.
    pub fn rules(&self) -> impl Iterator<Item = RateRule> {
        self.entries.iter().map(|(_, rule)| *rule)
    }

    /// The numbers of the entries that are for `tool`, counted from 0. Where nobody has seen yet
    /// which version the tool has, an entry for any version of it is one: a limit may hold too
    /// early, and not too late.
    pub fn matching<'r>(
        &'r self,
        tool: ToolRef<'r>,
        version_known: bool,
    ) -> impl Iterator<Item = usize> + Clone + 'r {
        let server = self.servers.get(tool.server).into_iter().flatten();
        let named = self.named.get(tail(tool.tool)).into_iter().flatten();
        let named = named.filter(move |number| {
            self.entries.get(**number).is_some_and(|(entry, _)| {
                let any = entry.pattern.unversioned().filter(|_| !version_known);
                let matched = match any {
                    Some(any) => any.matches(tool),
                    None => entry.pattern.matches(tool),
                };
                matched.is_some()
            })
        });
        self.everything.iter().chain(server).chain(named).copied()
    }

    /// The patterns, in the order of the file.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(entry, _)| entry)
    }
}

fn tail(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ToolVersion;
    use crate::policy::Policy;
    use proptest::prelude::*;

    const PATTERNS: [&str; 12] = [
        "*",
        "mcp://s",
        "mcp://t/*",
        "mcp://s/a",
        "mcp://s/a@1",
        "mcp://s/x/a@1",
        "mcp://s/x/a",
        "mcp://*/a@*",
        "a@2",
        "x/a",
        "b",
        "mcp://*/b@1",
    ];

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
