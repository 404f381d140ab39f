//! How is one input several? Text, lines, and pieces of a stream.

/// The input as text, if it is.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The first lines of the input, without their line feeds.
pub(crate) fn lines(bytes: &[u8], most: usize) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(most)
}

/// A place within the input, the same for the same input.
pub(crate) fn place(bytes: &[u8]) -> usize {
    let sum = bytes.iter().fold(7_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    sum % (bytes.len() + 1)
}
