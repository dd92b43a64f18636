//! What the canonical form promises, held against the reference crate where it has an answer.

use super::{CanonicalError, Limits, append, measure, to_vec};
use crate::digest::Digest;
use proptest::prelude::*;
use serde::ser::{Error as _, SerializeMap, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

fn text<T: Serialize + ?Sized>(value: &T) -> String {
    String::from_utf8(to_vec(value).unwrap()).unwrap()
}

/// Members in the order they are given, as a map with `preserve_order` or a hostile type has them.
struct Members<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for Members<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// A tree whose objects keep the order they are given.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(Value),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leaf(value) => value.serialize(serializer),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                serializer.collect_map(members.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}

/// Characters at which the orders of bytes, code points and code units part, and those that are
/// escaped.
fn letters() -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        3 => prop::char::range('a', 'c'),
        1 => prop::sample::select(vec!['"', '\\', '/', '\u{7f}', '\u{2028}', ' ']),
        1 => prop::char::range('\0', '\u{1f}'),
        1 => prop::char::range('\u{d700}', '\u{d7ff}'),
        1 => prop::char::range('\u{e000}', '\u{ffff}'),
        1 => prop::char::range('\u{10000}', '\u{10ffff}'),
        1 => any::<char>(),
    ];
    prop::collection::vec(letter, 0..20).prop_map(String::from_iter)
}

fn leaves() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1000..1000_i32).prop_map(Value::from),
        any::<u64>().prop_map(|bits| f64::from_bits(bits).into()),
        any::<f64>().prop_map(Value::from),
        letters().prop_map(Value::from),
    ]
}

fn trees() -> impl Strategy<Value = Tree> {
    leaves().prop_map(Tree::Leaf).prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::List),
            prop::collection::hash_map(letters(), inner, 0..6)
                .prop_map(|members| Tree::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_the_reference_on_any_value(tree in trees()) {
        let reference = serde_json_canonicalizer::to_vec(&tree).unwrap();
        prop_assert_eq!(to_vec(&tree).unwrap(), reference.clone());
        let sorted_by_bytes: Value = serde_json::to_value(&tree).unwrap();
        prop_assert_eq!(to_vec(&sorted_by_bytes).unwrap(), reference);
    }

    #[test]
    fn agrees_with_the_reference_on_any_string(one in letters(), other in ".*") {
        for string in [one, other] {
            prop_assert_eq!(
                to_vec(&string).unwrap(),
                serde_json_canonicalizer::to_vec(&string).unwrap()
            );
        }
    }

    #[test]
    fn refuses_a_name_that_occurs_twice(mut names in prop::collection::hash_set(letters(), 1..8)
        .prop_map(Vec::from_iter), at in any::<prop::sample::Index>()) {
        names.push(names[at.index(names.len())].clone());
        let members = Members(names.into_iter().map(|name| (name, 0)).collect());
        prop_assert_eq!(to_vec(&members), Err(CanonicalError::DuplicateKey));
    }

    #[test]
    fn keeps_what_was_in_the_buffer_and_measures_what_it_writes(tree in trees()) {
        let mut out = b"before".to_vec();
        append(&mut out, &tree, Limits::default()).unwrap();
        let written = to_vec(&tree).unwrap();
        prop_assert_eq!(&out[..6], b"before");
        prop_assert_eq!(&out[6..], written.as_slice());
        let measured = measure(&tree, Limits::default()).unwrap();
        prop_assert_eq!(measured.len, written.len());
        prop_assert_eq!(measured.digest, Digest::of(&written));
    }

    #[test]
    fn refuses_exactly_what_is_longer_than_the_limit(tree in trees()) {
        let len = to_vec(&tree).unwrap().len();
        let limits = |max_len| Limits { max_len, ..Limits::default() };
        let mut out = b"before".to_vec();
        prop_assert!(append(&mut out, &tree, limits(len)).is_ok());
        out.truncate(6);
        prop_assert_eq!(append(&mut out, &tree, limits(len - 1)), Err(CanonicalError::TooLong));
        prop_assert_eq!(out, b"before");
    }
}

#[test]
fn sorts_the_fields_of_structs_and_of_what_they_hold() {
    #[derive(Serialize)]
    struct Inner {
        z: u8,
        a: Option<u8>,
    }
    #[derive(Serialize)]
    struct Outer<'t> {
        tool: &'t str,
        list: Vec<Inner>,
        #[serde(flatten)]
        rest: BTreeMap<&'t str, Inner>,
    }
    let inner = |z| Inner { z, a: None };
    let rest = BTreeMap::from([("y", inner(3)), ("b", inner(4))]);
    let outer = Outer { tool: "echo", list: vec![inner(1), inner(2)], rest };
    assert_eq!(
        text(&outer),
        r#"{"b":{"a":null,"z":4},"list":[{"a":null,"z":1},{"a":null,"z":2}],"tool":"echo","y":{"a":null,"z":3}}"#
    );
}

#[test]
fn writes_the_variants_of_enums_as_serde_json_does() {
    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(u8),
        Tuple(u8, u8),
        Struct { b: u8, a: u8 },
    }
    let shapes = [Shape::Unit, Shape::Newtype(1), Shape::Tuple(1, 2), Shape::Struct { b: 1, a: 2 }];
    assert_eq!(text(&shapes), r#"["Unit",{"Newtype":1},{"Tuple":[1,2]},{"Struct":{"a":2,"b":1}}]"#);
}

#[test]
fn sorts_names_by_utf16_code_units() {
    let members = Members(vec![("\u{e000}".to_owned(), 1), ("\u{10000}".to_owned(), 2)]);
    assert_eq!(text(&members), "{\"\u{10000}\":2,\"\u{e000}\":1}");
    let members = Members(vec![("a".to_owned(), 1), ("\n".to_owned(), 2), ("\u{1}".to_owned(), 3)]);
    assert_eq!(text(&members), "{\"\\u0001\":3,\"\\n\":2,\"a\":1}");
}

#[test]
fn writes_numbers_as_ecmascript_does() {
    for (number, expected) in [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1e-7, "1e-7"),
        (0.000_001, "0.000001"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
    ] {
        assert_eq!(text(&number), expected);
    }
    assert_eq!(text(&0.1_f32), "0.10000000149011612");
}

#[test]
fn rounds_whole_numbers_beyond_two_to_the_53rd_to_a_double() {
    assert_eq!(text(&9_007_199_254_740_992_u64), "9007199254740992");
    assert_eq!(text(&9_007_199_254_740_993_u64), "9007199254740992");
    assert_eq!(text(&u64::MAX), "18446744073709552000");
    assert_eq!(text(&i64::MIN), "-9223372036854776000");
    assert_eq!(text(&u128::MAX), "3.402823669209385e+38");
    assert_eq!(text(&i128::MIN), "-1.7014118346046923e+38");
    assert_eq!(text(&-7_i128), "-7");
}

#[test]
fn refuses_what_json_has_no_number_for() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(to_vec(&[number]), Err(CanonicalError::NotFinite));
    }
    assert_eq!(to_vec(&f32::NAN), Err(CanonicalError::NotFinite));
}

/// What `serde_json` gives a serialiser for numbers of any precision and for raw texts.
struct Marked(&'static str, Option<&'static str>);

impl Serialize for Marked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut marked = serializer.serialize_struct(self.0, 1)?;
        if let Some(text) = self.1 {
            marked.serialize_field(self.0, text)?;
        }
        marked.end()
    }
}

#[test]
fn reads_numbers_of_any_precision_as_doubles() {
    let number = |text| to_vec(&[Marked("$serde_json::private::Number", text)]);
    for (given, expected) in [
        ("0", "[0]"),
        ("-0", "[0]"),
        ("1E2", "[100]"),
        ("1.50", "[1.5]"),
        ("-12.25e-1", "[-1.225]"),
        ("123456789012345678901234567890", "[1.2345678901234568e+29]"),
        ("0.1000000000000000055511151231257827", "[0.1]"),
    ] {
        assert_eq!(number(Some(given)).unwrap(), expected.as_bytes());
    }
    for given in ["", "-", "01", "1.", ".5", "+1", "1e", "1e+", "inf", "NaN", "1 ", "1\"", "0x1"] {
        assert_eq!(number(Some(given)), Err(CanonicalError::NotANumber), "{given}");
    }
    assert_eq!(number(Some("1e400")), Err(CanonicalError::NotFinite));
    assert_eq!(number(None), Err(CanonicalError::Malformed));
}

#[test]
fn refuses_raw_json_texts() {
    let raw = Marked("$serde_json::private::RawValue", Some(r#"{"b":1,"a":2}"#));
    assert_eq!(to_vec(&[raw]), Err(CanonicalError::RawJson));
}

#[test]
fn writes_keys_that_have_one_text_and_refuses_the_others() {
    assert_eq!(text(&BTreeMap::from([(2, 'a'), (10, 'b')])), r#"{"10":"b","2":"a"}"#);
    assert_eq!(text(&BTreeMap::from([(true, 1), (false, 2)])), r#"{"false":2,"true":1}"#);
    assert_eq!(text(&HashMap::from([('x', 1)])), r#"{"x":1}"#);
    assert_eq!(text(&HashMap::from([(Some("x"), 1)])), r#"{"x":1}"#);
    assert_eq!(to_vec(&HashMap::from([((), 1)])), Err(CanonicalError::KeyNotText));
    assert_eq!(to_vec(&HashMap::from([([1, 2], 1)])), Err(CanonicalError::KeyNotText));
}

#[test]
fn escapes_what_is_displayed_in_pieces() {
    struct Shown;
    impl Serialize for Shown {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&format_args!("{}\"{}\n", "a\\", 'ä'))
        }
    }
    assert_eq!(text(&Shown), r#""a\\\"ä\n""#);
    let tight = Limits { max_len: 8, ..Limits::default() };
    assert_eq!(measure(&Shown, tight), Err(CanonicalError::TooLong));
}

#[test]
fn refuses_a_value_of_any_depth_beyond_the_limit_without_following_it() {
    let mut deep = Value::Null;
    for _ in 0..50_000 {
        deep = Value::Array(vec![Value::Object([("in".to_owned(), deep)].into_iter().collect())]);
    }
    assert_eq!(to_vec(&deep), Err(CanonicalError::TooDeep));
    // Dropping it as it is would itself use up the stack.
    loop {
        deep = match deep {
            Value::Array(mut items) => items.pop().unwrap(),
            Value::Object(mut members) => members.remove("in").unwrap(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => break,
        };
    }
}

#[test]
fn counts_depth_by_open_arrays_and_objects() {
    let limits = |max_depth| Limits { max_depth, ..Limits::default() };
    assert!(measure(&json!([{"a": [1]}, [[2]]]), limits(3)).is_ok());
    assert_eq!(measure(&json!([{"a": [1]}]), limits(2)), Err(CanonicalError::TooDeep));
    assert!(measure(&"text", limits(0)).is_ok());
    assert!(measure(&vec![[(); 2]; 200], limits(2)).is_ok());
}

#[test]
fn refuses_an_endless_value_before_memory_grows() {
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(std::iter::repeat("0123456789"))
        }
    }
    let mut out = Vec::new();
    let limits = Limits { max_len: 10_000, ..Limits::default() };
    assert_eq!(append(&mut out, &Endless, limits), Err(CanonicalError::TooLong));
    assert!(out.is_empty() && out.capacity() <= 20_000);
}

#[test]
fn refuses_a_value_that_overlooks_the_failure_of_a_part() {
    struct Overlooks;
    impl Serialize for Overlooks {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut list = serializer.serialize_seq(None)?;
            assert!(list.serialize_element(&f64::NAN).is_err());
            list.serialize_element(&1)?;
            list.end()
        }
    }
    assert_eq!(to_vec(&Overlooks), Err(CanonicalError::NotFinite));
}

#[test]
fn refuses_keys_and_values_that_do_not_alternate() {
    #[derive(Clone, Copy)]
    enum Does {
        TwoKeys,
        NoKey,
        NoValue,
    }
    impl Serialize for Does {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            match self {
                Self::TwoKeys => map.serialize_key("a").and_then(|()| map.serialize_key("b"))?,
                Self::NoKey => map.serialize_value(&1)?,
                Self::NoValue => map.serialize_key("a")?,
            }
            map.end()
        }
    }
    for does in [Does::TwoKeys, Does::NoKey, Does::NoValue] {
        assert_eq!(to_vec(&does), Err(CanonicalError::Malformed));
    }
}

#[test]
fn leaves_the_words_of_a_failing_value_out_of_the_error() {
    struct Tells;
    impl Serialize for Tells {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("the password is hunter2"))
        }
    }
    let error = to_vec(&Tells).unwrap_err();
    assert_eq!(error, CanonicalError::Custom);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn measures_a_value_that_measures_while_it_is_measured() {
    struct Nested;
    impl Serialize for Nested {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let inner = measure(&json!({"b": 1}), Limits::default()).map_err(S::Error::custom)?;
            inner.len.serialize(serializer)
        }
    }
    let measured = measure(&json!([1]), Limits::default()).unwrap();
    let nested = measure(&[Nested], Limits::default()).unwrap();
    assert_eq!((nested.len, measured.len), (3, 3));
    assert_eq!(nested.digest, Digest::of(b"[7]"));
}
