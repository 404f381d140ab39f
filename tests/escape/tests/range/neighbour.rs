//! Who is next door? A second sandbox of the same kind, with a program in it that listens.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use bottle_escape::neighbour::READY;

use super::sandbox::Sandbox;
use super::{Range, write};

/// A neighbour that listens.
pub struct Next(Child);

impl Next {
    /// Its input ends, and so does it.
    pub fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success(), "the neighbour");
    }
}

impl Range {
    /// Starts it, and waits until it listens.
    pub(super) fn neighbour(&self, sandbox: Sandbox<'_>, program: &Path) -> Next {
        let copy = self.path("neighbour/bottle-escape");
        fs::copy(program, &copy).unwrap();
        write(&self.path("neighbour/field.json"), &self.field);
        let around = self.around(sandbox, "neighbour", "neighbour.jsonl");
        let listener = [copy.to_str().unwrap(), "neighbour", "--field", "field.json"].map(str::to_owned);
        let mut words = around.into_iter().chain(listener);
        let mut command = self.command(sandbox, Path::new(&words.next().unwrap()), "neighbour");
        let mut child = command.args(words).stdin(Stdio::piped()).spawn().unwrap();
        // Its image may have to be unpacked first.
        let end = Instant::now() + Duration::from_secs(120);
        while !self.path("neighbour").join(READY).exists() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the neighbour ended before it listened: {ended:?}");
            assert!(Instant::now() < end, "the neighbour does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Next(child)
    }
}
