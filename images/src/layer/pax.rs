//! What do the extended headers of an entry say? Records of `LENGTH KEY=VALUE`, as POSIX has them.

use super::archive::ArchiveError;
use super::entry::{Piece, Time};
use crate::limits;

/// What an extended header changes about the entry that follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extended {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) mtime: Option<Time>,
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) sparse: Sparse,
}

/// GNU's three ways to write down a sparse file in extended headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sparse {
    major: u64,
    minor: u64,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    /// Offsets and lengths in turn.
    numbers: Vec<u64>,
    has_map: bool,
}

impl Sparse {
    /// Whether the map lies before the data (version 1.0).
    pub(crate) fn map_is_in_data(&self) -> bool {
        self.major == 1 && self.minor == 0
    }

    /// The map of versions 0.0 and 0.1.
    pub(crate) fn map(&self) -> Option<Result<Vec<Piece>, ArchiveError>> {
        self.has_map.then(|| pieces(&self.numbers))
    }
}

/// Offsets and lengths in turn.
pub(super) fn pieces(numbers: &[u64]) -> Result<Vec<Piece>, ArchiveError> {
    if !numbers.len().is_multiple_of(2) || numbers.len() / 2 > limits::SPARSE {
        return Err(ArchiveError::Header("the map of a sparse file"));
    }
    Ok(numbers.chunks(2).map(|pair| Piece { offset: pair[0], length: pair[1] }).collect())
}

/// Reads all records.
pub(crate) fn parse(mut data: &[u8]) -> Result<Extended, ArchiveError> {
    let mut extended = Extended::default();
    while !data.is_empty() {
        let (record, rest) = split(data).ok_or(ArchiveError::Header("an extended header"))?;
        apply(&mut extended, record)?;
        data = rest;
    }
    Ok(extended)
}

/// A key and its value.
type Record<'a> = (&'a [u8], &'a [u8]);

/// `LENGTH KEY=VALUE\n`, where LENGTH counts itself.
fn split(data: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = data.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = decimal(&data[..space])?.try_into().ok()?;
    let record = data.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some(((&record[..equals], &record[equals + 1..]), &data[length..]))
}

fn apply(extended: &mut Extended, (key, value): Record<'_>) -> Result<(), ArchiveError> {
    let wrong = || ArchiveError::Header("an extended header");
    let number = || decimal(value).ok_or_else(wrong);
    let id = || number().and_then(|id| u32::try_from(id).map_err(|_| wrong()));
    // An empty value means what the plain header says.
    match key {
        b"path" => extended.path = text(value)?,
        b"linkpath" => extended.link = text(value)?,
        _ if value.is_empty() && !key.starts_with(XATTR) => {}
        b"size" => extended.size = Some(number()?),
        b"uid" => extended.uid = Some(id()?),
        b"gid" => extended.gid = Some(id()?),
        b"mtime" => extended.mtime = Some(time(value).ok_or_else(wrong)?),
        b"GNU.sparse.major" => extended.sparse.major = number()?,
        b"GNU.sparse.minor" => extended.sparse.minor = number()?,
        b"GNU.sparse.name" => extended.sparse.name = text(value)?,
        b"GNU.sparse.size" | b"GNU.sparse.realsize" => extended.sparse.size = Some(number()?),
        b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
            extended.sparse.has_map = true;
            extended.sparse.numbers.push(number()?);
        }
        b"GNU.sparse.map" => {
            extended.sparse.has_map = true;
            let numbers = value.split(|byte| *byte == b',').map(|number| decimal(number).ok_or_else(wrong));
            extended.sparse.numbers = numbers.collect::<Result<_, _>>()?;
        }
        _ => match key.strip_prefix(XATTR) {
            Some(name) if !name.is_empty() => extended.xattrs.push((name.to_owned(), value.to_owned())),
            _ => {}
        },
    }
    Ok(())
}

const XATTR: &[u8] = b"SCHILY.xattr.";

fn text(value: &[u8]) -> Result<Option<Vec<u8>>, ArchiveError> {
    if value.contains(&0) {
        return Err(ArchiveError::Header("a name with a NUL"));
    }
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// Seconds with a fraction, which may be negative.
fn time(value: &[u8]) -> Option<Time> {
    let (negative, value) = value.strip_prefix(b"-").map_or((false, value), |value| (true, value));
    let mut parts = value.splitn(2, |byte| *byte == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let nanoseconds =
        (0..9).fold(0, |sum, digit| sum * 10 + fraction.get(digit).map_or(0, |byte| u32::from(byte - b'0')));
    Some(match (negative, nanoseconds) {
        (false, nanoseconds) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds: 0 },
        (true, nanoseconds) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(key: &str, value: &[u8]) -> Vec<u8> {
        let content = key.len() + value.len() + 3;
        let mut length = content + 1;
        while length.to_string().len() + content != length {
            length += 1;
        }
        [length.to_string().as_bytes(), b" ", key.as_bytes(), b"=", value, b"\n"].concat()
    }

    #[test]
    fn records_are_read() {
        let long = "d/".repeat(300);
        let data = [
            record("path", long.as_bytes()),
            record("mtime", b"12.5"),
            record("SCHILY.xattr.user.a=b", b"=\0\n"),
            record("comment", b"x"),
            record("uid", b"70000"),
        ];
        let extended = parse(&data.concat()).unwrap();
        assert_eq!(extended.path.as_deref(), Some(long.as_bytes()));
        assert_eq!(extended.mtime, Some(Time { seconds: 12, nanoseconds: 500_000_000 }));
        // The first `=` ends the key: such attribute names can't be written.
        assert_eq!(extended.xattrs, [(b"user.a".to_vec(), b"b==\0\n".to_vec())]);
        assert_eq!(extended.uid, Some(70000));
    }

    #[test]
    fn times_before_1970_are_read() {
        assert_eq!(time(b"-1.25"), Some(Time { seconds: -2, nanoseconds: 750_000_000 }));
        assert_eq!(time(b"-1"), Some(Time { seconds: -1, nanoseconds: 0 }));
        assert_eq!(time(b"1.1234567899"), Some(Time { seconds: 1, nanoseconds: 123_456_789 }));
        assert_eq!((time(b""), time(b"1.x"), time(b"--1")), (None, None, None));
    }

    #[test]
    fn a_sparse_map_is_read_in_both_forms() {
        let data = [record("GNU.sparse.map", b"0,5,10,2")];
        let map = parse(&data.concat()).unwrap().sparse.map().unwrap().unwrap();
        assert_eq!(map, [Piece { offset: 0, length: 5 }, Piece { offset: 10, length: 2 }]);
        let data = [record("GNU.sparse.offset", b"7"), record("GNU.sparse.numbytes", b"1")];
        assert_eq!(parse(&data.concat()).unwrap().sparse.map().unwrap().unwrap(), [Piece { offset: 7, length: 1 }]);
    }

    #[test]
    fn records_that_make_no_sense_are_refused() {
        for data in [
            &b"5 a=b\n"[..],
            b"x a=b\n",
            b"99 a=b\n",
            b"6 a=b\x20",
            b"0 a=b\n",
            b"4 ab\n",
            b"18446744073709551615 a=b\n",
        ] {
            assert!(parse(data).is_err(), "{data:?}");
        }
        assert!(parse(&record("path", b"a\0b")).is_err());
        assert!(parse(&record("size", b"-1")).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&data);
        }
    }
}
