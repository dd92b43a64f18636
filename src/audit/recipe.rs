//! The original's own recipe for a signed line: parse it, take `sig` out, sort, serialise, verify.
//!
//! It reads lines of any member order. For objects without keys that are array indices it is
//! RFC 8785; keys such as `"10"` come first and in numeric order there, as in JavaScript.

use crate::canonical;
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// Takes a line apart into the text of its `sig` and the bytes that were signed.
///
/// # Errors
///
/// What is wrong with the line, for a message: no JSON object, or a member twice.
pub(super) fn take_apart(line: &str) -> Result<(Option<String>, Vec<u8>), String> {
    let Json::Object(mut members) =
        serde_json::from_str(line).map_err(|error: serde_json::Error| error.to_string())?
    else {
        return Err("it is no JSON object".to_owned());
    };
    let sig = members.remove(&place("sig")).and_then(|member| {
        // A signature needs no escapes: a text that has some is none, as it stands here too.
        let text = member.strip_prefix(b"\"sig\":\"")?.strip_suffix(b"\"")?;
        Some(String::from_utf8_lossy(text).into_owned())
    });
    Ok((sig, Json::Object(members).into_text()))
}

/// A JSON value on its way into the form that was signed.
enum Json {
    /// Each member as it is written, `"name":value`, by its place.
    Object(BTreeMap<Place, Vec<u8>>),
    /// Anything else, as it is written.
    Text(Vec<u8>),
}

/// Where a member belongs. Array indices of ECMAScript, the numbers below 2^32 - 1, come before
/// all other names, which are sorted by their UTF-16 code units.
type Place = (u32, Vec<u16>);

fn place(name: &str) -> Place {
    let index = name.parse().ok().filter(|index: &u32| index.to_string() == name);
    (index.unwrap_or(u32::MAX), name.encode_utf16().collect())
}

impl Json {
    fn into_text(self) -> Vec<u8> {
        match self {
            Self::Object(members) => {
                let mut out = vec![b'{'];
                for member in members.into_values() {
                    add(&mut out, &member);
                }
                out.push(b'}');
                out
            }
            Self::Text(text) => text,
        }
    }
}

/// Appends a part of an array or object that starts with its bracket at the front of `out`.
fn add(out: &mut Vec<u8>, part: &[u8]) {
    if out.len() > 1 {
        out.push(b',');
    }
    out.extend_from_slice(part);
}

fn written<T: Serialize, E: de::Error>(value: T) -> Result<Vec<u8>, E> {
    canonical::to_vec(&value).map_err(E::custom)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json, E> {
        written(()).map(Json::Text)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Json, E> {
        written(flag).map(Json::Text)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Json, E> {
        written(number).map(Json::Text)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Json, E> {
        written(number).map(Json::Text)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Json, E> {
        written(number).map(Json::Text)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json, E> {
        written(text).map(Json::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut out = vec![b'['];
        while let Some(item) = items.next_element::<Json>()? {
            add(&mut out, &item.into_text());
        }
        out.push(b']');
        Ok(Json::Text(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((name, value)) = members.next_entry::<String, Json>()? {
            let Entry::Vacant(free) = object.entry(place(&name)) else {
                return Err(de::Error::custom(format_args!(
                    "the member `{name}` stands there twice"
                )));
            };
            let mut member = written(name)?;
            member.push(b':');
            member.append(&mut value.into_text());
            free.insert(member);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tests::cases;
    use proptest::prelude::*;

    fn signed_form(line: &str) -> String {
        String::from_utf8(take_apart(line).unwrap().1).unwrap()
    }

    #[test]
    fn the_form_that_the_original_signed_is_found_again() {
        for (line, form) in [
            (r#"{"b":1,"10":2,"9":3,"sig":"x","a":4}"#, r#"{"9":3,"10":2,"a":4,"b":1}"#),
            (
                r#"{"b":1,"4294967295":2,"-1":3,"4294967294":4,"01":5,"+1":6,"":7,"0":8}"#,
                r#"{"0":8,"4294967294":4,"":7,"+1":6,"-1":3,"01":5,"4294967295":2,"b":1}"#,
            ),
            (
                r#"{"\uff01":{"2":[],"1":{}},"😀":[{"10":1,"9":2}]}"#,
                r#"{"😀":[{"9":2,"10":1}],"！":{"1":{},"2":[]}}"#,
            ),
            (
                r#"{"n":[1.0,1e21,1e-7,-0.0,0.00001,123456789012345680000]}"#,
                r#"{"n":[1,1e+21,1e-7,0,0.00001,123456789012345680000]}"#,
            ),
            ("{\"s\":\"\\/\\u2028\\u007f\\u0001\\t\"}", "{\"s\":\"/\u{2028}\u{7f}\\u0001\\t\"}"),
        ] {
            assert_eq!(signed_form(line), form);
        }
    }

    #[test]
    fn a_member_that_stands_there_twice_is_refused() {
        let error = take_apart(r#"{"a":1,"b":{"c":1,"c":2}}"#).unwrap_err();
        assert!(error.contains("`c` stands there twice"), "{error}");
        assert!(take_apart("[1]").is_err());
    }

    #[test]
    fn only_a_text_is_a_signature() {
        let sig = |line| take_apart(line).unwrap().0;
        assert_eq!(sig(r#"{"sig":"ed25519:\/A=="}"#).as_deref(), Some("ed25519:/A=="));
        assert_eq!(sig(r#"{"a":{"sig":"x"}}"#), None);
        assert_eq!(sig(r#"{"sig":["x"]}"#), None);
    }

    proptest! {
        #![proptest_config(cases(256))]
        #[test]
        fn numbers_are_printed_as_in_rfc_8785(bits: u64, whole: u64) {
            let halfway = (whole >> 13).to_string() + ".25";
            for value in [f64::from_bits(bits), halfway.parse().unwrap()] {
                if value.is_finite() {
                    let theirs = serde_json_canonicalizer::to_string(&value).unwrap();
                    prop_assert_eq!(signed_form(&format!("{{\"n\":{value:?}}}")), format!("{{\"n\":{theirs}}}"));
                }
            }
        }
    }
}
