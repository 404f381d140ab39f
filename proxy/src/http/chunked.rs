//! Where does a chunked body end? Followed byte by byte, in the strict form only.

use super::body::BodyError;

/// The place within a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunked {
    /// In the hexadecimal size, after this many digits.
    Size { digits: u8, size: u64 },
    /// After the carriage return of the size line.
    SizeEnd { size: u64 },
    /// In the data.
    Data { left: u64 },
    /// After the data.
    DataEnd { carriage_return: bool },
    /// In a trailer line of this length; a carriage return may have come.
    Trailer { total: u16, line: u16, carriage_return: bool },
    /// Past the last byte.
    Done,
}

const DIGITS: u8 = 15;
const TRAILERS: u16 = 8 * 1024;

impl Chunked {
    pub(super) const START: Chunked = Chunked::Size { digits: 0, size: 0 };

    /// Goes as far as `bytes` reach or the body ends; says how many bytes belong to it.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, BodyError> {
        let mut at = 0;
        while at < bytes.len() && *self != Chunked::Done {
            if let Chunked::Data { left } = *self {
                let step = (bytes.len() - at).min(usize::try_from(left).unwrap_or(usize::MAX));
                at += step;
                *self = match left - step as u64 {
                    0 => Chunked::DataEnd { carriage_return: false },
                    left => Chunked::Data { left },
                };
            } else {
                *self = self.after(bytes[at]).ok_or(BodyError::Chunk)?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn after(self, byte: u8) -> Option<Chunked> {
        use Chunked::{Data, DataEnd, Done, Size, SizeEnd, Trailer};
        Some(match (self, byte) {
            // Chunk extensions are refused: servers differ in where they end, and clients do not send them.
            (Size { digits: 1.., size }, b'\r') => SizeEnd { size },
            (Size { digits, size }, digit) if digits < DIGITS => {
                Size { digits: digits + 1, size: size << 4 | u64::from(char::from(digit).to_digit(16)?) }
            }
            (SizeEnd { size: 0 }, b'\n') => Trailer { total: 0, line: 0, carriage_return: false },
            (SizeEnd { size }, b'\n') => Data { left: size },
            (DataEnd { carriage_return: false }, b'\r') => DataEnd { carriage_return: true },
            (DataEnd { carriage_return: true }, b'\n') => Chunked::START,
            (Trailer { line: 0, carriage_return: true, .. }, b'\n') => Done,
            (Trailer { total, carriage_return: true, .. }, b'\n') => Trailer { total, line: 0, carriage_return: false },
            (Trailer { carriage_return: true, .. }, _) | (Trailer { carriage_return: false, .. }, b'\n' | 0) => {
                return None;
            }
            (Trailer { line: 0, .. }, b' ' | b'\t') => return None,
            (Trailer { total, line, .. }, b'\r') => Trailer { total, line, carriage_return: true },
            (Trailer { total, line, .. }, _) if total < TRAILERS => {
                Trailer { total: total + 1, line: line + 1, carriage_return: false }
            }
            _ => return None,
        })
    }
}
