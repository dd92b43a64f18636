//! The original's own recipe for a signed line: parse it, take `sig` out, sort, serialise, verify.
//!
//! It reads lines of any member order. For objects without keys that are array indices it is
//! RFC 8785; keys such as `"10"` come first and in numeric order there, as in JavaScript.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::cmp::Ordering;
use std::fmt;

/// A JSON text taken apart.
pub(super) enum Json {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

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
    let sig = members.iter().position(|(key, _)| key == "sig").map(|at| members.remove(at).1);
    let sig = match sig {
        Some(Json::Text(sig)) => Some(sig),
        _ => None,
    };
    let mut out = Vec::with_capacity(line.len());
    write(&mut out, Json::Object(members)).ok_or("it has a number that is none")?;
    Ok((sig, out))
}

/// A number as ECMAScript prints it; `None` for infinities and for what is no number.
pub(super) fn number(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    if value == 0.0 {
        return Some("0".to_owned());
    }
    // The shortest digits that read back as the same number; of two that are as near, the even
    // one. `{:e}` of the standard library takes the other.
    let shortest = serde_json::Number::from_f64(value.abs())?.to_string();
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{part}");
    let digits = all.trim_start_matches('0');
    let leading = i32::try_from(all.len() - digits.len()).ok()?;
    let point = i32::try_from(whole.len()).ok()? - leading + exponent.parse::<i32>().ok()?;
    let sign = if value < 0.0 { "-" } else { "" };
    Some(format!("{sign}{}", laid_out(digits.trim_end_matches('0'), point)))
}

/// `digits` with the point after the first `point` of them: ECMA-262, `Number::toString`.
fn laid_out(digits: &str, point: i32) -> String {
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    match point {
        _ if length <= point && point <= 21 => format!("{digits}{}", zeros(point - length)),
        1..=21 => {
            let (whole, part) = digits.split_at(usize::try_from(point).unwrap_or(0));
            format!("{whole}.{part}")
        }
        -5..=0 => format!("0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{first}{dot}{rest}e{:+}", point - 1)
        }
    }
}

fn write(out: &mut Vec<u8>, json: Json) -> Option<()> {
    match json {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Flag(flag) => out.extend_from_slice(if flag { b"true" } else { b"false" }),
        Json::Number(value) => out.extend_from_slice(number(value)?.as_bytes()),
        Json::Text(text) => write_text(out, &text),
        Json::Array(items) => {
            out.push(b'[');
            for (at, item) in items.into_iter().enumerate() {
                out.extend_from_slice(if at == 0 { b"" } else { b"," });
                write(out, item)?;
            }
            out.push(b']');
        }
        Json::Object(mut members) => {
            members.sort_by(|(one, _), (other, _)| in_order(one, other));
            out.push(b'{');
            for (at, (key, value)) in members.into_iter().enumerate() {
                out.extend_from_slice(if at == 0 { b"" } else { b"," });
                write_text(out, &key);
                out.push(b':');
                write(out, value)?;
            }
            out.push(b'}');
        }
    }
    Some(())
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    super::json::escape_all(out, text);
    out.push(b'"');
}

fn in_order(one: &str, other: &str) -> Ordering {
    match (index(one), index(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.encode_utf16().cmp(other.encode_utf16()),
    }
}

/// The key as an array index of ECMAScript: canonical digits of a number below 2^32 - 1.
fn index(key: &str) -> Option<u32> {
    let canonical = key == "0" || (!key.starts_with(['0', '+']) && !key.is_empty());
    match key.parse() {
        Ok(index) if canonical && index < u32::MAX => Some(index),
        Ok(_) | Err(_) => None,
    }
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

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Flag(flag))
    }

    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "as JSON.parse does")]
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "as JSON.parse does")]
    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object: Vec<(String, Json)> = Vec::new();
        let mut keys = std::collections::HashSet::new();
        while let Some((key, value)) = members.next_entry::<String, Json>()? {
            if !keys.insert(key.clone()) {
                return Err(de::Error::custom(format_args!(
                    "the member `{key}` stands there twice"
                )));
            }
            object.push((key, value));
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn signed_form(line: &str) -> String {
        String::from_utf8(take_apart(line).unwrap().1).unwrap()
    }

    #[test]
    fn the_form_that_the_original_signed_is_found_again() {
        for (line, form) in [
            (r#"{"b":1,"10":2,"9":3,"sig":"x","a":4}"#, r#"{"9":3,"10":2,"a":4,"b":1}"#),
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

    proptest! {
        #[test]
        fn numbers_are_printed_as_in_rfc_8785(bits: u64, whole: u64) {
            let halfway = (whole >> 13).to_string() + ".25";
            for value in [f64::from_bits(bits), halfway.parse().unwrap()] {
                if value.is_finite() {
                    let theirs = serde_json_canonicalizer::to_string(&value).unwrap();
                    prop_assert_eq!(number(value).unwrap(), theirs);
                }
            }
        }
    }
}
