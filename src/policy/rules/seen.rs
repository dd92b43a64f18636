use crate::call::Arguments;
use serde_json::{Number, Value};

/// What a pointer found in the arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Seen<'a> {
    /// All of them: the empty pointer.
    Whole(&'a Arguments),
    /// One value inside.
    Value(&'a Value),
}

/// What kind of value it is, in the words of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Map,
}

impl<'a> Seen<'a> {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Whole(_) => Kind::Map,
            Self::Value(value) => Kind::of(value),
        }
    }

    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Self::Value(Value::String(text)) => Some(text),
            Self::Value(_) | Self::Whole(_) => None,
        }
    }

    pub(super) fn number(self) -> Option<&'a Number> {
        match self {
            Self::Value(Value::Number(number)) => Some(number),
            Self::Value(_) | Self::Whole(_) => None,
        }
    }

    /// Characters of a text, entries of a list, members of a map.
    pub(super) fn len(self) -> Option<usize> {
        match self {
            Self::Whole(map) | Self::Value(Value::Object(map)) => Some(map.len()),
            Self::Value(Value::Array(items)) => Some(items.len()),
            Self::Value(Value::String(text)) => Some(text.chars().count()),
            Self::Value(Value::Null | Value::Bool(_) | Value::Number(_)) => None,
        }
    }
}

impl Kind {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Map,
        }
    }

    /// The name in JSON Schema.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::Text => "string",
            Self::List => "array",
            Self::Map => "object",
        }
    }

    /// What a value of this kind is called in messages.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "text",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }
}
