//! Did the server agree to an upgrade? Read off the first final response head of a connection.

/// The server's answers up to the first final one.
#[derive(Debug, Default)]
pub struct Answers {
    head: Vec<u8>,
    /// How many bytes of it were looked at.
    seen: usize,
}

/// What the server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// No final head yet.
    Waiting,
    /// 101: the protocol changes.
    Switched,
    /// Anything else: HTTP goes on.
    Stayed,
}

const LONGEST: usize = 64 * 1024;
const EMPTY_LINE: &[u8] = b"\r\n\r\n";

impl Answers {
    /// Looks at the next bytes, which go on to the client whatever they are.
    pub fn push(&mut self, bytes: &[u8]) -> Answer {
        self.head.extend_from_slice(bytes);
        while let Some(end) = self.end() {
            match status(&self.head[..end]) {
                Some(101) => return Answer::Switched,
                Some(100..=199) => {
                    self.head.drain(..end + EMPTY_LINE.len());
                    self.seen = 0;
                }
                _ => return Answer::Stayed,
            }
        }
        // A head that never ends is no agreement.
        if self.head.len() > LONGEST { Answer::Stayed } else { Answer::Waiting }
    }

    /// Where the empty line begins. However many pieces the bytes come in, each is looked at once.
    fn end(&mut self) -> Option<usize> {
        let (from, to) = (self.seen.saturating_sub(EMPTY_LINE.len() - 1), self.head.len().min(LONGEST));
        self.seen = to;
        let found = self.head[from..to].windows(EMPTY_LINE.len()).position(|window| window == EMPTY_LINE);
        found.map(|at| from + at)
    }
}

fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.1 ")?;
    let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
    if rest.get(3).is_some_and(|byte| *byte != b' ' && *byte != b'\r') {
        return None;
    }
    digits.parse().ok()
}
