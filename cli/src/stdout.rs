//! How is data printed? To standard output, and a reader who has seen enough is no error.

use std::io::{self, Write};

use serde::Serialize;

use crate::report::Failure;

/// Why data could not be printed.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
struct PrintError(#[source] io::Error);

/// One line.
pub fn line(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

/// A value as JSON that a person can read, too.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    line(&serde_json::to_string_pretty(value).map_err(Failure::new)?)
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // `bottle … | head -1` goes on as if all were read: what the verb exits with says more than what it prints.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| Failure::new(PrintError(error))),
    }
}
