//! How is text of foreign origin kept within bounds? Cut at 256 bytes, with a mark that says so.

use std::fmt::{self, Write};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A string of at most [`Text::MAX`] bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// The most bytes that a text has, the mark of a cut included.
    pub const MAX: usize = 256;
    /// The most texts that [`Text::list`] makes.
    pub const MAX_LIST: usize = 64;

    /// This text; if it is too long, its beginning and `…[+N bytes]`.
    pub fn new(text: &str) -> Text {
        if text.len() <= Text::MAX {
            return Text(text.to_owned());
        }
        let room = Text::MAX - mark(text.len()).len();
        let kept = text.floor_char_boundary(room);
        Text(format!("{}{}", &text[..kept], mark(text.len() - kept)))
    }

    /// These texts; if there are too many, the first ones and `…[+N more]`.
    pub fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Text> {
        let mut rest = texts.into_iter();
        let mut list: Vec<Text> = rest.by_ref().take(Text::MAX_LIST - 1).map(Text::new).collect();
        match (rest.next(), rest.count()) {
            (None, _) => {}
            (Some(last), 0) => list.push(Text::new(last)),
            (Some(_), more) => list.push(Text(format!("…[+{} more]", more + 1))),
        }
        list
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn mark(bytes: usize) -> String {
    format!("…[+{bytes} bytes]")
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        if text.len() <= Text::MAX { Text(text) } else { Text::new(&text) }
    }
}

/// For a terminal: what is not printable is escaped. [`Text::as_str`] has it as it is.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\'' | '"' => f.write_char(char),
            _ => write!(f, "{}", char.escape_debug()),
        })
    }
}

/// A text that is longer than any that is written.
#[derive(Debug, thiserror::Error)]
#[error("a text longer than {} bytes", Text::MAX)]
pub struct TooLong;

impl FromStr for Text {
    type Err = TooLong;

    fn from_str(text: &str) -> Result<Text, TooLong> {
        if text.len() <= Text::MAX { Ok(Text(text.to_owned())) } else { Err(TooLong) }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

/// Reads a JSON string by the type's own parser.
pub(crate) fn parsed<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Parse<T>(PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Parse<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Parse(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_character_and_says_by_how_much() {
        let cut = Text::new(&"ü".repeat(300));
        assert!(cut.as_str().len() <= Text::MAX);
        let (kept, mark) = cut.as_str().split_once('…').unwrap();
        assert_eq!(mark, format!("[+{} bytes]", 600 - kept.len()));
    }

    #[test]
    fn a_text_of_the_greatest_length_is_left_alone() {
        let text = "x".repeat(Text::MAX);
        assert_eq!(Text::new(&text).as_str(), text);
        assert_eq!(Text::new(Text::new(&"y".repeat(999)).as_str()), Text::new(&"y".repeat(999)));
    }

    #[test]
    fn a_long_list_says_how_many_are_missing() {
        assert_eq!(Text::list(vec!["a"; 64]).len(), 64);
        let cut = Text::list(vec!["a"; 100]);
        assert_eq!((cut.len(), cut[63].as_str()), (64, "…[+37 more]"));
    }

    #[test]
    fn what_could_move_a_cursor_is_escaped_for_display() {
        let text = Text::new("it's \u{1b}[2J \u{202e}é\n");
        assert_eq!(text.to_string(), "it's \\u{1b}[2J \\u{202e}é\\n");
    }

    #[test]
    fn a_longer_text_is_not_read() {
        assert!(serde_json::from_str::<Text>(&format!("\"{}\"", "x".repeat(257))).is_err());
    }
}
