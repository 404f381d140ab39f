//! Which bytes are signed and hashed? The canonical form of RFC 8785, written here and demanded of what is read.

mod strict;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

/// Up to here, every JSON reader keeps every integer exactly (2⁵³ − 1).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum NoCanonicalForm {
    /// An integer beyond [`MAX_INTEGER`] that JSON readers would round.
    #[error("the integer {0} is too large for JSON to keep it exactly")]
    Inexact(Number),
    /// The value can't be JSON at all.
    #[error("not representable in JSON: {0}")]
    NotJson(#[from] serde_json::Error),
}

/// The canonical form of a value.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, NoCanonicalForm> {
    let mut bytes = Vec::with_capacity(512);
    write(&serde_json::to_value(value)?, &mut bytes)?;
    Ok(bytes)
}

/// Why bytes were not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// An object has a field twice.
    #[error("duplicate field `{0}`")]
    DuplicateField(String),
    /// JSON, but not in canonical form, as from this byte on.
    #[error("not in canonical form (RFC 8785) at byte {0}")]
    NotCanonical(usize),
    /// Canonical JSON, but not of the form that is expected here: unknown, missing or ill-typed fields.
    #[error("not the expected form: {0}")]
    Form(String),
}

/// Reads a value from bytes that must be exactly its canonical form.
pub fn read<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, ReadError> {
    match serde_json::from_slice::<T>(bytes) {
        Ok(value) if to_bytes(&value).is_ok_and(|canonical| canonical == bytes) => Ok(value),
        Ok(_) => Err(diagnosis(bytes, None)),
        Err(error) => Err(diagnosis(bytes, Some(error))),
    }
}

/// Names what is wrong with bytes that were not read.
fn diagnosis(bytes: &[u8], error: Option<serde_json::Error>) -> ReadError {
    let value = match strict::value(bytes) {
        Ok(value) => value,
        Err(error) => return error,
    };
    let mut canonical = Vec::new();
    if let Err(error) = write(&value, &mut canonical) {
        return ReadError::Form(strict::printable(&error.to_string()));
    }
    if canonical != bytes {
        let same = canonical.iter().zip(bytes).take_while(|(one, other)| one == other);
        return ReadError::NotCanonical(same.count());
    }
    match error {
        Some(error) => ReadError::Form(strict::printable(&error.to_string())),
        None => ReadError::Form("a field is missing or is not known here".into()),
    }
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), NoCanonicalForm> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_string(text, out)?,
        Value::Array(items) => write_array(items, out)?,
        Value::Object(members) => write_object(members, out)?,
    }
    Ok(())
}

/// serde_json escapes just what RFC 8785 §3.2.2.2 says, in the same spelling.
fn write_string(text: &str, out: &mut Vec<u8>) -> Result<(), NoCanonicalForm> {
    Ok(serde_json::to_writer(out, text)?)
}

/// An integer is a double, as any number of JSON (RFC 8785 §3.2.2.3): it is written only where that loses nothing.
fn write_number(number: &Number, out: &mut Vec<u8>) -> Result<(), NoCanonicalForm> {
    let integer = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    let text = match integer {
        Some(magnitude) if magnitude <= MAX_INTEGER => number.to_string().into_bytes(),
        _ => serde_json_canonicalizer::to_vec(number)?,
    };
    if integer.is_some_and(|_| number.to_string().as_bytes() != text) {
        return Err(NoCanonicalForm::Inexact(number.clone()));
    }
    out.extend(text);
    Ok(())
}

fn write_array(items: &[Value], out: &mut Vec<u8>) -> Result<(), NoCanonicalForm> {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Members are sorted by their names' UTF-16 code units (RFC 8785 §3.2.3).
fn write_object(members: &Map<String, Value>, out: &mut Vec<u8>) -> Result<(), NoCanonicalForm> {
    let mut members: Vec<(&String, &Value)> = members.iter().collect();
    members.sort_by(|(one, _), (other, _)| {
        if one.is_ascii() && other.is_ascii() { one.cmp(other) } else { one.encode_utf16().cmp(other.encode_utf16()) }
    });
    out.push(b'{');
    for (index, (name, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(name, out)?;
        out.push(b':');
        write(value, out)?;
    }
    out.push(b'}');
    Ok(())
}
