//! Which header fields decide whose a request is and where it ends? Each at most once.

use super::head::HeadError;

/// The most header fields of one request.
pub(super) const MOST: usize = 128;

/// The fields that matter here.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) host: Option<&'a str>,
    pub(super) content_length: Option<&'a [u8]>,
    pub(super) transfer_encoding: Option<&'a [u8]>,
    pub(super) upgrade: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(headers: &[httparse::Header<'a>]) -> Result<Fields<'a>, HeadError> {
        let mut fields = Fields::default();
        for header in headers {
            let value = header.value;
            match header.name.to_ascii_lowercase().as_str() {
                "host" => once(&mut fields.host, text(value), "Host")?,
                "content-length" => once(&mut fields.content_length, value, "Content-Length")?,
                "transfer-encoding" => once(&mut fields.transfer_encoding, value, "Transfer-Encoding")?,
                "upgrade" => once(&mut fields.upgrade, value, "Upgrade")?,
                "connection" | "proxy-connection" => connection(value)?,
                _ => {}
            }
        }
        Ok(fields)
    }

    pub(super) fn is_websocket(&self) -> bool {
        self.upgrade.is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
    }
}

fn once<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), HeadError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(HeadError::Twice(name)),
    }
}

/// Bytes that are no text are no host either: the empty text is refused later.
fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).unwrap_or_default()
}

/// A server drops the fields that Connection names; it must not drop those that were judged.
fn connection(value: &[u8]) -> Result<(), HeadError> {
    const JUDGED: [&[u8]; 3] = [b"host", b"content-length", b"transfer-encoding"];
    let named = |token: &&[u8]| JUDGED.iter().any(|judged| judged.eq_ignore_ascii_case(token));
    match value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).find(named) {
        None => Ok(()),
        Some(token) => Err(HeadError::Removes(String::from_utf8_lossy(token).into_owned())),
    }
}
