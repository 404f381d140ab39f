//! How does a value become its canonical form (RFC 8785)? In one pass; arrays and objects are in [`super::parts`].

use std::fmt::Display;

use serde::ser::{Serialize, Serializer};
use serde_json::Number;

use super::parts::{Items, Members};
use super::{MAX_INTEGER, NoCanonicalForm};

pub(super) type Done = Result<(), NoCanonicalForm>;

impl serde::ser::Error for NoCanonicalForm {
    fn custom<T: Display>(message: T) -> Self {
        NoCanonicalForm::NotJson(serde::ser::Error::custom(message))
    }
}

/// Writes one value onto the end of these bytes.
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl<'a> Writer<'a> {
    /// serde_json escapes just what RFC 8785 §3.2.2.2 says, in the same spelling.
    pub(super) fn string(self, text: &str) -> Done {
        Ok(serde_json::to_writer(self.0, text)?)
    }

    /// An integer is a double, as any number of JSON (§3.2.2.3): it is written only where that loses nothing.
    fn number(self, number: Number) -> Done {
        let integer = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
        if integer.is_some_and(|magnitude| magnitude <= MAX_INTEGER) {
            return Ok(serde_json::to_writer(self.0, &number)?);
        }
        let text = serde_json_canonicalizer::to_vec(&number)?;
        if integer.is_some() && number.to_string().as_bytes() != text {
            return Err(NoCanonicalForm::Inexact(number));
        }
        self.0.extend(text);
        Ok(())
    }

    fn null(self) -> Done {
        self.0.extend(b"null");
        Ok(())
    }

    fn items(self, close: &'static [u8]) -> Items<'a> {
        Items::open(self.0, close)
    }

    fn members(self, close: &'static [u8]) -> Members<'a> {
        Members::open(self.0, close)
    }

    /// An object of one member, whose value follows.
    fn variant(self, name: &str) -> Result<Self, NoCanonicalForm> {
        self.0.push(b'{');
        Writer(self.0).string(name)?;
        self.0.push(b':');
        Ok(self)
    }
}

macro_rules! numbers {
    ($($name:ident $type:ty),*) => { $(
        fn $name(self, value: $type) -> Done {
            self.number(value.into())
        }
    )* };
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = NoCanonicalForm;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Members<'a>;

    numbers!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64);
    numbers!(serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64);

    fn serialize_bool(self, value: bool) -> Done {
        self.0.extend(if value { b"true".as_slice() } else { b"false" });
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Done {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Done {
        match Number::from_f64(value) {
            Some(number) => self.number(number),
            None => self.null(),
        }
    }

    fn serialize_char(self, value: char) -> Done {
        self.string(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        self.string(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Done {
        self.null()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.null()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.null()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Done {
        self.string(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T>(self, _: &'static str, _: u32, name: &'static str, value: &T) -> Done
    where
        T: Serialize + ?Sized,
    {
        let Writer(out) = self.variant(name)?;
        value.serialize(Writer(out))?;
        out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, NoCanonicalForm> {
        Ok(self.items(b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, NoCanonicalForm> {
        Ok(self.items(b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, NoCanonicalForm> {
        Ok(self.items(b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Items<'a>, NoCanonicalForm> {
        Ok(self.variant(name)?.items(b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, NoCanonicalForm> {
        Ok(self.members(b"}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'a>, NoCanonicalForm> {
        Ok(self.members(b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Members<'a>, NoCanonicalForm> {
        Ok(self.variant(name)?.members(b"}}"))
    }
}
