//! What does JSON hold when no field may be there twice?

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::ReadError;

const DUPLICATE: &str = "duplicate field: ";

/// Parses JSON; a field that is there twice is an error.
pub(super) fn value(bytes: &[u8]) -> Result<Value, ReadError> {
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(strict) => Ok(strict.0),
        Err(error) => Err(named(&error.to_string())),
    }
}

/// serde carries an error of ours as its text, followed by the place.
fn named(message: &str) -> ReadError {
    let Some(rest) = message.strip_prefix(DUPLICATE) else {
        return ReadError::Syntax(printable(message));
    };
    let name = rest.rsplit_once(" at line ").map_or(rest, |(name, _)| name);
    ReadError::DuplicateField(printable(name))
}

/// At most 200 characters, with all but printable ASCII escaped: what is wrong may be shown on a terminal.
pub(super) fn printable(message: &str) -> String {
    let escape = |char: char| match char {
        ' '..='~' => char.to_string(),
        other => other.escape_default().to_string(),
    };
    message.chars().take(200).map(escape).collect()
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(de::Error::custom(format_args!("{DUPLICATE}{name}")));
            }
            let Strict(value) = access.next_value()?;
            members.insert(name, value);
        }
        Ok(members.into())
    }
}
