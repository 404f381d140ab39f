//! Where does the ClientHello end that TLS records carry in whatever pieces?

/// The content type of handshake records.
pub(super) const HANDSHAKE: u8 = 22;

const HEADER: usize = 5;
const LONGEST_RECORD: usize = 1 << 14;
const MESSAGE_HEADER: usize = 4;
const CLIENT_HELLO: u8 = 1;
/// Real ones stay far below; post-quantum key shares make about 2 KiB.
const LONGEST_HELLO: usize = 1 << 16;

/// Why the records do not hold a ClientHello.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum RecordError {
    #[error("a TLS record of type {0} before the ClientHello was complete")]
    Type(u8),
    #[error("a TLS record of version {0}.{1}")]
    Version(u8, u8),
    #[error("a TLS record of {0} bytes")]
    Length(usize),
    #[error("the first TLS handshake message is of type {0}")]
    Message(u8),
    #[error("a ClientHello of {0} bytes")]
    TooLong(usize),
    #[error("a TLS record goes on after the ClientHello")]
    Trailing,
}

/// Gathers handshake bytes from records. Each byte is copied once.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Bytes of the stream consumed so far.
    at: usize,
    /// Bytes of the current record still to come.
    left: usize,
    handshake: Vec<u8>,
}

impl Records {
    /// The message gathered so far, header included.
    pub(super) fn handshake(&self) -> &[u8] {
        &self.handshake
    }

    /// Reads on in `stream`, which only ever grows. `Some(end)` once the message is complete: where its last record ends.
    pub(super) fn advance(&mut self, stream: &[u8]) -> Result<Option<usize>, RecordError> {
        loop {
            if self.left == 0 {
                let Some(header) = stream.get(self.at..self.at + HEADER) else {
                    return self.early_header(stream).map(|()| None);
                };
                self.left = record_length(header)?;
                self.at += HEADER;
            }
            if !self.take(stream)? {
                return Ok(None);
            }
            if self.expected()?.is_some_and(|expected| expected == self.handshake.len()) {
                return if self.left == 0 { Ok(Some(self.at)) } else { Err(RecordError::Trailing) };
            }
        }
    }

    /// A wrong type is wrong before the header is complete.
    fn early_header(&self, stream: &[u8]) -> Result<(), RecordError> {
        match stream.get(self.at) {
            Some(&kind) if kind != HANDSHAKE => Err(RecordError::Type(kind)),
            _ => Ok(()),
        }
    }

    /// Takes bytes up to the end of the record, of what is known of the message, or of the stream. False: the stream is used up.
    fn take(&mut self, stream: &[u8]) -> Result<bool, RecordError> {
        let wanted = self.expected()?.unwrap_or(MESSAGE_HEADER) - self.handshake.len();
        let there = &stream[self.at..];
        let count = wanted.min(self.left).min(there.len());
        self.handshake.extend_from_slice(&there[..count]);
        self.at += count;
        self.left -= count;
        Ok(count > 0)
    }

    /// The length of the whole message, once its header is there.
    fn expected(&self) -> Result<Option<usize>, RecordError> {
        match self.handshake.as_slice() {
            [kind, ..] if *kind != CLIENT_HELLO => Err(RecordError::Message(*kind)),
            [_, a, b, c, ..] => {
                let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
                if length > LONGEST_HELLO {
                    Err(RecordError::TooLong(length))
                } else {
                    Ok(Some(MESSAGE_HEADER + length))
                }
            }
            _ => Ok(None),
        }
    }
}

fn record_length(header: &[u8]) -> Result<usize, RecordError> {
    let [kind, major, minor, high, low] = *header else {
        return Ok(0);
    };
    if kind != HANDSHAKE {
        return Err(RecordError::Type(kind));
    }
    if major != 3 || minor > 4 {
        return Err(RecordError::Version(major, minor));
    }
    match usize::from(u16::from_be_bytes([high, low])) {
        length @ 1..=LONGEST_RECORD => Ok(length),
        length => Err(RecordError::Length(length)),
    }
}
