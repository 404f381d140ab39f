//! Which entries does a tar archive have, in order? Old, POSIX and GNU headers; long names, sparse files, PAX records.
//!
//! Entries are read as Go's archive/tar reads them, on which umoci, podman and docker are built, so that an image means the same
//! here as there: records of a global header are not applied, and links, directories and devices have no content whatever
//! size they claim. In memory is at most one entry's headers, of bounded length.

use std::io::{self, BufRead, Read};

use tar::{GnuExtSparseHeader, Header};

use super::entry::{self, Entry, Kind, Piece, Time};
use super::pax::{self, Extended};
use crate::limits;

/// Why an archive can't be read on.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// What it is read from failed.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It ends in the middle of something.
    #[error("the archive ends too early")]
    Truncated,
    /// A header is damaged, or this is no archive.
    #[error("the archive has a header with a wrong checksum: it is damaged or no tar archive")]
    Checksum,
    /// Something in a header can't be read.
    #[error("the archive has {0} that can't be read")]
    Header(&'static str),
    /// Something is longer than it may be.
    #[error("the archive has {what} of {size} bytes, and {limit} are the most that is taken")]
    TooLong {
        /// What.
        what: &'static str,
        /// How long it is.
        size: u64,
        /// How long it may be.
        limit: u64,
    },
    /// A kind of entry that has no meaning here.
    #[error("the archive has an entry of the type {:?}, which is not known", char::from(*.0))]
    Type(u8),
    /// Something follows the end.
    #[error("something follows the end of the archive")]
    Garbage,
}

/// An archive that is being read.
#[derive(Debug)]
pub(crate) struct Archive<R> {
    from: R,
    /// Bytes of the current entry that were not read yet, and the padding behind them.
    left: u64,
    padding: u64,
}

const BLOCK: u64 = 512;

impl<R: BufRead> Archive<R> {
    pub(crate) fn new(from: R) -> Archive<R> {
        Archive { from, left: 0, padding: 0 }
    }

    /// What it is read from; after [`Archive::next`], at the beginning of the entry's content.
    pub(crate) fn from(&self) -> &R {
        &self.from
    }

    /// The next entry; its content is what [`Archive::read`] gives then. After the last one, all that follows must be zeros.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, ArchiveError> {
        self.skip()?;
        let mut extended = Extended::default();
        let (mut long_path, mut long_link) = (None, None);
        let mut headers = 0;
        loop {
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let bytes = header.as_bytes();
            let kind = bytes[156];
            let size = number(&bytes[124..136])?;
            if !matches!(kind, b'L' | b'K' | b'x' | b'g') {
                extended.path = extended.path.or(long_path);
                extended.link = extended.link.or(long_link);
                return self.entry(&header, size, extended).map(Some);
            }
            headers += size + BLOCK;
            if headers > limits::HEADERS {
                let limit = limits::HEADERS;
                return Err(ArchiveError::TooLong { what: "extended headers", size: headers, limit });
            }
            let data = self.extension(size)?;
            match kind {
                b'L' => long_path = Some(until_nul(&data).to_owned()),
                b'K' => long_link = Some(until_nul(&data).to_owned()),
                b'x' => extended = pax::parse(&data)?,
                // Checked and not applied, as Go does.
                _ => drop(pax::parse(&data)?),
            }
        }
    }

    /// The content of an entry, or as much of it as is at hand; nothing at its end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        loop {
            match self.from.read(&mut buffer[..most]) {
                Ok(0) => return Err(ArchiveError::Truncated),
                Ok(count) => {
                    self.left -= count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn entry(&mut self, header: &Header, size: u64, extended: Extended) -> Result<Entry, ArchiveError> {
        let bytes = header.as_bytes();
        let path = extended.path.clone().unwrap_or_else(|| header.path_bytes().into_owned());
        let link = || extended.link.clone().unwrap_or_else(|| until_nul(&bytes[157..257]).to_owned());
        let device = |at: usize| device_number(&bytes[at..at + 8]);
        let size = extended.size.unwrap_or(size);
        let kind = match bytes[156] {
            b'\0' | b'0' | b'7' if path.ends_with(b"/") && bytes[156] == 0 => Kind::Directory,
            b'\0' | b'0' | b'7' => self.file(size, &extended)?,
            b'S' => self.gnu_sparse(header, size)?,
            b'1' => Kind::HardLink(link()),
            b'2' => Kind::SymbolicLink(link()),
            b'3' => Kind::Character { major: device(329)?, minor: device(337)? },
            b'4' => Kind::Block { major: device(329)?, minor: device(337)? },
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => return Err(ArchiveError::Type(other)),
        };
        let id = |given: Option<u32>, at: usize| {
            let id = match given {
                Some(id) => Ok(id),
                None => u32::try_from(number(&bytes[at..at + 8])?),
            };
            // The last number is nobody's: to chown(2) it means that the owner stays.
            id.ok().filter(|id| *id != u32::MAX).ok_or(ArchiveError::Header("an owner"))
        };
        let seconds = signed(&bytes[136..148]).ok_or(ArchiveError::Header("a time"));
        Ok(Entry {
            path: extended.sparse.name.clone().unwrap_or(path),
            kind,
            mode: (number(&bytes[100..108])? & 0o7777) as u32,
            uid: id(extended.uid, 108)?,
            gid: id(extended.gid, 116)?,
            mtime: extended
                .mtime
                .map_or_else(|| Ok(Time { seconds: seconds?, nanoseconds: 0 }), Ok::<Time, ArchiveError>)?,
            xattrs: extended.xattrs,
        })
    }

    /// A regular file; its size and map may be those of a sparse one.
    fn file(&mut self, size: u64, extended: &Extended) -> Result<Kind, ArchiveError> {
        self.begin(size);
        let pieces = match extended.sparse.map() {
            _ if extended.sparse.map_is_in_data() => self.map_in_data()?,
            Some(pieces) => pieces?,
            None => return Ok(Kind::File { size, pieces: None }),
        };
        let size = extended.sparse.size.ok_or(ArchiveError::Header("a sparse file without its size"))?;
        self.sparse(size, pieces)
    }

    /// GNU's own sparse files: four pieces in the header, more in blocks behind it.
    fn gnu_sparse(&mut self, header: &Header, size: u64) -> Result<Kind, ArchiveError> {
        let wrong = ArchiveError::Header("the map of a sparse file");
        let gnu = header.as_gnu().ok_or(wrong)?;
        let mut numbers = Vec::new();
        let mut add = |sparse: &[tar::GnuSparseHeader]| {
            for piece in sparse.iter().take_while(|piece| piece.offset[0] != 0) {
                numbers.extend([number(&piece.offset)?, number(&piece.numbytes)?]);
            }
            if numbers.len() / 2 > limits::SPARSE {
                Err(ArchiveError::Header("too many pieces of a sparse file"))
            } else {
                Ok(())
            }
        };
        add(&gnu.sparse)?;
        let mut more = gnu.isextended[0] == 1;
        while more {
            let mut block = GnuExtSparseHeader::new();
            fill(&mut self.from, block.as_mut_bytes())?;
            add(&block.sparse)?;
            more = block.isextended[0] == 1;
        }
        self.begin(size);
        let pieces = pax::pieces(&numbers)?;
        self.sparse(number(&gnu.realsize)?, pieces)
    }

    fn sparse(&self, size: u64, pieces: Vec<Piece>) -> Result<Kind, ArchiveError> {
        if !entry::fit(&pieces, size) || entry::stored(&pieces) != self.left {
            return Err(ArchiveError::Header("the map of a sparse file"));
        }
        Ok(Kind::File { size, pieces: Some(pieces) })
    }

    /// Version 1.0: the number of pieces, then offset and length of each, a line each, filled up to a block.
    fn map_in_data(&mut self) -> Result<Vec<Piece>, ArchiveError> {
        let wrong = || ArchiveError::Header("the map of a sparse file");
        let (mut count, mut numbers, mut line) = (None, Vec::new(), Vec::new());
        let mut block = [0; BLOCK as usize];
        loop {
            if self.left < BLOCK {
                return Err(wrong());
            }
            fill(&mut self.from, &mut block)?;
            self.left -= BLOCK;
            for byte in block {
                if byte != b'\n' {
                    line.push(byte);
                    if line.len() > 20 && count.is_none_or(|count| numbers.len() < count) {
                        return Err(wrong());
                    }
                    continue;
                }
                let number = pax::decimal(&line).ok_or_else(wrong)?;
                line.clear();
                match count {
                    None if number <= limits::SPARSE as u64 => count = Some(number as usize * 2),
                    None => return Err(wrong()),
                    Some(_) => numbers.push(number),
                }
                if count == Some(numbers.len()) {
                    return pax::pieces(&numbers);
                }
            }
        }
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        // `headers` bounds the size.
        let mut data = Vec::new();
        let padded = size.next_multiple_of(BLOCK);
        if (&mut self.from).take(padded).read_to_end(&mut data)? as u64 != padded {
            return Err(ArchiveError::Truncated);
        }
        data.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(data)
    }

    /// Goes to the next header.
    fn skip(&mut self) -> Result<(), ArchiveError> {
        let mut rest = std::mem::take(&mut self.left).saturating_add(std::mem::take(&mut self.padding));
        while rest > 0 {
            let there = self.from.fill_buf()?.len();
            if there == 0 {
                return Err(ArchiveError::Truncated);
            }
            let step = there.min(usize::try_from(rest).unwrap_or(usize::MAX));
            self.from.consume(step);
            rest -= step as u64;
        }
        Ok(())
    }

    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let mut header = Header::new_old();
        if self.from.fill_buf()?.is_empty() {
            return Ok(None);
        }
        fill(&mut self.from, header.as_mut_bytes())?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return self.end().map(|()| None);
        }
        if is_checked(header.as_bytes()) { Ok(Some(header)) } else { Err(ArchiveError::Checksum) }
    }

    /// Behind the first block of zeros there are only more of them.
    fn end(&mut self) -> Result<(), ArchiveError> {
        loop {
            let there = self.from.fill_buf()?;
            if there.is_empty() {
                return Ok(());
            }
            if there.iter().any(|byte| *byte != 0) {
                return Err(ArchiveError::Garbage);
            }
            let count = there.len();
            self.from.consume(count);
        }
    }
}

fn fill(from: &mut impl Read, buffer: &mut [u8]) -> Result<(), ArchiveError> {
    from.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ArchiveError::Truncated,
        _ => error.into(),
    })
}

/// The sum of all bytes, the sum's own field taken as spaces; some old writers took the bytes as signed.
fn is_checked(header: &[u8; 512]) -> bool {
    let bytes = || header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    let Ok(said) = number(&header[148..156]).map(|sum| sum as i64) else { return false };
    said == bytes().map(i64::from).sum::<i64>() || said == bytes().map(|byte| i64::from(byte as i8)).sum::<i64>()
}

pub(super) fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number that can't be negative.
fn number(field: &[u8]) -> Result<u64, ArchiveError> {
    signed(field).and_then(|number| u64::try_from(number).ok()).ok_or(ArchiveError::Header("a number"))
}

fn device_number(field: &[u8]) -> Result<u32, ArchiveError> {
    u32::try_from(number(field)?).map_err(|_| ArchiveError::Header("a device number"))
}

/// Octal digits with spaces and NULs around them, or big-endian two's complement behind a set bit. Nothing is 0.
fn signed(field: &[u8]) -> Option<i64> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let negative = first & 0x40 != 0;
        // The marking bit is the sign's: with it set, what is left of the first byte is sign-extended.
        let start = if negative { i128::from(first as i8) } else { i128::from(first & 0x3f) };
        let value = rest.iter().try_fold(start, |value, byte| value.checked_mul(256)?.checked_add(i128::from(*byte)));
        return i64::try_from(value?).ok();
    }
    let digits = field.trim_ascii_start();
    let digits = digits.split(|byte| matches!(byte, 0 | b' ')).next().unwrap_or_default();
    if digits.is_empty() {
        return Some(0);
    }
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
