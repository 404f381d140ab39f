//! How are 32 bytes written in messages? As 64 lower-case hexadecimal digits.

/// Writes bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads exactly 32 bytes; `None` for anything else.
pub(crate) fn decode(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        assert_eq!(decode(&encode(&[0xa5; 32])), Some([0xa5; 32]));
    }

    #[test]
    fn another_length_or_alphabet_is_refused() {
        assert_eq!(decode("a5"), None);
        assert_eq!(decode(&"G".repeat(64)), None);
        assert_eq!(decode(&"A".repeat(64)), None);
    }
}
