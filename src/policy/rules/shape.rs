//! What the schema of a tool's arguments says of one of them. A schema says more than is read here:
//! whatever is not certain counts as not known.

use super::pointer::{Pointer, Step};
use super::seen::Kind;
use crate::call::Arguments;
use serde_json::{Map, Value};

/// What stands at a pointer by a schema.
#[derive(Debug, Clone, Copy)]
pub(super) enum Declared<'s> {
    /// Nobody can say.
    Unknown,
    /// Nothing ever does.
    Nothing,
    /// A value of this schema.
    Value(&'s Map<String, Value>),
}

/// What the schema says of the argument.
pub(super) fn declared<'s>(schema: &'s Arguments, pointer: &Pointer) -> Declared<'s> {
    let mut at = Declared::Value(schema);
    for (depth, step) in pointer.steps().iter().enumerate() {
        let Declared::Value(schema) = at else { return at };
        at = enter(schema, step, depth == 0);
    }
    at
}

fn enter<'s>(schema: &'s Map<String, Value>, step: &Step, is_root: bool) -> Declared<'s> {
    if refers(schema) {
        return Declared::Unknown;
    }
    let kinds = if is_root { Some(vec![Kind::Map]) } else { kinds(schema) };
    let may_be = |kind| kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind));
    let (is_map, is_list) = (may_be(Kind::Map), may_be(Kind::List) && step.is_index());
    match (is_map, is_list) {
        (false, false) => Declared::Nothing,
        (true, true) => Declared::Unknown,
        (false, true) if schema.contains_key("prefixItems") => Declared::Unknown,
        (false, true) => said(schema.get("items")),
        (true, false) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            if let Some(property) = properties.and_then(|all| all.get(step.key())) {
                return said(Some(property));
            }
            if schema.contains_key("patternProperties") {
                return Declared::Unknown;
            }
            said(schema.get("additionalProperties"))
        }
    }
}

fn said(schema: Option<&Value>) -> Declared<'_> {
    match schema {
        Some(Value::Bool(false)) => Declared::Nothing,
        Some(Value::Object(schema)) => Declared::Value(schema),
        Some(_) | None => Declared::Unknown,
    }
}

/// True when the schema is another one, and what stands beside may not count.
fn refers(schema: &Map<String, Value>) -> bool {
    ["$ref", "$dynamicRef", "$recursiveRef"].iter().any(|key| schema.contains_key(*key))
}

/// The types that a value of this schema may have; `None` where they are not known.
pub(super) fn kinds(schema: &Map<String, Value>) -> Option<Vec<Kind>> {
    if refers(schema) {
        return None;
    }
    let said = schema.get("type")?;
    let words = said.as_array().map_or(std::slice::from_ref(said), Vec::as_slice);
    words.iter().map(|word| kind(word.as_str()?)).collect()
}

/// The values that it may have, where the schema has a list of them.
pub(super) fn values(schema: &Map<String, Value>) -> Option<&[Value]> {
    if refers(schema) {
        return None;
    }
    match schema.get("const") {
        Some(value) => Some(std::slice::from_ref(value)),
        None => schema.get("enum")?.as_array().map(Vec::as_slice),
    }
}

fn kind(word: &str) -> Option<Kind> {
    match word {
        "null" => Some(Kind::Null),
        "boolean" => Some(Kind::Boolean),
        "number" | "integer" => Some(Kind::Number),
        "string" => Some(Kind::Text),
        "array" => Some(Kind::List),
        "object" => Some(Kind::Map),
        _ => None,
    }
}
