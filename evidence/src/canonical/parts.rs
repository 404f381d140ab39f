//! How are arrays and objects written? Items as they come; the members of an object are put in order where it ends.

use std::borrow::Cow;
use std::ops::Range;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::NoCanonicalForm;
use super::write::{Done, Writer};

/// An array that is being written.
pub(super) struct Items<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    close: &'static [u8],
}

impl<'a> Items<'a> {
    /// Begins an array, which will be closed by these bytes.
    pub(super) fn open(out: &'a mut Vec<u8>, close: &'static [u8]) -> Items<'a> {
        out.push(b'[');
        Items { out, first: true, close }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        value.serialize(Writer(self.out))
    }

    fn close(self) -> Done {
        self.out.extend(self.close);
        Ok(())
    }
}

/// An object that is being written: where each member lies, and its name.
pub(super) struct Members<'a> {
    out: &'a mut Vec<u8>,
    begin: usize,
    members: Vec<(Cow<'static, str>, Range<usize>)>,
    key: Option<String>,
    close: &'static [u8],
}

impl<'a> Members<'a> {
    /// Begins an object, which will be closed by these bytes.
    pub(super) fn open(out: &'a mut Vec<u8>, close: &'static [u8]) -> Members<'a> {
        out.push(b'{');
        let begin = out.len();
        Members { out, begin, members: Vec::new(), key: None, close }
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: Cow<'static, str>, value: &T) -> Done {
        if !self.members.is_empty() {
            self.out.push(b',');
        }
        let begin = self.out.len();
        Writer(self.out).string(&name)?;
        self.out.push(b':');
        value.serialize(Writer(self.out))?;
        self.members.push((name, begin..self.out.len()));
        Ok(())
    }

    /// Members are sorted by their names' UTF-16 code units (§3.2.3).
    fn close(mut self) -> Done {
        let ordered = |one: &str, other: &str| {
            if one.is_ascii() && other.is_ascii() {
                one.cmp(other)
            } else {
                one.encode_utf16().cmp(other.encode_utf16())
            }
        };
        if !self.members.is_sorted_by(|(one, _), (other, _)| ordered(one, other).is_lt()) {
            self.members.sort_by(|(one, _), (other, _)| ordered(one, other));
            self.rewrite()?;
        }
        self.out.extend(self.close);
        Ok(())
    }

    fn rewrite(&mut self) -> Done {
        if let Some(pair) = self.members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(serde::ser::Error::custom(format_args!("the member {} is there twice", pair[0].0)));
        }
        let written = self.out.split_off(self.begin);
        for (index, (_, place)) in self.members.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.out.extend(&written[place.start - self.begin..place.end - self.begin]);
        }
        Ok(())
    }
}

macro_rules! arrays {
    ($($trait:ident $method:ident),*) => { $(
        impl $trait for Items<'_> {
            type Ok = ();
            type Error = NoCanonicalForm;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.item(value)
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    )* };
}

arrays!(SerializeSeq serialize_element, SerializeTuple serialize_element);
arrays!(SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field);

macro_rules! objects {
    ($($trait:ident),*) => { $(
        impl $trait for Members<'_> {
            type Ok = ();
            type Error = NoCanonicalForm;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
                self.member(Cow::Borrowed(name), value)
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    )* };
}

objects!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Members<'_> {
    type Ok = ();
    type Error = NoCanonicalForm;

    /// A name must be a string, or something that is written as one.
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        let mut written = Vec::new();
        key.serialize(Writer(&mut written))?;
        self.key = Some(serde_json::from_slice(&written)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let key =
            self.key.take().ok_or_else(|| <NoCanonicalForm as serde::ser::Error>::custom("a value without a name"))?;
        self.member(Cow::Owned(key), value)
    }

    fn end(self) -> Done {
        self.close()
    }
}
