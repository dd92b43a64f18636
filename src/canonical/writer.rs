//! The serialiser.

use super::compound::{Array, Object, Struct};
use super::order::{Disorder, Member};
use super::{CanonicalError, Limits, number, text};
use serde::{Serialize, Serializer};
use std::fmt::{self, Display, Write as _};

/// The names of the structs in which `serde_json` hides a number of any precision and an unparsed
/// text. Another program in the build may turn either on.
const NUMBER: &str = "$serde_json::private::Number";
const RAW: &str = "$serde_json::private::RawValue";

type Done = Result<(), CanonicalError>;

/// Writes one value at the end of a buffer.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Where the text starts in `out`, and the length of `out` that it may not pass.
    start: usize,
    limit: usize,
    depth_left: usize,
    /// Of the objects that are open, the outer before the inner.
    pub(super) members: Vec<Member>,
    disorder: Disorder,
    failed: Option<CanonicalError>,
}

impl<'o> Writer<'o> {
    /// Starts at the end of `out`; `members` is an empty vector, perhaps with room.
    pub(super) fn new(out: &'o mut Vec<u8>, limits: Limits, members: Vec<Member>) -> Self {
        Self {
            start: out.len(),
            limit: out.len().saturating_add(limits.max_len),
            out,
            depth_left: limits.max_depth,
            members,
            disorder: Disorder::default(),
            failed: None,
        }
    }

    /// Ends the text after the value answered `written`; gives the members' vector back.
    pub(super) fn finish(mut self, written: Done) -> (Done, Vec<Member>) {
        // A value may have overlooked that a part of it failed; the text has a hole there.
        let mut finished = self.failed.map_or(written, Err);
        if finished.is_ok() && self.out.len() > self.limit {
            finished = Err(CanonicalError::TooLong);
        }
        let done = finished.and_then(|()| self.disorder.put_right(self.out, self.start));
        (done, self.members)
    }

    /// What is written so far.
    #[inline]
    pub(super) fn text(&self) -> &[u8] {
        self.out.get(self.start..).unwrap_or(&[])
    }

    /// Keeps the first failure in mind, in case the value goes on after it.
    #[inline]
    pub(super) fn remember(&mut self, written: Done) -> Done {
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
        written
    }

    /// Writes punctuation. What follows it checks the length.
    #[inline]
    pub(super) fn put(&mut self, byte: u8) {
        self.out.push(byte);
    }

    #[inline]
    pub(super) fn open(&mut self, bracket: u8) -> Done {
        self.depth_left = self.depth_left.checked_sub(1).ok_or(CanonicalError::TooDeep)?;
        self.room(1)?;
        self.put(bracket);
        Ok(())
    }

    #[inline]
    pub(super) fn close(&mut self, brackets: &[u8]) {
        self.depth_left += brackets.len();
        self.out.extend_from_slice(brackets);
    }

    /// Writes a member's name; what is written is checked against its neighbours by the object.
    #[inline]
    pub(super) fn name(&mut self, name: &str) -> Result<Member, CanonicalError> {
        let start = self.out.len() - self.start;
        let escaped = self.string(name)?;
        Ok(Member { start, key_end: self.out.len() - self.start, escaped })
    }

    /// Notes that the innermost object, whose members start at `base`, came out of order.
    pub(super) fn note_disorder(&mut self, base: usize) -> Done {
        let text = self.out.get(self.start..).ok_or(CanonicalError::Malformed)?;
        let members = self.members.get(base..).ok_or(CanonicalError::Malformed)?;
        self.disorder.note(text, members, text.len())
    }

    /// Writes the number whose text `value` is.
    pub(super) fn number_text<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let before = self.out.len();
        value.serialize(&mut *self)?;
        let Some([b'"', digits @ .., b'"']) = self.out.get(before..) else {
            return Err(CanonicalError::NotANumber);
        };
        let number = number::read_decimal(digits)?;
        self.out.truncate(before);
        number::write_f64(self.out, number)
    }

    #[inline]
    fn room(&self, more: usize) -> Done {
        if self.limit.saturating_sub(self.out.len()) < more {
            return Err(CanonicalError::TooLong);
        }
        Ok(())
    }

    #[inline]
    fn string(&mut self, string: &str) -> Result<bool, CanonicalError> {
        self.room(string.len().saturating_add(2))?;
        self.put(b'"');
        let escaped = text::escape_into(self.out, string, self.limit)?;
        self.put(b'"');
        Ok(escaped)
    }

    /// Opens the object of one member that stands for an enum's variant.
    fn variant(&mut self, name: &str) -> Done {
        self.open(b'{')?;
        self.string(name)?;
        self.put(b':');
        Ok(())
    }
}

macro_rules! whole_numbers {
    ($($method:ident($of:ty) by $write:ident)*) => {$(
        #[inline]
        fn $method(self, number: $of) -> Done {
            self.room(1)?;
            number::$write(self.out, number.into());
            Ok(())
        }
    )*};
}

impl<'w, 'o> Serializer for &'w mut Writer<'o> {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = Array<'w, 'o>;
    type SerializeTuple = Array<'w, 'o>;
    type SerializeTupleStruct = Array<'w, 'o>;
    type SerializeTupleVariant = Array<'w, 'o>;
    type SerializeMap = Object<'w, 'o>;
    type SerializeStruct = Struct<'w, 'o>;
    type SerializeStructVariant = Object<'w, 'o>;

    whole_numbers! {
        serialize_i8(i8) by write_i64
        serialize_i16(i16) by write_i64
        serialize_i32(i32) by write_i64
        serialize_i64(i64) by write_i64
        serialize_i128(i128) by write_i128
        serialize_u8(u8) by write_u64
        serialize_u16(u16) by write_u64
        serialize_u32(u32) by write_u64
        serialize_u64(u64) by write_u64
        serialize_u128(u128) by write_u128
    }

    fn serialize_f32(self, number: f32) -> Done {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Done {
        self.room(1)?;
        number::write_f64(self.out, number)
    }

    #[inline]
    fn serialize_bool(self, truth: bool) -> Done {
        self.room(4)?;
        self.out.extend_from_slice(if truth { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_char(self, character: char) -> Done {
        self.serialize_str(character.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, string: &str) -> Done {
        self.string(string).map(|_escaped| ())
    }

    /// An array of numbers, as `serde_json` has it.
    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Done {
        self.room(4)?;
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T>(self, _name: &'static str, value: &T) -> Done
    where
        T: Serialize + ?Sized,
    {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T>(
        self,
        _name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done
    where
        T: Serialize + ?Sized,
    {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.close(b"}");
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, _len: Option<usize>) -> Result<Array<'w, 'o>, CanonicalError> {
        Array::open(self)
    }

    fn serialize_tuple(self, _len: usize) -> Result<Array<'w, 'o>, CanonicalError> {
        Array::open(self)
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Array<'w, 'o>, CanonicalError> {
        Array::open(self)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Array<'w, 'o>, CanonicalError> {
        self.variant(variant)?;
        Array::open(self).map(Array::in_variant)
    }

    #[inline]
    fn serialize_map(self, _len: Option<usize>) -> Result<Object<'w, 'o>, CanonicalError> {
        Object::open(self)
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        _len: usize,
    ) -> Result<Struct<'w, 'o>, CanonicalError> {
        match name {
            NUMBER => Ok(Struct::Number { writer: self, written: false }),
            RAW => Err(CanonicalError::RawJson),
            _ => Object::open(self).map(Struct::Object),
        }
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Object<'w, 'o>, CanonicalError> {
        self.variant(variant)?;
        Object::open(self).map(Object::in_variant)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Done {
        self.room(2)?;
        self.put(b'"');
        let mut pieces = Pieces { writer: self, failed: None };
        let displayed = write!(pieces, "{value}");
        let Pieces { writer, failed } = pieces;
        if let Some(error) = failed {
            return Err(error);
        }
        displayed.map_err(|fmt::Error| CanonicalError::Custom)?;
        writer.put(b'"');
        Ok(())
    }
}

/// A text that comes in pieces. Each piece is whole characters, so each can be escaped alone.
struct Pieces<'w, 'o> {
    writer: &'w mut Writer<'o>,
    failed: Option<CanonicalError>,
}

impl fmt::Write for Pieces<'_, '_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let writer = &mut *self.writer;
        let escaped = writer
            .room(piece.len())
            .and_then(|()| text::escape_into(writer.out, piece, writer.limit));
        match escaped {
            Ok(_) => Ok(()),
            Err(error) => {
                self.failed = Some(error);
                Err(fmt::Error)
            }
        }
    }
}
