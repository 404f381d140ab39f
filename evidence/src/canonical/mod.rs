//! Which bytes are signed and hashed? The canonical form of RFC 8785, written here and demanded of what is read.

mod parts;
mod strict;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Number;

use write::Writer;

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
    value.serialize(Writer(&mut bytes))?;
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
    let canonical = match to_bytes(&value) {
        Ok(canonical) => canonical,
        Err(error) => return ReadError::Form(strict::printable(&error.to_string())),
    };
    if canonical != bytes {
        let same = canonical.iter().zip(bytes).take_while(|(one, other)| one == other);
        return ReadError::NotCanonical(same.count());
    }
    match error {
        Some(error) => ReadError::Form(strict::printable(&error.to_string())),
        None => ReadError::Form("a field is missing or is not known here".into()),
    }
}
