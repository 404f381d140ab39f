//! What may a bottle be called?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes.
const MOST: usize = 128;

/// `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, of at most 128 bytes: a file name that is no option and needs no quotes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name: letters and digits, and after the first also `_`, `.` and `-`, {MOST} at most")]
pub struct NameError(String);

impl Name {
    /// The one that a run gets whom nobody gave one: the beginning of its id.
    pub(crate) fn of_id(id: &str) -> Name {
        Name(id.chars().take(12).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Name, NameError> {
        let fits = text.len() <= MOST && text.starts_with(|first: char| first.is_ascii_alphanumeric());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if fits && plain { Ok(Name(text.to_owned())) } else { Err(NameError(text.to_owned())) }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Name, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_file_name_and_no_option() {
        for text in ["a", "7", "web-1", "a.b_c-D", &"x".repeat(128)] {
            assert_eq!(text.parse::<Name>().unwrap().as_str(), text);
        }
        for text in ["", "-a", ".a", "_a", "a/b", "a b", "ä", "a\n", "..", &"x".repeat(129)] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
        }
    }
}
