use std::collections::{HashMap, HashSet};

/// What can be found by the name of its tool.
pub(super) trait Named {
    fn name(&self) -> &str;
}

/// Things with names, each name once.
#[derive(Debug)]
pub(super) struct ByName<T> {
    /// Sorted by name, as rmcp lists tools.
    list: Vec<T>,
    index: HashMap<Box<str>, usize>,
}

impl<T: Named> ByName<T> {
    /// Keeps what has a name of its own. Which of two with one name is meant cannot be said, so
    /// neither is kept.
    pub(super) fn new(things: impl IntoIterator<Item = T>) -> Self {
        let mut list: Vec<_> = things.into_iter().collect();
        list.sort_by(|one, other| one.name().cmp(other.name()));
        let twice: HashSet<Box<str>> = list
            .windows(2)
            .filter_map(|pair| match pair {
                [one, other] if one.name() == other.name() => Some(one.name().into()),
                _ => None,
            })
            .collect();
        for tool in &twice {
            tracing::error!(%tool, "two tools have one name; neither is called");
        }
        list.retain(|thing| !twice.contains(thing.name()));
        let names = list.iter().enumerate();
        let index = names.map(|(at, thing)| (thing.name().into(), at)).collect();
        Self { list, index }
    }

    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.list.get(*self.index.get(name)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.list.iter()
    }
}
