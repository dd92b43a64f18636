use super::error::Place;
use crate::canonical::{self, CanonicalError};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_saphyr::{Location, Spanned};
use std::collections::BTreeMap;
use std::fmt;

/// One value of a document, with the place where it is written.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

/// What a value is, as YAML 1.2 reads it: `yes` and `on` are text.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Nothing,
    Flag(bool),
    /// Always finite.
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file; a key may stand in it twice.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The value under `key`, when this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Kind::Map(entries) = &self.kind else { return None };
        entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The text, when this is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            Kind::Nothing | Kind::Flag(_) | Kind::Number(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The items, when this is a list.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Nothing | Kind::Flag(_) | Kind::Number(_) | Kind::Text(_) | Kind::Map(_) => &[],
        }
    }

    /// What it is, in words.
    pub(crate) fn what(&self) -> &'static str {
        match self.kind {
            Kind::Nothing => "nothing",
            Kind::Flag(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// The bytes that the policy's digest is taken of: compact JSON with sorted keys.
    ///
    /// Two files that say the same in another layout, order or quoting have the same bytes. A whole
    /// number beyond 2^53 is a map with its digits: as a number it would have those of the next.
    pub(crate) fn canonical(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_vec(&Written::<true>(self))
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written::<false>(self).serialize(serializer)
    }
}

/// A value as it is; with `EXACT` for canonical JSON, where a number that is none of its own has
/// another spelling.
struct Written<'n, const EXACT: bool>(&'n Node);

impl<const EXACT: bool> Serialize for Written<'_, EXACT> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.kind {
            Kind::Nothing => serializer.serialize_unit(),
            Kind::Flag(flag) => serializer.serialize_bool(*flag),
            Kind::Number(number) => match beyond_doubles(number).filter(|_| EXACT) {
                Some(digits) => serializer.collect_map([("\0whole", digits)]),
                None => number.serialize(serializer),
            },
            Kind::Text(text) => serializer.serialize_str(text),
            Kind::List(items) => serializer.collect_seq(items.iter().map(Written::<EXACT>)),
            Kind::Map(entries) => {
                let named = entries.iter();
                let named =
                    named.filter_map(|(key, value)| Some((key.text()?, Written::<EXACT>(value))));
                let sorted: BTreeMap<_, _> = named.collect();
                serializer.collect_map(sorted)
            }
        }
    }
}

/// The digits of a whole number that is none of the doubles that canonical JSON writes: two such
/// numbers would have the same bytes, and a policy with the one would pass for that with the other.
fn beyond_doubles(number: &serde_json::Number) -> Option<String> {
    const EXACT: u64 = 1 << 53;
    let whole = number.as_u64().or_else(|| Some(number.as_i64()?.unsigned_abs()))?;
    (whole > EXACT).then(|| number.to_string())
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The place of the definition, not of an alias: that is the text to mend.
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { place: spanned.defined.into(), kind: spanned.value })
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Self {
        // A document is at most a mebibyte, so neither number can be cut.
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self { line: narrow(location.line()), column: narrow(location.column()) }
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Nothing)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Kind, E> {
        Ok(Kind::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Kind, E> {
        Ok(Kind::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Kind, E> {
        Ok(Kind::Number(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Kind, E> {
        // Above, `9007199254740993.0` would be another whole number than the one that is written.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        // `64.0` and `64` are one number, here and in the digest.
        if number.fract() == 0.0
            && number.abs() <= EXACT
            && let Ok(whole) = format!("{number:.0}").parse::<i64>()
        {
            return Ok(Kind::Number(whole.into()));
        }
        match serde_json::Number::from_f64(number) {
            Some(number) => Ok(Kind::Number(number)),
            None => Err(E::custom("a number must be finite")),
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Kind, E> {
        Ok(Kind::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Kind::Map(map))
    }
}
