//! What is one line of the log? `TIME STREAM TAG TEXT`; the tag says whether a line feed ended the text (`F`) or not (`P`).

use std::fmt::Write as _;

use bottle_evidence::Time;

/// The longest text of one line, in bytes; a longer one goes on in the next.
pub(super) const WIDTH: usize = 16 * 1024;

/// Who wrote something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The workload, on its standard output or its terminal.
    Output,
    /// The workload, on its standard error.
    Error,
    /// bottle itself: no workload can write under this name.
    Bottle,
}

/// A part of what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// When.
    pub time: &'a str,
    /// By whom.
    pub stream: Stream,
    /// Whether a line feed followed.
    pub ended: bool,
    /// What.
    pub text: &'a [u8],
}

const STREAMS: [(Stream, &str); 3] =
    [(Stream::Output, "stdout"), (Stream::Error, "stderr"), (Stream::Bottle, "bottle")];

impl Line<'_> {
    /// Reads a line, without its line feed. Nothing for what is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Line<'_>> {
        let mut words = bytes.splitn(4, |byte| *byte == b' ');
        let mut word = || str::from_utf8(words.next()?).ok();
        let (time, stream, tag) = (word()?, word()?, word()?);
        let stream = STREAMS.into_iter().find(|(_, name)| *name == stream)?.0;
        let ended = match tag {
            "F" => true,
            "P" => false,
            _ => return None,
        };
        Some(Line { time, stream, ended, text: words.next()? })
    }
}

/// The lines for bytes as they came.
pub(super) fn lines(time: Time, stream: Stream, bytes: &[u8]) -> Vec<u8> {
    let name = STREAMS.iter().find(|(known, _)| *known == stream).map_or("", |(_, name)| name);
    let mut head = String::new();
    // To write into a string does not fail.
    let _ = write!(head, "{time} {name} ");
    let mut lines = Vec::with_capacity(bytes.len() + 2 * head.len());
    for piece in bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(WIDTH + 1)) {
        let (text, tag) = match piece.strip_suffix(b"\n") {
            Some(text) => (text, "F "),
            None => (piece, "P "),
        };
        for part in [head.as_bytes(), tag.as_bytes(), text, b"\n"] {
            lines.extend(part);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let bytes = b"one\n\ntwo\xff three";
        let written = lines(Time::from_micros(6), Stream::Error, bytes);
        assert!(written.starts_with(b"1970-01-01T00:00:00.000006Z stderr F one\n"));
        let mut read = Vec::new();
        for line in written.split_inclusive(|byte| *byte == b'\n') {
            let line = Line::parse(line.strip_suffix(b"\n").unwrap()).unwrap();
            assert_eq!((line.stream, line.time), (Stream::Error, "1970-01-01T00:00:00.000006Z"));
            read.extend(line.text);
            read.extend(line.ended.then_some(b'\n'));
        }
        assert_eq!(read, bytes);
    }

    #[test]
    fn a_long_line_goes_on_in_the_next() {
        let written = lines(Time::from_micros(0), Stream::Output, &[vec![b'x'; 40_000], b"\n".to_vec()].concat());
        let parsed: Vec<(usize, bool)> = written
            .split(|byte| *byte == b'\n')
            .filter_map(Line::parse)
            .map(|line| (line.text.len(), line.ended))
            .collect();
        assert_eq!(parsed.iter().map(|(length, _)| length).sum::<usize>(), 40_000);
        assert!(parsed.iter().all(|(length, _)| *length <= WIDTH + 1));
        assert_eq!(parsed.iter().map(|(_, ended)| *ended).collect::<Vec<_>>(), [false, false, true]);
    }

    #[test]
    fn what_is_no_line_is_not_read() {
        for bytes in [&b""[..], b"t", b"t stdout", b"t stdout F", b"t stdin F x", b"t stdout X x", b"\xff stdout F x"] {
            assert!(Line::parse(bytes).is_none(), "{bytes:?}");
        }
        assert!(Line::parse(b"t stdout F ").is_some_and(|line| line.text.is_empty()));
    }
}
