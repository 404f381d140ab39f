//! How are bytes spelled in records? Lower-case hexadecimal, and no other way.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The one spelling of these bytes.
pub fn encode(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// The bytes that this spells; `None` for another length, upper case or anything that is no digit.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lower_case_spelling_of_the_right_length_is_read() {
        assert_eq!(encode(&[0x0a, 0xff]), "0aff");
        assert_eq!(decode::<2>("0aff"), Some([0x0a, 0xff]));
        for wrong in ["0aFF", "0af", "0aff0", "0ag0", "0aé", ""] {
            assert_eq!(decode::<2>(wrong), None, "{wrong}");
        }
    }
}
