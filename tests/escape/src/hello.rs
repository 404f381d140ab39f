//! What is in a ClientHello? Built byte by byte from a description, since malformed ones are the point.

use serde::Deserialize;

/// A ClientHello, as the corpus describes it. Extensions come in the order in which they are listed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hello {
    pub(crate) extensions: Vec<Extension>,
    /// At most so many bytes of the handshake a record; one record if absent.
    pub(crate) record: Option<usize>,
    /// At most so many bytes a write, each a segment of its own; one write if absent.
    pub(crate) write: Option<usize>,
    /// The version that each record says it has; 0x0301 if absent.
    pub(crate) version: Option<u16>,
    /// Bytes with escapes after the ClientHello, in the same records.
    pub(crate) trailing: Option<String>,
}

/// One extension.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Extension {
    /// server_name with these names; two of these extensions make it come twice.
    Sni(Vec<String>),
    /// What every client sends: versions, groups, signature algorithms, a key share.
    Usual,
    /// Protocols by name.
    Alpn(Vec<String>),
    /// encrypted_client_hello with random bytes: an outer hello, or GREASE; they look the same.
    Ech,
    /// padding of so many bytes.
    Pad(usize),
    /// Any type, and a body with escapes.
    Raw(u16, String),
    /// Bytes with escapes in the place of an extension, whatever they mean.
    Bytes(String),
}

/// The pieces to write, each a write of its own. `fill` puts in what stands in braces.
pub(crate) fn pieces<E>(hello: &Hello, mut fill: impl FnMut(&str) -> Result<Vec<u8>, E>) -> Result<Vec<Vec<u8>>, E> {
    let mut extensions = Vec::new();
    for extension in &hello.extensions {
        extensions.extend(encode(extension, &mut fill)?);
    }
    let mut body = vec![3, 3];
    body.extend([0x42; 32]);
    body.extend([&[32_u8][..], &[0x17; 32], &[0, 6, 0x13, 1, 0x13, 2, 0xc0, 0x2f], &[1, 0]].concat());
    body.extend(sized(2, &extensions));
    let mut handshake = [&[1][..], &sized(3, &body)].concat();
    if let Some(trailing) = &hello.trailing {
        handshake.extend(fill(trailing)?);
    }
    let [major, minor] = hello.version.unwrap_or(0x0301).to_be_bytes();
    let record = hello.record.unwrap_or(16_384).max(1);
    let records = handshake.chunks(record).flat_map(|part| [&[22, major, minor][..], &sized(2, part)].concat());
    let all: Vec<u8> = records.collect();
    Ok(all.chunks(hello.write.unwrap_or(usize::MAX).max(1)).map(<[u8]>::to_vec).collect())
}

fn encode<E>(extension: &Extension, fill: &mut impl FnMut(&str) -> Result<Vec<u8>, E>) -> Result<Vec<u8>, E> {
    Ok(match extension {
        Extension::Sni(names) => {
            let mut list = Vec::new();
            for name in names {
                list.extend([&[0][..], &sized(2, &fill(name)?)].concat());
            }
            typed(0, &sized(2, &list))
        }
        Extension::Usual => {
            let share = [&[0, 29][..], &sized(2, &[9; 32])].concat();
            [
                typed(43, &[4, 3, 4, 3, 3]),
                typed(10, &[0, 4, 0, 29, 0, 23]),
                typed(13, &[0, 6, 4, 3, 8, 4, 4, 1]),
                typed(51, &sized(2, &share)),
            ]
            .concat()
        }
        Extension::Alpn(names) => {
            let mut list = Vec::new();
            for name in names {
                list.extend(sized(1, &fill(name)?));
            }
            typed(16, &sized(2, &list))
        }
        Extension::Ech => {
            let head = [0, 0, 1, 0, 1, 0x5a];
            typed(0xfe0d, &[&head[..], &sized(2, &[8; 32]), &sized(2, &[7; 144])].concat())
        }
        Extension::Pad(length) => typed(21, &vec![0; *length]),
        Extension::Raw(kind, body) => typed(*kind, &fill(body)?),
        Extension::Bytes(bytes) => fill(bytes)?,
    })
}

fn typed(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized(2, body)].concat()
}

/// Bytes after their length in so many bytes; a length that does not fit is cut, as a bad client's would be.
fn sized(width: usize, bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_be_bytes();
    [&length[8 - width..], bytes].concat()
}

/// Whether the texts in it can be read, for the corpus's own test.
#[cfg(test)]
pub(crate) fn readable(hello: &Hello) -> bool {
    pieces(hello, |text| crate::text::bytes(text).ok_or(())).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_one_record_or_many_and_keeps_its_name() {
        let mut hello = Hello {
            extensions: vec![Extension::Usual, Extension::Sni(vec!["a.example".into()])],
            record: None,
            write: None,
            version: None,
            trailing: None,
        };
        let plain = |text: &str| Ok::<_, ()>(text.as_bytes().to_vec());
        let one = pieces(&hello, plain).unwrap();
        assert_eq!(one.len(), 1);
        assert_eq!(usize::from(u16::from_be_bytes([one[0][3], one[0][4]])), one[0].len() - 5);
        assert!(one[0].windows(9).any(|part| part == b"a.example"));
        (hello.record, hello.write) = (Some(7), Some(1));
        let many = pieces(&hello, plain).unwrap();
        assert!(many.len() > one[0].len() && many.iter().all(|piece| piece.len() == 1));
    }
}
