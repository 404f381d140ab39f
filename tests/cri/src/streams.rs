//! How does a kubelet pass streams on that a runtime serves beside its interface? Over a WebSocket, in which each message begins with its
//! stream's number.

use std::io::{Read, Write};

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::{Bytes, Message, WebSocket, client};

use crate::message::Streams;

/// Streams of a container, over a connection.
pub struct Attached<C>(WebSocket<C>);

/// All that came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// On standard output, or from a port.
    pub out: String,
    /// On standard error.
    pub err: String,
    /// How it ended, which a runtime says of an execution.
    pub end: String,
}

impl<C: Read + Write> Attached<C> {
    /// Has a connection made to this host and port.
    pub fn open(at: &Streams, connect: impl FnOnce(&str, u16) -> C) -> Attached<C> {
        let uri: Uri = at.url.replacen("http://", "ws://", 1).parse().unwrap();
        let connection = connect(uri.host().unwrap(), uri.port_u16().unwrap());
        let mut request = uri.into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("v4.channel.k8s.io"));
        let Ok((socket, _)) = client(request, connection) else { panic!("{at:?} is no WebSocket") };
        Attached(socket)
    }

    /// Writes to standard input, or to a port's stream.
    pub fn write(&mut self, bytes: &[u8]) {
        let numbered: Vec<u8> = [&[0], bytes].concat();
        self.0.send(Message::Binary(Bytes::from(numbered))).unwrap();
    }

    /// What comes until all streams have ended.
    pub fn heard(mut self) -> Heard {
        let [mut out, mut err, mut end] = [(); 3].map(|()| Vec::new());
        // It closes, or is gone.
        while let Ok(message) = self.0.read() {
            let Message::Binary(bytes) = message else { continue };
            match bytes.split_first() {
                Some((0 | 1, text)) => out.extend_from_slice(text),
                Some((2, text)) => err.extend_from_slice(text),
                Some((_, text)) => end.extend_from_slice(text),
                None => {}
            }
        }
        let [out, err, end] = [out, err, end].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Heard { out, err, end }
    }

    /// Ends standard input.
    pub fn close(mut self) {
        self.0.close(None).unwrap();
        let _ = self.heard();
    }
}
