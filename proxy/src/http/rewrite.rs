//! What does a head look like once the parts meant for a proxy, or for another protocol, are taken out?

use bottle_policy::{Host, HttpHost};

use super::Head;

/// The same head without its offer to change the protocol, except the offer to become a WebSocket's.
pub fn without_upgrade(head: &[u8]) -> Vec<u8> {
    rebuild(head, None, &["upgrade", "http2-settings"], &[])
}

/// A request in absolute form as its origin server gets it: in origin form, alone on its connection, and for the host that was
/// judged, whatever its own Host field left out (RFC 9112, 3.2.2).
pub fn for_origin(bytes: &[u8], head: &Head, path: &str) -> Vec<u8> {
    let removed = [
        "host",
        "connection",
        "proxy-connection",
        "proxy-authorization",
        "keep-alive",
        "te",
        "upgrade",
        "http2-settings",
    ];
    rebuild(bytes, Some(path), &removed, &[&host_line(head), "Connection: close"])
}

fn host_line(head: &Head) -> String {
    let host = match &head.host {
        HttpHost::Name(name) => name.to_string(),
        HttpHost::Address(address) => Host::Address(*address).to_string(),
        HttpHost::Absent => String::new(),
    };
    let port = head.port.map_or_else(String::new, |port| format!(":{port}"));
    format!("Host: {host}{port}")
}

/// Lines are whole fields, since folded ones were refused. Empty lines before the request line are no part of it (RFC 9112, 2.2).
fn rebuild(head: &[u8], path: Option<&str>, removed: &[&str], added: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len());
    let lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut lines = lines.skip_while(|line| line.is_empty());
    let request_line = lines.next().unwrap_or_default();
    push_line(&mut out, &with_path(request_line, path));
    added.iter().for_each(|line| push_line(&mut out, line.as_bytes()));
    for line in lines.filter(|line| !line.is_empty()) {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        if removed.iter().any(|gone| name.eq_ignore_ascii_case(gone.as_bytes())) {
            continue;
        }
        match name.eq_ignore_ascii_case(b"connection") {
            true => push_line(&mut out, &without_tokens(line, removed)),
            false => push_line(&mut out, line),
        }
    }
    push_line(&mut out, b"");
    out
}

fn with_path(request_line: &[u8], path: Option<&str>) -> Vec<u8> {
    let Some(path) = path else {
        return request_line.to_vec();
    };
    let mut parts = request_line.split(|byte| *byte == b' ');
    let (method, version) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or_default());
    [method, path.as_bytes(), version].join(&b' ')
}

fn without_tokens(line: &[u8], removed: &[&str]) -> Vec<u8> {
    let colon = line.iter().position(|byte| *byte == b':').map_or(line.len(), |at| at + 1);
    let kept: Vec<&[u8]> = line[colon..]
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|token| !removed.iter().any(|gone| token.eq_ignore_ascii_case(gone.as_bytes())))
        .collect();
    [b"Connection: ".as_slice(), &kept.join(&b", "[..])].concat()
}

fn push_line(out: &mut Vec<u8>, line: &[u8]) {
    out.extend_from_slice(line);
    out.extend_from_slice(b"\r\n");
}
