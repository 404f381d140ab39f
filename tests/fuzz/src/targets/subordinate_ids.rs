//! Does /etc/subuid ever grant ids that no line of it grants, or call free what one does?

use bottle_runtime::subordinate::{free, granted};

use super::Reading;

/// Whose lines are looked for.
const NAME: &str = "ann";
const UID: u32 = 1000;

/// As many ids as a bottle takes.
const IDS: u64 = 65_536;

pub(super) fn read(text: &[u8]) -> Reading {
    let found = granted(text, NAME, UID, UID).map(u64::from);
    if let Some(first) = found {
        assert!(first > 0 && first + IDS < u64::from(u32::MAX), "{first}");
        assert!(!(first..first + IDS).contains(&u64::from(UID)), "{first}: the caller's own id");
        let theirs = |(owner, from, count): &(&[u8], u64, u64)| {
            [NAME.as_bytes(), b"1000"].contains(owner) && *from == first && *count >= IDS
        };
        assert!(lines(text).any(|line| theirs(&line)), "{first}: no line says so");
        let others = [b"bob:1:4294967295\n", text].concat();
        assert_eq!(granted(&others, NAME, UID, UID).map(u64::from), found, "by what is somebody else's");
    }
    if let Some(first) = free(text).map(u64::from) {
        let taken = lines(text).find(|(_, from, count)| *from < first + IDS && first < from + count);
        assert_eq!(taken, None, "{first}");
    }
    found.is_some().into()
}

/// What a person would read: owner, first id and count, where a line has these three and they are numbers.
fn lines(text: &[u8]) -> impl Iterator<Item = (&[u8], u64, u64)> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#")).filter_map(|line| {
        let (owner, rest) = line.split_at(line.iter().position(|byte| *byte == b':')?);
        let (first, count) = std::str::from_utf8(&rest[1..]).ok()?.split_once(':')?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok());
        (!owner.is_empty()).then_some((owner, number(first)??.into(), number(count)??.into()))
    })
}
