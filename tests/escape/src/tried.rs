//! What did an attempt do, and what did the kernel say? Never whether anything got out: that is not for the inside to tell, but for a way out that
//! must not be gone, since it leads beyond the lab.

use std::fmt::Display;
use std::io::Write;

use serde::{Deserialize, Serialize};

/// Why an attempt can't be made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotApplicable(pub String);

impl NotApplicable {
    /// The field lacks what the attempt needs.
    pub fn field(name: &str) -> Self {
        Self(format!("the field has no {name}"))
    }
}

/// One line from an attempt's process to the one that waits for it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    Step(String),
    Output(String),
    Way(String),
    NotApplicable(String),
    Done,
}

/// Writes down each step as it is made, so that a crash or a hang loses nothing.
#[derive(Debug)]
pub struct Tried<W = std::io::PipeWriter> {
    lines: W,
}

impl<W: Write> Tried<W> {
    pub(crate) fn new(lines: W) -> Self {
        Self { lines }
    }

    /// Notes how a call ended, and gives its value if there is one.
    pub fn call<T, E: Display>(&mut self, what: &str, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => {
                self.say(&Line::Step(format!("{what}: ok")));
                Some(value)
            }
            Err(error) => {
                self.say(&Line::Step(format!("{what}: {error}")));
                None
            }
        }
    }

    /// Notes bytes that came from where secrets lie.
    pub fn output(&mut self, bytes: &[u8]) {
        self.say(&Line::Output(String::from_utf8_lossy(bytes).into_owned()));
    }

    /// Notes that a way out is open which nobody goes here: it would lead to the machine below. That it is open counts as having got out.
    pub fn way(&mut self, what: &str) {
        self.say(&Line::Way(what.to_owned()));
    }

    pub(crate) fn say(&mut self, line: &Line) {
        let Ok(mut bytes) = serde_json::to_vec(line) else { return };
        bytes.push(b'\n');
        // Whoever waits is gone, or will say that nothing came.
        let _ = self.lines.write_all(&bytes);
    }
}

/// What became of one attempt, as the inside knows it: one JSON line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Which attempt.
    pub id: String,
    /// Each step and what the kernel said to it.
    pub tried: Vec<String>,
    /// What it read where secrets lie.
    pub output: String,
    /// Ways out that were open, and that it did not go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<String>,
    /// How its process ended.
    pub ended: Ended,
}

/// How an attempt's process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It came to its end.
    Done,
    /// It can't be made here, and why.
    NotApplicable(String),
    /// It was ended when its time was over.
    TimedOut,
    /// A signal ended it, such as 31 for a system call that a filter kills for.
    Signal(i32),
    /// It ended by itself before its end.
    Exit(i32),
}
