//! How does the gate prove that it is the real one? By a MAC over whatever it is asked, under the run's secret.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The run's secret, shared with the runtime that probes the gate.
#[derive(Clone)]
pub struct ChallengeKey([u8; 32]);

impl ChallengeKey {
    /// A key of 32 random bytes.
    pub fn new(key: [u8; 32]) -> ChallengeKey {
        ChallengeKey(key)
    }

    /// HMAC-SHA256 of the challenge, in hex; nothing where the challenge is not 64 hex digits.
    pub fn answer(&self, challenge: &str) -> Option<String> {
        let bytes = unhex(challenge)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(&bytes);
        Some(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for ChallengeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeKey(..)")
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    const DIGITS: usize = 64;
    if text.len() != DIGITS || !text.is_ascii() {
        return None;
    }
    let digit = |at: usize| text.as_bytes()[at] as char;
    let byte = |at| Some((digit(at).to_digit(16)? << 4 | digit(at + 1).to_digit(16)?) as u8);
    (0..DIGITS).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_hmac_sha256() {
        // RFC 4231 has no 32-byte key with 32-byte data; this pair was computed with another implementation.
        let key = ChallengeKey::new([0x0b; 32]);
        let answer = key.answer(&"aa".repeat(32)).expect("64 digits");
        assert_eq!(answer, ANSWER);
    }

    const ANSWER: &str = "8cf828dbc6ee0a67c0163a8e4be29a556ca8c66ecac330213fda9094a19e020a";

    #[test]
    fn what_is_no_challenge_gets_no_answer() {
        let key = ChallengeKey::new([1; 32]);
        for text in ["", "aa", &"zz".repeat(32), &"+1".repeat(32), &"aa".repeat(33), &"ä".repeat(32)] {
            assert_eq!(key.answer(text), None, "{text}");
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", ChallengeKey::new([1; 32])), "ChallengeKey(..)");
    }
}
