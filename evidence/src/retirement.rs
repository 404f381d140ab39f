//! Until when does a key sign? Its file says so in a line before the key itself, which other readers of PEM skip.

use crate::key::{KeyError, KeyId, PublicKey};
use crate::time::Time;

/// What such a line begins with; a time and a line feed follow.
const RETIRED: &str = "Retired:";

/// What these lines before a key say.
pub(crate) fn read(pem: &str) -> Result<Option<Time>, KeyError> {
    let mut said = before_key(pem).split('\n').filter(|line| line.starts_with(RETIRED));
    let Some(line) = said.next() else { return Ok(None) };
    let time = line[RETIRED.len()..].strip_prefix(' ').and_then(|time| time.parse().ok());
    match (time, said.next()) {
        (Some(time), None) => Ok(Some(time)),
        _ => Err(KeyError::Retirement),
    }
}

/// The line, with its line feed.
pub(crate) fn written(at: Time) -> String {
    format!("{RETIRED} {at}\n")
}

fn before_key(pem: &str) -> &str {
    if pem.starts_with("-----BEGIN ") {
        return "";
    }
    pem.find("\n-----BEGIN ").map_or(pem, |end| &pem[..end])
}

/// When a key had been retired that signs at this moment all the same. Of several that say when, the earliest counts.
pub(crate) fn passed(keys: &[PublicKey], id: KeyId, signs: Time) -> Option<Time> {
    let known = keys.iter().filter(|key| key.id() == id);
    known.filter_map(PublicKey::retirement).min().filter(|retired| *retired < signs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    const AT: Time = Time::from_micros(1_800_000_000_000_000);

    #[test]
    fn a_retired_key_stays_so_in_its_file() {
        let key = SigningKey::from_seed([7; 32]).public().clone().retired_at(AT);
        let pem = key.to_pem();
        assert!(pem.starts_with("Retired: 2027-01-15T08:00:00.000000Z\n-----BEGIN PUBLIC KEY-----\n"), "{pem}");
        assert_eq!(PublicKey::from_pem(&pem).unwrap(), key);
        assert_eq!(PublicKey::from_pem(&format!("host a\n{pem}")).unwrap().retirement(), Some(AT));
    }

    #[test]
    fn a_line_that_does_not_say_when_makes_the_key_unusable() {
        let pem = SigningKey::from_seed([7; 32]).public().to_pem();
        for line in
            ["Retired:", "Retired: now", "Retired:  2027-01-15T08:00:00.000000Z", "Retired: 2027-01-15T08:00:00Z"]
        {
            assert!(matches!(PublicKey::from_pem(&format!("{line}\n{pem}")), Err(KeyError::Retirement)), "{line}");
        }
        let twice = format!("{0}{0}{pem}", written(AT));
        assert!(matches!(PublicKey::from_pem(&twice), Err(KeyError::Retirement)));
    }

    #[test]
    fn the_earliest_retirement_counts_and_its_own_moment_still_passes() {
        let key = SigningKey::from_seed([7; 32]).public().clone();
        let later = Time::from_micros(AT.micros() + 1);
        let keys = [key.clone(), key.clone().retired_at(later), key.clone().retired_at(AT)];
        assert_eq!(passed(&keys, key.id(), later), Some(AT));
        assert_eq!(passed(&keys, key.id(), AT), None);
        assert_eq!(passed(&keys[..1], key.id(), later), None);
    }
}
