//! Did the server agree to an upgrade? Read off the first final response head of a connection.

/// The server's answers up to the first final one.
#[derive(Debug, Default)]
pub struct Answers {
    head: Vec<u8>,
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

impl Answers {
    /// Looks at the next bytes, which go on to the client whatever they are.
    pub fn push(&mut self, bytes: &[u8]) -> Answer {
        self.head.extend_from_slice(bytes);
        while let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") {
            match status(&self.head[..end]) {
                Some(101) => return Answer::Switched,
                Some(100..=199) => drop(self.head.drain(..end + 4)),
                _ => return Answer::Stayed,
            }
        }
        // A head that never ends is no agreement.
        if self.head.len() > LONGEST { Answer::Stayed } else { Answer::Waiting }
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
