//! How is a JSON object read that stands for a struct? Strictly: a list in its place, which serde would take, is none.

use serde::de::{DeserializeOwned, Error};

/// The whole text is one object.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{') { serde_json::from_slice(bytes) } else { Err(Error::custom("it is no JSON object")) }
}
