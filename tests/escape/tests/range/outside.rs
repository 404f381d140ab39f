//! What was seen outside? All that collectors, canaries and captures got, in the form in which it is judged.

use std::fs;
use std::net::Ipv4Addr;

use bottle_escape::field::Evidence;
use bottle_escape::judge::Outside;
use bottle_escape::neighbour::HEARD;
use bottle_escape::stage::Staged;
use serde_json::Value;

use super::Range;
use super::sandbox::Sandbox;

const SERVICES: [&str; 8] = ["web", "ssh", "smtp", "postgres", "echo", "collector", "udp", "host"];

impl Range {
    pub(super) fn outside(&self, sandbox: Sandbox<'_>, staged: &Staged) -> Outside {
        let mut got: Vec<(String, Vec<u8>)> =
            staged.seen.iter().map(|(place, text)| (format!("canary: {place}"), text.clone().into())).collect();
        for service in SERVICES {
            for received in self.lab.received(service).unwrap() {
                got.push((format!("collector: {service}"), received.head));
                got.push((
                    format!("collector: {service}, server name"),
                    received.server_name.unwrap_or_default().into(),
                ));
                for request in received.requests {
                    let head = format!("{} {} {} {:?}", request.method, request.host, request.target, request.headers);
                    got.push((
                        format!("collector: {service}, request"),
                        [head.into_bytes(), request.body_head].concat(),
                    ));
                }
            }
        }
        got.extend(
            self.lab.dns_queries().unwrap().into_iter().map(|query| ("DNS query".to_owned(), query.name.into())),
        );
        got.push(("the neighbour".to_owned(), fs::read(self.path("neighbour").join(HEARD)).unwrap_or_default()));
        let evidence = self.field.host.evidence.as_ref().unwrap();
        got.extend(forged(evidence));
        let wire = fs::read_to_string(self.path("wire")).unwrap_or_default();
        // Without a network of its own it has the host's loopback, where what is sent has not got out yet.
        let inside = |link: &str, frame: &[u8]| {
            link == "host/lo" && (!sandbox.is_bottle() || is_between(frame, staged.said_to))
                || is_on(&wire, link, frame)
        };
        let packets = self.lab.all_packets().unwrap().into_iter();
        let packets = packets.filter(|packet| !inside(&packet.link, &packet.bytes));
        let frames = packets.map(|packet| (packet.link, packet.bytes)).collect();
        let key = fs::read_to_string(&evidence.key).unwrap();
        // What stands between the lines that say that it is a key.
        let key = key.lines().find(|line| !line.starts_with('-')).unwrap().to_owned();
        let secrets = [("file", &self.secrets.file), ("environment", &self.secrets.environment), ("key", &key)];
        let secrets = secrets.into_iter().map(|(place, secret)| (place.to_owned(), secret.clone())).collect();
        Outside { got, frames, secrets }
    }
}

/// Whether a frame is TCP over IPv4 from or to this port.
fn is_between(frame: &[u8], port: u16) -> bool {
    let ports = [34, 36].map(|at| frame.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]])));
    frame.get(12..15) == Some(&[8, 0, 0x45]) && frame.get(23) == Some(&6) && ports.contains(&Some(port))
}

/// Whether a frame is TCP or UDP over IPv4 from end to end of a peer's own wire: it came to the peer, and no further by this.
fn is_on(wire: &str, link: &str, frame: &[u8]) -> bool {
    let Some((links, addresses)) = wire.trim().split_once(' ') else { return false };
    let is_end = |at: usize| {
        let address = frame.get(at..at + 4).and_then(|bytes| bytes.first_chunk::<4>());
        address.is_some_and(|octets| Ipv4Addr::from(*octets).to_string().starts_with(addresses))
    };
    let is_plain = frame.get(12..15) == Some(&[8, 0, 0x45]) && matches!(frame.get(23), Some(6 | 17));
    link.strip_prefix("host/").is_some_and(|name| name.starts_with(links)) && is_plain && is_end(26) && is_end(30)
}

/// What is there of the evidence that bottle did not make: lines that are no entries, files in its state.
fn forged(evidence: &Evidence) -> Vec<(String, Vec<u8>)> {
    let log = fs::read_to_string(&evidence.log).unwrap_or_default();
    let entry = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line["kind"] != "forged");
    let lines = log.lines().filter(|line| !entry(line)).map(|line| ("the log".to_owned(), line.into()));
    let names = fs::read_dir(&evidence.state).into_iter().flatten().flatten();
    let names = names.map(|entry| ("the state".to_owned(), entry.file_name().into_encoded_bytes()));
    lines.chain(names).collect()
}
