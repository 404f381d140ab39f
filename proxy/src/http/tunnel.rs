//! What does a proxy answer to CONNECT? Read to the end of its last head and no further: what follows belongs to the tunnel.

use super::fields;

/// A proxy's answers up to the first final one.
#[derive(Debug, Default)]
pub struct Tunnel {
    head: Vec<u8>,
    taken: usize,
}

/// What the proxy said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// No final head yet.
    Waiting,
    /// The tunnel is open.
    Open,
    /// There is none, for the reason that this status gives.
    Refused(u16),
    /// Not an HTTP/1 response head, or one without end.
    Wrong,
}

impl Tunnel {
    /// The most bytes that are taken, of all heads together.
    pub const MOST: usize = 16 * 1024;

    /// Looks at the bytes that came next: how many of them belong to the answer, and what it comes to.
    pub fn push(&mut self, bytes: &[u8]) -> (usize, Opening) {
        for (at, byte) in bytes.iter().enumerate() {
            self.head.push(*byte);
            self.taken += 1;
            if self.taken > Tunnel::MOST {
                return (at + 1, Opening::Wrong);
            }
            if *byte != b'\n' || !ends(&self.head) {
                continue;
            }
            match status(&std::mem::take(&mut self.head)) {
                // An interim answer; 101 would make the connection something else.
                Some(100 | 102..=199) => {}
                Some(200..=299) => return (at + 1, Opening::Open),
                Some(status) if status != 101 => return (at + 1, Opening::Refused(status)),
                _ => return (at + 1, Opening::Wrong),
            }
        }
        (bytes.len(), Opening::Waiting)
    }
}

/// Whether an empty line comes last, whichever line ends the proxy writes.
fn ends(head: &[u8]) -> bool {
    let line = head.strip_suffix(b"\n").unwrap_or(head);
    line.strip_suffix(b"\r").unwrap_or(line).ends_with(b"\n")
}

fn status(head: &[u8]) -> Option<u16> {
    let mut headers = [httparse::EMPTY_HEADER; fields::MOST];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(head) {
        Ok(httparse::Status::Complete(end)) if end == head.len() => response.code,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(text: &str) -> Opening {
        Tunnel::default().push(text.as_bytes()).1
    }

    #[test]
    fn any_2xx_opens_the_tunnel_and_its_fields_mean_nothing() {
        for text in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200 OK\r\nVia: x\r\n\r\n",
            "HTTP/1.1 204\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
        ] {
            assert_eq!(opening(text), Opening::Open, "{text:?}");
        }
    }

    #[test]
    fn what_follows_the_head_is_left_to_the_tunnel() {
        let text = b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x\r\n";
        assert_eq!(Tunnel::default().push(text), (19, Opening::Open));
        let mut tunnel = Tunnel::default();
        assert_eq!(tunnel.push(&text[..18]), (18, Opening::Waiting));
        assert_eq!(tunnel.push(&text[18..]), (1, Opening::Open));
    }

    #[test]
    fn a_refusal_has_its_status() {
        assert_eq!(opening("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n<html>"), Opening::Refused(407));
        assert_eq!(opening("HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n"), Opening::Refused(302));
    }

    #[test]
    fn what_is_no_answer_is_wrong_and_what_never_ends_is_not_waited_for() {
        for text in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 101 Switching\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n",
            "\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
        ] {
            assert_eq!(opening(text), Opening::Wrong, "{text:?}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(Tunnel::MOST));
        assert_eq!(Tunnel::default().push(endless.as_bytes()), (Tunnel::MOST + 1, Opening::Wrong));
        let patient = "HTTP/1.1 100 Continue\r\n\r\n".repeat(Tunnel::MOST);
        assert_eq!(opening(&patient), Opening::Wrong);
    }
}
