//! How are times and places in a log written on the command line?

use std::time::Duration;

use bottle_evidence::Digest;

/// `SEQ:HASH`.
pub fn head(text: &str) -> Result<(u64, Digest), String> {
    let (seq, hash) = text.split_once(':').ok_or("a number, a colon and a hash are expected")?;
    let seq = seq.parse().map_err(|_| "not a sequence number".to_owned())?;
    let hash: Digest = hash.parse().map_err(|error: bottle_evidence::digest::NotADigest| error.to_string())?;
    Ok((seq, hash))
}

/// A whole number of seconds, or of the unit that follows it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        unit => return Err(format!("no such unit of time: {unit}; write s, m or h")),
    };
    let number: u64 = digits.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match number.checked_mul(seconds) {
        Some(total @ 1..) => Ok(Duration::from_secs(total)),
        _ => Err("not a time that can pass".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "s", "0", "-1", "1d", "1.5h", "99999999999999999999", "9999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
