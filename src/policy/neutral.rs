use super::shape::{Key, Needed, Unless};
use super::tree::{Kind, Node};

/// Which values of a refused key ask for nothing.
impl Unless {
    /// True when this value asks for nothing.
    pub(super) fn accepts(self, node: &Node) -> bool {
        match self {
            Self::Absent => false,
            Self::Off => is_off(node),
            Self::OffOr(default) => is_off(node) || is_written(node, default),
            Self::Is(only) => is_written(node, only),
        }
    }

    /// What to do about a value that asks for something.
    pub(super) fn fix(self, key: &Key) -> String {
        let off = key.shape.off();
        match self {
            Self::Absent => "leave it out".to_owned(),
            Self::Off => format!("leave it out or set it to `{off}`"),
            Self::OffOr(default) => format!("leave it out or set it to `{off}` or `{default}`"),
            Self::Is(only) if key.required => format!("set it to `{only}`"),
            Self::Is(only) => format!("leave it out or set it to `{only}`"),
        }
    }
}

impl Needed {
    /// True when this section must have the key.
    pub(super) fn holds(self, section: &Node) -> bool {
        let has = section.get(self.other).and_then(Node::text) == Some(self.word);
        has == self.is
    }
}

fn is_off(node: &Node) -> bool {
    match &node.kind {
        Kind::Flag(flag) => !flag,
        Kind::Number(number) => number.as_f64() == Some(0.0),
        Kind::List(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
        Kind::Nothing | Kind::Text(_) => false,
    }
}

fn is_written(node: &Node, text: &str) -> bool {
    match &node.kind {
        Kind::Flag(flag) => text == if *flag { "true" } else { "false" },
        Kind::Number(number) => text == number.to_string(),
        Kind::Text(found) => text == found,
        Kind::Nothing | Kind::List(_) | Kind::Map(_) => false,
    }
}
