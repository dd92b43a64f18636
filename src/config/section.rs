use super::environment::Written;
use super::error::ConfigProblem;
use super::path::WrittenPath;
use super::said::Said;
use crate::policy::reading::{Kind, Node, Place};
use crate::secret::Secret;
use std::path::Path;

/// One section of a file, which may be absent, on the way to what it says.
#[derive(Clone, Copy)]
pub(super) struct Sight<'s> {
    node: Option<&'s Node>,
    /// Where its key stands.
    pub(super) place: Place,
    pub(super) written: &'s Written,
}

impl<'s> Sight<'s> {
    pub(super) fn of(node: &'s Node, place: Place, written: &'s Written) -> Self {
        Self { node: Some(node), place, written }
    }

    /// The section under `name`; where there is none, an empty one in the place of this.
    pub(super) fn section(&self, name: &str) -> Self {
        let found = self.entry(name);
        let place = found.map_or(self.place, |(key, _)| key.place);
        Self { node: found.map(|(_, value)| value), place, written: self.written }
    }

    pub(super) fn is_there(&self) -> bool {
        self.node.is_some_and(|node| !matches!(node.kind, Kind::Nothing))
    }

    pub(super) fn node(&self, name: &str) -> Option<&'s Node> {
        self.entry(name).map(|(_, value)| value)
    }

    /// The text of a key, when there is one that is not blank.
    pub(super) fn text(&self, name: &str) -> Option<&'s str> {
        self.node(name)?.text().filter(|text| !text.trim().is_empty())
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(|text| text.trim().to_owned())
    }

    pub(super) fn secret(&self, name: &str) -> Option<Secret<String>> {
        self.owned(name).map(Secret::new)
    }

    pub(super) fn path(&self, name: &str, base: &Path) -> Option<WrittenPath> {
        let node = self.node(name)?;
        Some(WrittenPath::new(self.text(name)?, self.written.at(node), base))
    }

    /// What is wrong where a key has no text. One of another kind is the table's to tell.
    pub(super) fn missing(&self, name: &str, path: &str, said: &Said<'_>) -> Option<ConfigProblem> {
        let place = match self.entry(name) {
            None => self.place,
            Some((_, value)) => match &value.kind {
                Kind::Nothing => value.place,
                Kind::Text(text) if text.trim().is_empty() => value.place,
                Kind::Text(_) | Kind::Flag(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => {
                    return None;
                }
            },
        };
        Some(ConfigProblem::said(place, path, said))
    }

    fn entry(&self, name: &str) -> Option<(&'s Node, &'s Node)> {
        let Kind::Map(entries) = &self.node?.kind else { return None };
        let (key, value) = entries.iter().find(|(key, _)| key.text() == Some(name))?;
        Some((key, value))
    }
}
