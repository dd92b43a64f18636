use crate::call::ToolRef;
use crate::policy::allowlist::{BETWEEN, BUFFER, Name};
use crate::policy::pattern::{Pattern, Version};
use std::collections::HashMap;

/// The numbers of the entries that are for a tool: found by its names, so that entries for other
/// tools cost nothing.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct ByTool {
    everything: Vec<u32>,
    servers: Numbers,
    /// By `server/tool`, and by that and a version.
    of_server: Numbers,
    of_server_versioned: Numbers,
    /// By `tool`, and by that and a version.
    anywhere: Numbers,
    anywhere_versioned: Numbers,
}

type Numbers = HashMap<Box<[u8]>, Vec<u32>>;

/// The entries for one tool, in their order.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Matching<'i> {
    /// Each in order, and no number in two of them: an entry stands in one place.
    lists: [&'i [u32]; 6],
}

impl ByTool {
    /// Numbers the entries in their order.
    pub(in crate::policy) fn new<'p>(
        patterns: impl IntoIterator<Item = &'p Pattern<Box<str>>>,
    ) -> Self {
        let mut index = Self::default();
        for (pattern, number) in patterns.into_iter().zip(0..) {
            index.numbers(pattern).push(number);
        }
        index
    }

    fn numbers(&mut self, pattern: &Pattern<Box<str>>) -> &mut Vec<u32> {
        let (map, key) = match pattern {
            Pattern::Everything => return &mut self.everything,
            Pattern::Server(server) => (&mut self.servers, server.as_bytes().into()),
            Pattern::OfServer(name, Version::One(version)) => {
                (&mut self.of_server_versioned, versioned(name, version))
            }
            Pattern::Anywhere(name, Version::One(version)) => {
                (&mut self.anywhere_versioned, versioned(name, version))
            }
            Pattern::OfServer(name, Version::Unsaid | Version::Star) => {
                (&mut self.of_server, name.as_bytes().into())
            }
            Pattern::Anywhere(name, Version::Unsaid | Version::Star) => {
                (&mut self.anywhere, name.as_bytes().into())
            }
        };
        map.entry(key).or_default()
    }

    /// The entries that match this tool.
    pub(in crate::policy) fn matching(&self, tool: ToolRef<'_>) -> Matching<'_> {
        let mut buffer = [0; BUFFER];
        let mut lists = [self.everything.as_slice(), &[], &[], &[], &[], &[]];
        let [_, servers, of_server, of_server_versioned, anywhere, anywhere_versioned] = &mut lists;
        *servers = list(&self.servers, Some(tool.server.as_bytes()));
        if let Some(name) = Name::spell(&mut buffer, tool) {
            *of_server = list(&self.of_server, Some(name.of_server()));
            *of_server_versioned = list(&self.of_server_versioned, name.of_server_versioned());
            *anywhere = list(&self.anywhere, Some(name.anywhere()));
            *anywhere_versioned = list(&self.anywhere_versioned, name.anywhere_versioned());
        }
        Matching { lists }
    }
}

impl Iterator for Matching<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let heads = self.lists.iter_mut().filter(|list| !list.is_empty());
        let list = heads.min_by_key(|list| list.first().copied())?;
        let (number, rest) = list.split_first()?;
        *list = rest;
        usize::try_from(*number).ok()
    }
}

fn list<'i>(numbers: &'i Numbers, key: Option<&[u8]>) -> &'i [u32] {
    key.and_then(|key| numbers.get(key)).map_or(&[], Vec::as_slice)
}

fn versioned(name: &str, version: &str) -> Box<[u8]> {
    [name.as_bytes(), &[BETWEEN], version.as_bytes()].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ToolVersion;
    use proptest::prelude::*;

    const ENTRIES: [&str; 14] = [
        "*",
        "mcp://s",
        "mcp://t/*",
        "mcp://s/a",
        "mcp://s/a@1",
        "mcp://s/a@*",
        "mcp://t/a@1",
        "mcp://*/a",
        "a",
        "a@1",
        "a@2",
        "b",
        "mcp://*/b@1",
        "mcp://s/x/a@1",
    ];

    proptest! {
        #[test]
        fn finds_the_entries_that_match_one_by_one_and_in_their_order(
            entries in proptest::collection::vec(proptest::sample::select(&ENTRIES[..]), 0..12),
            server in "s|t|s/x|", tool in "a|b|x/a|a@1", version in "1|2|",
        ) {
            let version = ToolVersion::new(&version);
            let tool = ToolRef::new(&server, &tool, version.as_ref());
            let patterns: Vec<_> =
                entries.iter().map(|entry| Pattern::parse(entry).unwrap().kept()).collect();
            let alone = patterns.iter().enumerate().filter(|(_, one)| one.matches(tool).is_some());
            let alone: Vec<_> = alone.map(|(at, _)| at).collect();
            prop_assert_eq!(ByTool::new(&patterns).matching(tool).collect::<Vec<_>>(), alone);
        }
    }
}
