//! How is data printed? To standard output, and a reader who has seen enough is no error.

use std::io::{self, Write};

use serde::Serialize;

use crate::report::{Failure, is_obeyed};

/// Why data could not be printed.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
struct PrintError(#[source] io::Error);

/// One line.
pub fn line(text: &str) -> Result<(), Failure> {
    exactly(format!("{text}\n").as_bytes())
}

/// A value as JSON that a person can read, too, and in which a terminal obeys nothing: JSON itself escapes only what is below
/// U+0020.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    line(&escaped(&serde_json::to_string_pretty(value).map_err(Failure::new)?))
}

/// JSON in which a terminal obeys nothing, and which means the same. Such letters can only be within strings. All of them are of the Basic Multilingual Plane, so that one escape says each.
pub fn escaped(json: &str) -> String {
    let escape = |letter: char| match letter {
        letter if letter != '\n' && is_obeyed(letter) => format!("\\u{:04x}", u32::from(letter)),
        letter => letter.to_string(),
    };
    json.chars().map(escape).collect()
}

/// Bytes as they are, with nothing after them.
pub fn exactly(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // `bottle … | head -1` goes on as if all were read: what the verb exits with says more than what it prints.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(unwritten),
    }
}

/// What ends a verb whose data could not be printed.
pub fn unwritten(error: io::Error) -> Failure {
    Failure::new(PrintError(error))
}

/// Whether it is that who read has seen enough.
pub fn is_unread(failure: &Failure) -> bool {
    let error = failure.error.downcast_ref::<PrintError>();
    error.is_some_and(|PrintError(error)| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_nothing_that_a_terminal_obeys_and_means_the_same() {
        let text = "\u{9b}31m\u{202e}\u{7f}\u{1b}[2J\n\u{feff}é😀\\";
        let json = escaped(&serde_json::to_string_pretty(&[text]).unwrap());
        assert!(json.chars().all(|letter| letter == '\n' || !is_obeyed(letter)), "{json:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap(), [text]);
    }
}
