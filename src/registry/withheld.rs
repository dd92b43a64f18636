use std::collections::HashSet;

/// The frozen tools that lists of them leave out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withheld(HashSet<Box<str>>);

impl Withheld {
    /// True when this tool is left out.
    pub fn hides(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// How many tools are left out.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Box<str>> for Withheld {
    fn from_iter<I: IntoIterator<Item = Box<str>>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}
