//! Arrays and objects while they are open.

use super::CanonicalError;
use super::key::KeyWriter;
use super::writer::Writer;
use serde::Serialize;
use serde::ser;
use std::cmp::Ordering;

type Done = Result<(), CanonicalError>;

/// An open array.
pub(super) struct Array<'w, 'o> {
    writer: &'w mut Writer<'o>,
    first: bool,
    closing: &'static [u8],
}

impl<'w, 'o> Array<'w, 'o> {
    pub(super) fn open(writer: &'w mut Writer<'o>) -> Result<Self, CanonicalError> {
        writer.open(b'[')?;
        Ok(Self { writer, first: true, closing: b"]" })
    }

    /// This array is the one member of an object that is closed with it.
    pub(super) fn in_variant(self) -> Self {
        Self { closing: b"]}", ..self }
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if self.first {
            self.first = false;
        } else {
            self.writer.put(b',');
        }
        let written = value.serialize(&mut *self.writer);
        self.writer.remember(written)
    }

    fn close(self) {
        self.writer.close(self.closing);
    }
}

/// An open object.
pub(super) struct Object<'w, 'o> {
    writer: &'w mut Writer<'o>,
    /// How many members other open objects have.
    base: usize,
    in_order: bool,
    /// A key was written and its value was not.
    awaits_value: bool,
    closing: &'static [u8],
}

impl<'w, 'o> Object<'w, 'o> {
    pub(super) fn open(writer: &'w mut Writer<'o>) -> Result<Self, CanonicalError> {
        writer.open(b'{')?;
        let base = writer.members.len();
        Ok(Self { writer, base, in_order: true, awaits_value: false, closing: b"}" })
    }

    /// This object is the one member of another that is closed with it.
    pub(super) fn in_variant(self) -> Self {
        Self { closing: b"}}", ..self }
    }

    #[inline]
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        if self.awaits_value {
            return Err(CanonicalError::Malformed);
        }
        let first = self.writer.members.len() == self.base;
        if !first {
            self.writer.put(b',');
        }
        let member = key.serialize(KeyWriter(self.writer))?;
        if self.in_order
            && !first
            && let Some(previous) = self.writer.members.last()
        {
            let text = self.writer.text();
            match previous.name(text)?.order(member.name(text)?) {
                Ordering::Less => {}
                Ordering::Equal => return Err(CanonicalError::DuplicateKey),
                Ordering::Greater => self.in_order = false,
            }
        }
        self.writer.members.push(member);
        self.writer.put(b':');
        self.awaits_value = true;
        Ok(())
    }

    #[inline]
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if !self.awaits_value {
            return Err(CanonicalError::Malformed);
        }
        self.awaits_value = false;
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn member<K, V>(&mut self, key: &K, value: &V) -> Done
    where
        K: Serialize + ?Sized,
        V: Serialize + ?Sized,
    {
        let written = self.key(key).and_then(|()| self.value(value));
        self.writer.remember(written)
    }

    fn close(self) -> Done {
        if self.awaits_value {
            return Err(CanonicalError::Malformed);
        }
        if !self.in_order {
            self.writer.note_disorder(self.base)?;
        }
        self.writer.members.truncate(self.base);
        self.writer.close(self.closing);
        Ok(())
    }
}

/// An open struct: an object, or the struct in which `serde_json` hides a number's text.
pub(super) enum Struct<'w, 'o> {
    Object(Object<'w, 'o>),
    Number { writer: &'w mut Writer<'o>, written: bool },
}

impl ser::SerializeStruct for Struct<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
        match self {
            Self::Object(object) => object.member(key, value),
            Self::Number { writer, written } => {
                let once = if *written {
                    Err(CanonicalError::Malformed)
                } else {
                    writer.number_text(value)
                };
                *written = true;
                writer.remember(once)
            }
        }
    }

    #[inline]
    fn end(self) -> Done {
        match self {
            Self::Object(object) => object.close(),
            Self::Number { written: true, .. } => Ok(()),
            Self::Number { written: false, .. } => Err(CanonicalError::Malformed),
        }
    }
}

impl ser::SerializeStructVariant for Object<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
        self.member(key, value)
    }

    fn end(self) -> Done {
        self.close()
    }
}

impl ser::SerializeMap for Object<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        let written = self.key(key);
        self.writer.remember(written)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let written = self.value(value);
        self.writer.remember(written)
    }

    #[inline]
    fn serialize_entry<K, V>(&mut self, key: &K, value: &V) -> Done
    where
        K: Serialize + ?Sized,
        V: Serialize + ?Sized,
    {
        self.member(key, value)
    }

    #[inline]
    fn end(self) -> Done {
        self.close()
    }
}

/// Sequences, tuples and their like differ in name only.
macro_rules! as_array {
    ($($of:ident $method:ident)*) => {$(
        impl ser::$of for Array<'_, '_> {
            type Ok = ();
            type Error = CanonicalError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.element(value)
            }

            #[inline]
            fn end(self) -> Done {
                self.close();
                Ok(())
            }
        }
    )*};
}

as_array! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}
