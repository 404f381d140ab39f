//! Is this the head of an HTTP request, and where does it end? Decided on the first line, before anything is parsed.
//!
//! Whatever a lenient server might still read as HTTP is HTTP here, so that it is then parsed strictly or refused;
//! only bytes that no server takes for a request line are opaque, and lines whose method is longer than any that is in use.

/// Where a scan stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scanned {
    NeedMore,
    /// Not HTTP.
    Opaque,
    /// HTTP, and wrong.
    Wrong(&'static str),
    /// A whole head, up to and with the empty line.
    Head(usize),
}

const LONGEST_METHOD: usize = 32;
const LONGEST_LINE: usize = 16 * 1024;
/// The longest head, request line and all.
pub(crate) const LONGEST_HEAD: usize = 32 * 1024;
const BLANK: usize = 8;

/// A scan over a growing stream; each byte is looked at once.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    at: usize,
    start: usize,
    line_end: Option<usize>,
}

impl HeadScan {
    /// Whether the first line was there and is a request line.
    pub(crate) fn is_http(&self) -> bool {
        self.line_end.is_some()
    }

    /// Reads on in `stream`, which only ever grows.
    pub(crate) fn advance(&mut self, stream: &[u8]) -> Scanned {
        while let Some(&byte) = stream.get(self.at) {
            let step = if self.is_http() { self.head_byte(stream, byte) } else { self.line_byte(stream, byte) };
            if step != Scanned::NeedMore {
                return step;
            }
            self.at += 1;
        }
        Scanned::NeedMore
    }

    fn line_byte(&mut self, stream: &[u8], byte: u8) -> Scanned {
        let so_far = &stream[self.start..self.at];
        match byte {
            // Servers skip empty lines before a request.
            b'\r' | b'\n' if so_far.is_empty() && self.at < BLANK => {
                self.start = self.at + 1;
                Scanned::NeedMore
            }
            b'\n' => self.line(so_far),
            _ if so_far.len() >= LONGEST_LINE => Scanned::Wrong("a request line without end"),
            b'\r' | b'\t' => Scanned::NeedMore,
            0..=31 | 127 => Scanned::Opaque,
            b' ' => {
                if so_far.is_empty() {
                    Scanned::Opaque
                } else {
                    Scanned::NeedMore
                }
            }
            _ if has_space(so_far) => Scanned::NeedMore,
            _ if is_token(byte) && so_far.len() < LONGEST_METHOD => Scanned::NeedMore,
            _ => Scanned::Opaque,
        }
    }

    fn line(&mut self, line: &[u8]) -> Scanned {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        if text == b"PRI * HTTP/2.0" || !names_http(text) {
            return Scanned::Opaque;
        }
        if self.start > 0 {
            return Scanned::Wrong("an empty line before the request line");
        }
        if text.len() == line.len() {
            return Scanned::Wrong("a line feed without carriage return");
        }
        self.line_end = Some(self.at);
        Scanned::NeedMore
    }

    fn head_byte(&mut self, stream: &[u8], byte: u8) -> Scanned {
        let before = &stream[..self.at];
        if before.ends_with(b"\r") != (byte == b'\n') {
            return Scanned::Wrong("a carriage return or line feed alone");
        }
        if byte == b'\n' && before.ends_with(b"\r\n\r") {
            return Scanned::Head(self.at + 1);
        }
        if self.at >= LONGEST_HEAD {
            return Scanned::Wrong("a request head without end");
        }
        Scanned::NeedMore
    }
}

fn has_space(line: &[u8]) -> bool {
    line.iter().take(LONGEST_METHOD + 1).any(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

fn names_http(line: &[u8]) -> bool {
    has_space(line) && line.windows(5).any(|window| window.eq_ignore_ascii_case(b"HTTP/"))
}

/// The bytes of a method (RFC 9110, tchar).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
