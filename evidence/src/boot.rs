//! Of which boot of a machine is something? Of the one whose id the kernel drew when it began.

use std::fmt;
use std::str::FromStr;

/// What /proc/sys/kernel/random/boot_id says, as it says it: `85e7568d-b530-48b6-a1f9-8212cc135334`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BootId([u8; BootId::LENGTH]);

/// A text that is no boot's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a boot, as /proc/sys/kernel/random/boot_id has it")]
pub struct NotABootId;

impl BootId {
    const LENGTH: usize = 36;
}

impl FromStr for BootId {
    type Err = NotABootId;

    fn from_str(text: &str) -> Result<BootId, NotABootId> {
        let bytes: [u8; BootId::LENGTH] = text.as_bytes().try_into().map_err(|_| NotABootId)?;
        let fits = |(at, byte): (usize, &u8)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
        };
        if bytes.iter().enumerate().all(fits) { Ok(BootId(bytes)) } else { Err(NotABootId) }
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_own_spelling_is_read() {
        let id = "85e7568d-b530-48b6-a1f9-8212cc135334";
        assert_eq!(id.parse::<BootId>().unwrap().to_string(), id);
        for other in
            ["", &id[1..], &id.to_uppercase(), &id.replace('-', "0"), &id.replace('5', "g"), &format!("{id}\n")]
        {
            assert_eq!(other.parse::<BootId>(), Err(NotABootId), "{other:?}");
        }
    }
}
