//! How long is a request's body, in the one way that every server agrees on?

use super::fields::Fields;

/// How the body of a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    Empty,
    /// After this many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
}

/// Why the end of a body is ambiguous.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BodyError {
    /// Both ways at once: the classic smuggling request.
    #[error("both Content-Length and Transfer-Encoding")]
    Both,
    /// Not plain digits, or too large.
    #[error("a Content-Length that is not a plain number")]
    Length,
    /// Anything but `chunked`.
    #[error("a Transfer-Encoding other than chunked")]
    Coding,
    /// HTTP/1.0 has no chunks.
    #[error("Transfer-Encoding in HTTP/1.0")]
    OldChunked,
    /// CONNECT has no body.
    #[error("a CONNECT with a body")]
    OnConnect,
    /// A chunk that is not exactly as RFC 9112 says.
    #[error("a malformed chunk")]
    Chunk,
}

impl Body {
    pub(super) fn of(fields: &Fields<'_>, minor: u8) -> Result<Body, BodyError> {
        match (fields.content_length, fields.transfer_encoding) {
            (None, None) => Ok(Body::Empty),
            (Some(_), Some(_)) => Err(BodyError::Both),
            (Some(length), None) => plain_number(length),
            (None, Some(_)) if minor == 0 => Err(BodyError::OldChunked),
            (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunked),
            (None, Some(_)) => Err(BodyError::Coding),
        }
    }
}

/// Digits only: no sign, no list, no spaces; the largest is far below what any counter holds.
fn plain_number(text: &[u8]) -> Result<Body, BodyError> {
    const DIGITS: usize = 18;
    if text.is_empty() || text.len() > DIGITS || !text.iter().all(u8::is_ascii_digit) {
        return Err(BodyError::Length);
    }
    let value = text.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    Ok(if value == 0 { Body::Empty } else { Body::Length(value) })
}
