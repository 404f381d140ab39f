//! Which range does a subuid(5) file grant? Strict: a line that is not exactly one grants nothing.

use std::io::Read;
use std::path::Path;

use bottle_images::{IDS, IdMap, OneMap};

use super::Lacking;

/// What is read of either file, in bytes.
const LIMIT: u64 = 1 << 20;

/// Where useradd(8) begins to give ranges out.
const FIRST: u32 = 100_000;

/// Which ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Uids,
    Gids,
}

impl Kind {
    fn path(self) -> &'static Path {
        Path::new(match self {
            Kind::Uids => "/etc/subuid",
            Kind::Gids => "/etc/subgid",
        })
    }
}

/// The text of the file; empty where there is none. Of a longer one nothing is obeyed.
pub(super) fn read(kind: Kind) -> Result<Vec<u8>, Lacking> {
    let path = kind.path();
    let failed = |why: String| Lacking::Unreadable { path: path.to_owned(), why };
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.map_err(|error| failed(error.to_string()))?,
    };
    let mut text = Vec::new();
    let length = file.take(LIMIT + 1).read_to_end(&mut text).map_err(|error| failed(error.to_string()))?;
    if length as u64 > LIMIT { Err(failed(format!("it is longer than {LIMIT} bytes"))) } else { Ok(text) }
}

/// The first of 65,536 ids that the first sufficient line grants to who is called so or has this uid. None of them is root's,
/// `own`, or beyond what ids can be.
pub fn granted(text: &[u8], name: &str, uid: u32, own: u32) -> Option<u32> {
    let number = uid.to_string();
    let theirs = |owner: &[u8]| owner == name.as_bytes() || owner == number.as_bytes();
    let mut ranges = lines(text).filter(|(owner, ..)| theirs(owner)).map(|(_, first, count)| (first, count));
    ranges.find(|(first, count)| *count >= IDS && is_apart(*first, own)).map(|(first, _)| first)
}

fn is_apart(first: u32, own: u32) -> bool {
    let end = first.checked_add(IDS).filter(|end| *end < u32::MAX);
    first > 0 && end.is_some_and(|end| own < first || own >= end)
}

/// Where 65,536 ids begin that no line grants to anybody. Nothing where the last ones are granted.
pub fn free(text: &[u8]) -> Option<u32> {
    let ends = lines(text).map(|(_, first, count)| u64::from(first) + u64::from(count));
    let first = ends.max().unwrap_or(0).max(u64::from(FIRST));
    u32::try_from(first).ok().filter(|first| is_apart(*first, 0))
}

/// Owner, first id and count of each line that is one.
fn lines(text: &[u8]) -> impl Iterator<Item = (&[u8], u32, u32)> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let (owner, first, count) = (fields.next()?, number(fields.next()?)?, number(fields.next()?)?);
        let whole = fields.next().is_none() && !owner.is_empty() && !owner.starts_with(b"#");
        whole.then_some((owner, first, count))
    })
}

/// Digits and nothing else: no sign, no space.
fn number(field: &[u8]) -> Option<u32> {
    let digits = field.iter().all(u8::is_ascii_digit);
    str::from_utf8(field).ok().filter(|_| digits).and_then(|text| text.parse().ok())
}

/// Whether all of these ids, and root's, are somebody's where this process lives: else a set-user-id program has no power, and
/// nothing outside can be mapped.
pub(super) fn mapped_here(map: IdMap) -> Result<(), Lacking> {
    let holds = |path: &str, map: OneMap| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        covers(&text, 0, 1) && covers(&text, map.own, 1) && covers(&text, map.first, IDS)
    };
    let all = holds("/proc/self/uid_map", map.uids) && holds("/proc/self/gid_map", map.gids);
    if all { Ok(()) } else { Err(Lacking::Nested) }
}

/// Whether one line of a uid_map has all of these ids inside.
fn covers(map: &str, first: u32, count: u32) -> bool {
    map.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().map(|field| field.parse::<u64>().ok());
        let (Some(Some(from)), _, Some(Some(many))) = (fields.next(), fields.next(), fields.next()) else {
            return false;
        };
        from <= u64::from(first) && u64::from(first) + u64::from(count) <= from + many
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann(text: &str) -> Option<u32> {
        granted(text.as_bytes(), "ann", 1000, 1000)
    }

    #[test]
    fn a_range_is_granted_by_name_or_by_uid_and_the_first_that_suffices_counts() {
        assert_eq!(ann("ann:100000:65536\n"), Some(100_000));
        assert_eq!(ann("1000:100000:65536"), Some(100_000));
        assert_eq!(ann("bob:100000:65536\nann:165536:65535\nann:300000:131072\nann:500000:65536\n"), Some(300_000));
        assert_eq!(ann("# ann\n\nann:100000:65536\n"), Some(100_000));
    }

    #[test]
    fn what_is_not_exactly_a_line_grants_nothing() {
        for line in [
            "",
            "ann",
            "ann:100000",
            "ann:100000:",
            "ann::65536",
            "ann:100000:65536:",
            "ann:100000:65536:1",
            " ann:100000:65536",
            "ann :100000:65536",
            "ann: 100000:65536",
            "ann:100000:65536 ",
            "ann:100000:65536\r",
            "ann:+100000:65536",
            "ann:-1:65536",
            "ann:0x186a0:65536",
            "ann:100000:99999999999999999999",
            "#ann:100000:65536",
            "ann:\u{661}00000:65536",
            "an:100000:65536",
            "anne:100000:65536",
            "ANN:100000:65536",
            "10000:100000:65536",
        ] {
            assert_eq!(ann(line), None, "{line:?}");
        }
        assert_eq!(granted(b":100000:65536\n\xff:1:2\n", "", 1000, 1000), None);
    }

    #[test]
    fn a_range_with_root_the_caller_or_an_id_that_is_none_is_not_used() {
        for line in ["ann:0:65536", "ann:1:65536", "ann:1000:65536", "ann:4294901760:65536", "ann:4294967295:65536"] {
            assert_eq!(ann(line), None, "{line}");
        }
        assert_eq!(ann("ann:1001:65536"), Some(1001));
        assert_eq!(ann("ann:4294901758:65536"), Some(4_294_901_758));
    }

    #[test]
    fn what_is_free_lies_behind_all_that_is_granted() {
        assert_eq!(free(b""), Some(100_000));
        assert_eq!(free(b"ann:100000:65536\nbob:165536:65536\nbad\n"), Some(231_072));
        assert_eq!(free(b"ann:5:6\n"), Some(100_000));
        assert_eq!(free(b"ann:4294901000:65536\n"), None);
    }

    #[test]
    fn ids_that_a_map_has_in_one_piece_are_there() {
        let whole = "         0          0 4294967295\n";
        assert!(covers(whole, 0, 1) && covers(whole, 100_000, IDS));
        let small = "0 1000 1\n1 100000 65536\n";
        assert!(covers(small, 0, 1) && covers(small, 1, IDS) && !covers(small, 2, IDS) && !covers(small, 100_000, IDS));
        assert!(!covers("", 0, 1) && !covers("0 0\n", 0, 1));
    }

    #[test]
    fn nothing_makes_the_reader_stumble() {
        // All texts of up to five of these bytes.
        let bytes = b"a:01\n#";
        for length in 0..=5_u32 {
            for number in 0..bytes.len().pow(length) {
                let text: Vec<u8> = (0..length).map(|at| bytes[number / bytes.len().pow(at) % bytes.len()]).collect();
                assert_eq!(granted(&text, "a", 1, 1), None, "{text:?}");
                assert!(free(&text).is_some());
            }
        }
    }
}
