//! The schema as JSON Schema 2020-12, for editors and other people's checkers.

use super::about::about;
use super::compiled::Policy;
use super::schema::{self, joined};
use super::shape::{Key, Shape, Stands, Unless, listed};
use serde_json::{Map, Value, json};

impl Policy {
    /// The schema of policy files as JSON Schema, draft 2020-12: what `sec0 policy schema` prints
    /// and editors read.
    ///
    /// It is made of the table that [`Policy::from_yaml`] checks files against. A key that is not
    /// built yet may have the values that ask for nothing, and its description says what is
    /// missing. What a schema cannot say is left to the check: keys that stand twice, and the
    /// grammar of entries such as those of `tools.allowlist`.
    pub fn json_schema() -> Value {
        let mut root = section(schema::ROOT, "", true);
        for (word, value) in [
            ("$schema", "https://json-schema.org/draft/2020-12/schema"),
            ("$id", "urn:sec0:policy"),
            ("title", "sec0 policy"),
            ("description", "Which tools may be called, what is refused and what is recorded."),
        ] {
            root.insert(word.to_owned(), value.into());
        }
        Value::Object(root)
    }
}

/// What stands on a key's row of the page, and before it in an editor.
pub(super) fn description(key: &Key, path: &str) -> String {
    let text = about(path).map_or("", |about| about.text);
    let refused = match key.stands {
        Stands::Refused(unless, why) => {
            let accepted: Vec<_> = unless.spellings(&key.shape);
            let accepted: Vec<_> = accepted.iter().map(String::as_str).collect();
            match accepted.as_slice() {
                [] => format!("Refused: {why}. "),
                some => format!("Refused: {why}; only {} is accepted. ", alternatives(some)),
            }
        }
        Stands::Enforced | Stands::Noted | Stands::Parts | Stands::Inner => String::new(),
    };
    format!("{refused}{text}")
}

/// What the key is where it is left out, as the page says it.
pub(super) fn default_text(key: &Key, path: &str) -> String {
    let fallback = about(path).map_or("", |about| about.default);
    let text = match key.stands {
        Stands::Refused(unless, _) => {
            unless.spellings(&key.shape).last().cloned().unwrap_or_default()
        }
        // A section that must have keys is not the same as none.
        Stands::Parts if needs_keys(&key.shape) => String::new(),
        Stands::Parts => key.shape.off().to_owned(),
        Stands::Enforced | Stands::Noted | Stands::Inner => fallback.to_owned(),
    };
    match text.as_str() {
        _ if key.required => "required".to_owned(),
        "" => "none".to_owned(),
        // Words of the page's own.
        words if words.contains(' ') => words.to_owned(),
        value => format!("`{value}`"),
    }
}

fn needs_keys(shape: &Shape) -> bool {
    matches!(shape, Shape::Section(keys) if keys.iter().any(|key| key.required))
}

/// What the key is where it is left out, where that is one value.
fn default_value(key: &Key, path: &str) -> Option<Value> {
    let text = default_text(key, path);
    let text = text.strip_prefix('`')?.strip_suffix('`')?;
    Some(literal(&key.shape, text))
}

/// Words in backticks, the last behind an `or`.
pub(super) fn alternatives(words: &[&str]) -> String {
    match words {
        [before @ .., last] if !before.is_empty() => format!("{} or `{last}`", listed(before)),
        all => listed(all),
    }
}

/// `strict` says that a key which asks for something unbuilt is refused here.
fn of(shape: &Shape, path: &str, strict: bool) -> Map<String, Value> {
    object(match shape {
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Number(least, most) if *most == u32::MAX => {
            json!({"type": "number", "minimum": least})
        }
        Shape::Number(least, most) => {
            json!({"type": "number", "minimum": least, "maximum": most})
        }
        Shape::Positive => json!({"type": "number", "exclusiveMinimum": 0}),
        Shape::OneOf(words) => json!({"type": "string", "enum": words}),
        Shape::Text(_) => json!({"type": "string", "pattern": r"\S"}),
        Shape::Told(_, words) => {
            let mut told = object(words());
            told.insert("type".to_owned(), "string".into());
            return told;
        }
        Shape::List(item) => list(item, path, strict),
        Shape::Filled(item) => {
            let mut list = object(list(item, path, strict));
            list.insert("minItems".to_owned(), 1.into());
            return list;
        }
        Shape::Section(keys) => return section(keys, path, strict),
        Shape::Saying(one_of, keys) => {
            let mut said = section(keys, path, strict);
            let any: Vec<_> = one_of.iter().map(|key| json!({"required": [key]})).collect();
            said.insert("anyOf".to_owned(), any.into());
            return said;
        }
        Shape::Open(item) => {
            json!({"type": "object", "additionalProperties": of(item, &joined(path, "*"), strict)})
        }
        Shape::Either(one, other) => {
            json!({"anyOf": [of(one, path, strict), of(other, path, strict)]})
        }
        Shape::Anything => json!({}),
    })
}

fn list(item: &Shape, path: &str, strict: bool) -> Value {
    json!({"type": "array", "items": of(item, &format!("{path}[]"), strict)})
}

fn section(keys: &[Key], path: &str, strict: bool) -> Map<String, Value> {
    let switch = keys.iter().any(|key| key.name == "enabled");
    let properties: Map<_, _> = keys
        .iter()
        .map(|key| {
            let path = joined(path, key.name);
            let strict = strict && (!switch || key.name == "enabled");
            let mut property = of(&key.shape, &path, strict);
            if strict {
                property.extend(accepted(key));
            }
            property.insert("description".to_owned(), description(key, &path).into());
            if let Some(default) = default_value(key, &path) {
                property.insert("default".to_owned(), default);
            }
            (key.name.to_owned(), Value::Object(property))
        })
        .collect();
    let mut section = object(json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    }));
    let required: Vec<_> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    if !required.is_empty() {
        section.insert("required".to_owned(), required.into());
    }
    let mut conditions = needed(keys);
    if switch && strict {
        conditions.extend(unless_off(keys));
    }
    if !conditions.is_empty() {
        section.insert("allOf".to_owned(), conditions.into());
    }
    section
}

/// The keys that must stand because of what another one says.
fn needed(keys: &[Key]) -> Vec<Value> {
    let condition = |key: &Key| {
        let needed = key.needed?;
        let has = json!({
            "properties": {needed.other: {"const": needed.word}}, "required": [needed.other],
        });
        let then = json!({"required": [key.name]});
        let place = if needed.is { "then" } else { "else" };
        Some(json!({"if": has, place: then}))
    };
    keys.iter().filter_map(condition).collect()
}

/// With `enabled: false` the other keys of a section may say what they like.
fn unless_off(keys: &[Key]) -> Option<Value> {
    let limits = limits(keys, |name| name != "enabled")?;
    let off = json!({"properties": {"enabled": {"const": false}}, "required": ["enabled"]});
    Some(json!({"if": off, "else": {"properties": limits}}))
}

/// What may be said of some of these keys and of those below them, where it is less than their
/// form allows.
fn limits(keys: &[Key], which: fn(&str) -> bool) -> Option<Value> {
    let limit = |key: &Key| {
        let mut limit = accepted(key);
        if let Shape::Section(below) = &key.shape {
            let switch = below.iter().any(|key| key.name == "enabled");
            let own = limits(below, if switch { |name| name == "enabled" } else { |_| true });
            limit.extend(own.map(|own| ("properties".to_owned(), own)));
            if switch {
                limit.insert("allOf".to_owned(), unless_off(below).into_iter().collect());
            }
        }
        (!limit.is_empty()).then(|| (key.name.to_owned(), Value::Object(limit)))
    };
    let keys = keys.iter().filter(|key| which(key.name));
    let limits: Map<_, _> = keys.filter_map(limit).collect();
    (!limits.is_empty()).then_some(Value::Object(limits))
}

/// The values of a refused key that ask for nothing.
fn accepted(key: &Key) -> Map<String, Value> {
    let Stands::Refused(unless, _) = key.stands else { return Map::new() };
    let mut values: Vec<_> =
        unless.spellings(&key.shape).iter().map(|text| literal(&key.shape, text)).collect();
    object(match (values.pop(), values.is_empty()) {
        (None, _) => json!({"not": {}}),
        (Some(only), true) => json!({"const": only}),
        (Some(last), false) => {
            values.push(last);
            json!({"enum": values})
        }
    })
}

/// The value that is written so in this shape.
fn literal(shape: &Shape, text: &str) -> Value {
    match shape {
        Shape::OneOf(_) | Shape::Text(_) | Shape::Told(..) => text.into(),
        Shape::Flag
        | Shape::Number(..)
        | Shape::Positive
        | Shape::List(_)
        | Shape::Filled(_)
        | Shape::Section(_)
        | Shape::Saying(..)
        | Shape::Open(_)
        | Shape::Either(..)
        | Shape::Anything => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}

impl Unless {
    /// The values that ask for nothing, as they are written.
    pub(super) fn spellings(self, shape: &Shape) -> Vec<String> {
        match self {
            Self::Absent => Vec::new(),
            Self::Off => vec![shape.off().to_owned()],
            Self::OffOr(default) => vec![shape.off().to_owned(), default.to_owned()],
            Self::Is(only) => vec![only.to_owned()],
        }
    }
}

/// `json!` of braces is always a map.
fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}
