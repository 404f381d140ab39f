//! How are times and places in a log written on the command line?

use std::time::Duration;

use bottle_evidence::{BootId, Digest, Time, quote};

/// 64 hex digits, in either case.
pub fn digest(text: &str) -> Result<Digest, String> {
    let text = text.to_ascii_lowercase();
    text.strip_prefix("sha256:").unwrap_or(&text).parse().map_err(|_| "not 64 hex digits".to_owned())
}

/// As the kernel spells it.
pub fn boot_id(text: &str) -> Result<BootId, String> {
    text.parse().map_err(|error: bottle_evidence::boot::NotABootId| error.to_string())
}

/// A moment as RFC 3339 spells it, with or without parts of a second, in any zone.
pub fn moment(text: &str) -> Result<Time, String> {
    Time::from_rfc3339(text).map_err(|_| "not a moment such as 2026-01-02T03:04:05Z".to_owned())
}

/// `SEQ:HASH`.
pub fn head(text: &str) -> Result<(u64, Digest), String> {
    let (seq, hash) = text.split_once(':').ok_or("a number, a colon and a hash are expected")?;
    let is_decimal = seq.bytes().all(|digit| digit.is_ascii_digit()) && !(seq.len() > 1 && seq.starts_with('0'));
    let seq = seq.parse().ok().filter(|_| is_decimal).ok_or("not a sequence number")?;
    let hash: Digest = hash.parse().map_err(|error: bottle_evidence::digest::NotADigest| error.to_string())?;
    Ok((seq, hash))
}

/// `N=HEX`: a PCR and its value.
pub fn pcr(text: &str) -> Result<(u8, Digest), String> {
    let (number, value) = text.split_once('=').ok_or("a PCR's number, = and 64 hex digits are expected")?;
    let number = number.parse().ok().filter(|number| *number < quote::PCRS);
    Ok((number.ok_or_else(|| format!("a PCR's number is below {}", quote::PCRS))?, digest(value)?))
}

/// A whole number of seconds, or numbers with a unit each: `90`, `15m`, `1h30m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (mut total, mut rest) = (Some(0_u64), text);
    while !rest.is_empty() || text.is_empty() {
        let after = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let number = &rest[..rest.len() - after.len()];
        rest = after.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
        let seconds = match &after[..after.len() - rest.len()] {
            "" if number.len() == text.len() => 1,
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "" => return Err(FORMS.to_owned()),
            unit => return Err(format!("no such unit of time: {unit}; write s, m, h or d")),
        };
        if number.is_empty() {
            return Err(FORMS.to_owned());
        }
        // A number that is none is too large.
        let part = number.parse().ok().and_then(|number: u64| number.checked_mul(seconds));
        total = total.zip(part).and_then(|(total, part)| total.checked_add(part));
    }
    match total {
        Some(total @ 1..) => Ok(Duration::from_secs(total)),
        _ => Err("not a time that can pass".to_owned()),
    }
}

const FORMS: &str = "not a time: write 90, 90s, 15m, 2h, 1h30m or 7d";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_may_lack_parts_of_a_second_and_have_a_zone() {
        let whole = moment("2026-01-02T03:04:05Z").map(|time| time.to_string());
        assert_eq!(whole.as_deref(), Ok("2026-01-02T03:04:05.000000Z"));
        assert_eq!(moment("2026-01-02T04:04:05.000+01:00"), moment("2026-01-02T03:04:05Z"));
        assert!(moment("yesterday").is_err() && moment("2026-01-02").is_err());
    }

    #[test]
    fn a_head_is_a_number_as_it_was_printed_and_a_hash() {
        let hash = "0".repeat(64);
        assert_eq!(head(&format!("4:{hash}")).unwrap().0, 4);
        assert_eq!(head(&format!("0:{hash}")).unwrap().0, 0);
        for number in ["+4", "04", "", " 4", "18446744073709551616"] {
            assert!(head(&format!("{number}:{hash}")).is_err(), "{number}");
        }
    }

    #[test]
    fn a_pcr_has_a_number_and_a_value() {
        assert_eq!(pcr(&format!("23={}", "0A".repeat(32))), Ok((23, Digest([10; 32]))));
        for wrong in ["7", "24=00", "7=00", "x=00", "7:00", &format!("24={}", "00".repeat(32))] {
            assert!(pcr(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("1m5s"), Ok(Duration::from_secs(65)));
        for wrong in [
            "1h30",
            "1h 30m",
            "h1",
            "ä",
            "",
            "s",
            "0",
            "-1",
            "1w",
            "1.5h",
            "99999999999999999999",
            "9999999999999999999h",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
