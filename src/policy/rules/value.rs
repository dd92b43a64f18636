use super::number::Exact;
use super::seen::{Kind, Seen};
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::HashSet;

/// The values that `eq`, `ne`, `in` and `not_in` compare with.
#[derive(Debug, Clone)]
pub(super) struct Values {
    texts: HashSet<Box<str>>,
    others: Vec<Value>,
    /// A rule that has `null` alone can tell it from every other kind.
    is_null: bool,
}

impl Values {
    pub(super) fn new(values: &[Value]) -> Self {
        let texts = values.iter().filter_map(Value::as_str).map(Box::from).collect();
        let others = values.iter().filter(|value| !value.is_string()).cloned().collect();
        let is_null = values.iter().all(Value::is_null);
        Self { texts, others, is_null }
    }

    pub(super) fn count(&self) -> usize {
        self.others.len().saturating_add(self.texts.len())
    }

    pub(super) fn has_map(&self) -> bool {
        self.others.iter().any(Value::is_object)
    }

    /// True when what was found can be told from these values, or is one of them.
    pub(super) fn reads(&self, kind: Kind) -> bool {
        self.is_null
            || (kind == Kind::Text && !self.texts.is_empty())
            || self.others.iter().any(|value| Kind::of(value) == kind)
    }

    pub(super) fn contains(&self, seen: Seen<'_>) -> bool {
        match seen {
            Seen::Value(Value::String(text)) => self.texts.contains(text.as_str()),
            Seen::Value(found) => self.others.iter().any(|value| same(value, found)),
            Seen::Whole(found) => self
                .others
                .iter()
                .any(|value| matches!(value, Value::Object(map) if same_map(map, found))),
        }
    }
}

/// Equality as JSON means it: `1` and `1.0` are one number, and the order of members says nothing.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (Exact::of(one), Exact::of(other)) {
            (Some(one), Some(other)) => one.cmp(other) == Ordering::Equal,
            _ => false,
        },
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => same_map(one, other),
        (one, other) => one == other,
    }
}

fn same_map(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let has = |(key, value): (&String, &Value)| other.get(key).is_some_and(|it| same(value, it));
    one.len() == other.len() && one.iter().all(has)
}
