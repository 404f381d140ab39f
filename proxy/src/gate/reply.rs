//! What does the explicit proxy say to a client, and how does it say goodbye?

use std::time::Duration;

use bottle_policy::Reason;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::relay::read_some;
use crate::{Refusal, RefusalKind, Way};

const GOODBYE: Duration = Duration::from_secs(2);
const UNREAD: usize = 64 * 1024;

/// The tunnel is open.
pub(super) const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// One whole response.
#[derive(Debug)]
pub(super) struct Reply {
    status: &'static str,
    body: String,
}

impl Reply {
    pub(super) fn new(status: &'static str, body: impl Into<String>) -> Reply {
        Reply { status, body: body.into() }
    }

    /// What an attempt's refusal is to the client.
    pub(super) fn refusal(way: Way, refusal: &Refusal) -> Reply {
        let why = match refusal.reason {
            Some(reason) => format!("{} {}", reason.code(), refusal.detail),
            None => refusal.detail.to_string(),
        };
        let status = match (refusal.kind, way) {
            (RefusalKind::Unreachable, _) => "502 Bad Gateway",
            (RefusalKind::Unavailable, _) => "503 Service Unavailable",
            (RefusalKind::Denied, Way::Http) if refusal.reason.is_some_and(wants_a_rule) => "405 Method Not Allowed",
            (RefusalKind::Denied, _) => "403 Forbidden",
        };
        Reply::new(status, format!("bottle: {}\n", why.trim_end()))
    }

    /// Sends it and closes so that the client can read it: what it still sends is read for a moment.
    pub(super) async fn send(self, mut client: TcpStream) {
        let allow = if self.status.starts_with("405") { "Allow: CONNECT\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\r\n",
            self.status,
            self.body.len()
        );
        let farewell = async {
            client.write_all(head.as_bytes()).await?;
            client.write_all(self.body.as_bytes()).await?;
            client.shutdown().await?;
            let mut unread = Vec::new();
            while unread.len() < UNREAD && read_some(&client, &mut unread, 4096).await? > 0 {}
            std::io::Result::Ok(())
        };
        // A client that does not listen loses its answer, nothing else.
        let _ = timeout(GOODBYE, farewell).await;
    }
}

/// Whether a rule with `protocol: http` would change it: then a tunnel may be what is allowed there.
fn wants_a_rule(reason: Reason) -> bool {
    matches!(reason, Reason::NoRule | Reason::PortNotAllowed | Reason::NotTls)
}
