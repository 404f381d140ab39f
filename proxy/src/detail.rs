//! How long may words be that cross a process boundary? At most [`Detail::MAX`] bytes.

use std::fmt;

/// Words about one attempt, at most 256 bytes; what is longer is cut and ends in `…`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Detail(String);

/// A text that should have been cut by its sender.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("text of {0} bytes where {max} are allowed", max = Detail::MAX)]
pub struct TooLong(usize);

impl Detail {
    /// The most bytes of UTF-8.
    pub const MAX: usize = 256;

    /// Keeps what fits.
    pub fn new(text: impl fmt::Display) -> Detail {
        const MARK: char = '…';
        let mut text = text.to_string();
        if text.len() > Detail::MAX {
            text.truncate(text.floor_char_boundary(Detail::MAX - MARK.len_utf8()));
            text.push(MARK);
        }
        Detail(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Detail {
    type Error = TooLong;

    fn try_from(text: String) -> Result<Detail, TooLong> {
        if text.len() > Detail::MAX { Err(TooLong(text.len())) } else { Ok(Detail(text)) }
    }
}

impl From<Detail> for String {
    fn from(detail: Detail) -> String {
        detail.0
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_character_and_marked() {
        let cut = Detail::new("ä".repeat(300));
        assert!(cut.as_str().len() <= Detail::MAX);
        assert!(cut.as_str().ends_with('…'));
    }

    #[test]
    fn a_long_text_from_outside_is_refused() {
        assert_eq!(Detail::try_from("x".repeat(257)), Err(TooLong(257)));
        assert!(Detail::try_from("x".repeat(256)).is_ok());
    }
}
