//! What do peers say that are neither the web nor an echo? A little Postgres, and a host listener that only listens.

use std::io::{self, Read};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::record::Entry;
use super::tap::Tap;

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const LARGEST: u32 = 1 << 20;

/// Lets everybody in, and answers each query with the one row `lab`.
pub(super) async fn postgres(mut stream: Tap) -> io::Result<()> {
    loop {
        let (length, code) = (stream.read_u32().await?, stream.read_u32().await?);
        let mut rest = vec![0; length.clamp(8, LARGEST) as usize - 8];
        stream.read_exact(&mut rest).await?;
        if !matches!(code, SSL_REQUEST | GSS_REQUEST) {
            break;
        }
        stream.write_all(b"N").await?;
    }
    let mut hello = message(b'R', &0_u32.to_be_bytes());
    hello.extend(message(b'S', b"server_version\x0015.0\0"));
    hello.extend(message(b'Z', b"I"));
    stream.write_all(&hello).await?;
    loop {
        let (kind, length) = (stream.read_u8().await?, stream.read_u32().await?);
        let mut rest = vec![0; length.clamp(4, LARGEST) as usize - 4];
        stream.read_exact(&mut rest).await?;
        match kind {
            b'Q' => stream.write_all(&row()).await?,
            b'X' => return Ok(()),
            _ => {}
        }
    }
}

/// One column called `answer`, of type text, with the value `lab`.
fn row() -> Vec<u8> {
    let column =
        [b"\0\x01answer\0".as_slice(), &[0; 6], &25_u32.to_be_bytes(), &[0xff; 2], &[0xff; 4], &[0; 2]].concat();
    let value = [&[0, 1], 3_u32.to_be_bytes().as_slice(), b"lab"].concat();
    [message(b'T', &column), message(b'D', &value), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[kind], length.as_slice(), body].concat()
}

/// Counts what comes until it ends.
pub(super) fn drain(mut stream: impl Read, entry: &Entry) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        entry.count(&buffer[..length]);
    }
}
