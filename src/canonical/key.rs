//! The names of a map's members: texts, and what has one plain text form.

use super::CanonicalError;
use super::order::Member;
use super::writer::Writer;
use serde::ser::Impossible;
use serde::{Serialize, Serializer};
use std::fmt::Display;

type Written = Result<Member, CanonicalError>;
type Never = Impossible<Member, CanonicalError>;

/// Writes a map's key. Whole numbers and booleans become texts, as `serde_json` does; floats do
/// not, for they have more than one text.
pub(super) struct KeyWriter<'w, 'o>(pub(super) &'w mut Writer<'o>);

macro_rules! whole_numbers {
    ($($method:ident $of:ty)*) => {$(
        fn $method(self, number: $of) -> Written {
            self.0.name(itoa::Buffer::new().format(number))
        }
    )*};
}

impl Serializer for KeyWriter<'_, '_> {
    type Ok = Member;
    type Error = CanonicalError;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    #[inline]
    fn serialize_str(self, name: &str) -> Written {
        self.0.name(name)
    }

    fn serialize_char(self, name: char) -> Written {
        self.0.name(name.encode_utf8(&mut [0; 4]))
    }

    fn serialize_bool(self, name: bool) -> Written {
        self.0.name(if name { "true" } else { "false" })
    }

    whole_numbers! {
        serialize_i8 i8
        serialize_i16 i16
        serialize_i32 i32
        serialize_i64 i64
        serialize_i128 i128
        serialize_u8 u8
        serialize_u16 u16
        serialize_u32 u32
        serialize_u64 u64
        serialize_u128 u128
    }

    fn collect_str<T: Display + ?Sized>(self, name: &T) -> Written {
        self.0.name(&name.to_string())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Written {
        self.0.name(name)
    }

    fn serialize_newtype_struct<T>(self, _: &'static str, name: &T) -> Written
    where
        T: Serialize + ?Sized,
    {
        name.serialize(self)
    }

    fn serialize_f32(self, _: f32) -> Written {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_f64(self, _: f64) -> Written {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_bytes(self, _: &[u8]) -> Written {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_none(self) -> Written {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, name: &T) -> Written {
        name.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_newtype_variant<T>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Written
    where
        T: Serialize + ?Sized,
    {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Never, CanonicalError> {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_tuple(self, _: usize) -> Result<Never, CanonicalError> {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Never, CanonicalError> {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, CanonicalError> {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Never, CanonicalError> {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Never, CanonicalError> {
        Err(CanonicalError::KeyNotText)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, CanonicalError> {
        Err(CanonicalError::KeyNotText)
    }
}
