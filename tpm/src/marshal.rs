//! How does a TPM write numbers and buffers? Big-endian; a buffer after its length in two bytes.

/// Bytes that are being written.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn u8(mut self, value: u8) -> Writer {
        self.0.push(value);
        self
    }

    pub(crate) fn u16(self, value: u16) -> Writer {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn u32(self, value: u32) -> Writer {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Writer {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A `TPM2B`. No buffer of ours comes near its most, which is checked where they come from outside.
    pub(crate) fn sized(self, bytes: &[u8]) -> Writer {
        let length = u16::try_from(bytes.len()).expect("a buffer of at most 65535 bytes");
        self.u16(length).raw(bytes)
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes that are being read. What is beyond their end is `None`, and then it is no answer.
pub(crate) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader(bytes)
    }

    pub(crate) fn raw(&mut self, length: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.raw(1).map(|bytes| bytes[0])
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.raw(2)?.try_into().ok()?))
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.raw(4)?.try_into().ok()?))
    }

    /// A `TPM2B`.
    pub(crate) fn sized(&mut self) -> Option<&'b [u8]> {
        let length = self.u16()?;
        self.raw(length.into())
    }

    pub(crate) fn rest(self) -> &'b [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_beyond_it() {
        let bytes = Writer::default().u8(1).u16(2).u32(3).sized(b"four").raw(b"!").done();
        let mut reader = Reader::new(&bytes);
        assert_eq!((reader.u8(), reader.u16(), reader.u32()), (Some(1), Some(2), Some(3)));
        assert_eq!(reader.sized(), Some(&b"four"[..]));
        assert_eq!((reader.u16(), reader.rest()), (None, &b"!"[..]));
        assert_eq!(Reader::new(&[0, 9, 1]).sized(), None);
    }
}
