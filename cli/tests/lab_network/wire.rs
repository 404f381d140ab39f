//! Is every packet on the host's links one that the log explains? It is checked after every run of every test.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bottle_evidence::audit::Choice;
use bottle_lab::addresses::DNS;
use bottle_lab::{Lab, Packet, Transport};
use bottle_policy::this_host;

use crate::log::Log;

/// Names and addresses that the dialler was allowed to look up and dial, and since when (nanoseconds since 1970).
#[derive(Debug, Default)]
pub struct Explained {
    names: BTreeMap<String, u64>,
    places: BTreeMap<SocketAddr, u64>,
}

impl Explained {
    /// What these allowed decisions explain.
    pub fn by(log: &Log, lab: &Lab) -> Explained {
        let mut explained = Explained::default();
        for (time, decision) in log.decisions_in_time() {
            if !matches!(decision.decision, Choice::Allow | Choice::Observe) {
                continue;
            }
            let (since, port) = (time.micros() * 1000, decision.port);
            let addresses = match &decision.name {
                Some(name) if name.to_string() == this_host::NAME => this_host::LOOPBACK.to_vec(),
                Some(name) => {
                    explained.names.entry(name.to_string()).or_insert(since);
                    lab.name(&name.to_string())
                }
                None => vec![decision.address],
            };
            for address in addresses {
                explained.places.entry(SocketAddr::new(address, port)).or_insert(since);
            }
        }
        explained
    }

    /// An alias or a name that changes has more addresses than the zone tells.
    pub fn and(&mut self, place: SocketAddr) {
        self.places.entry(place).or_insert(0);
    }

    /// On loopback what comes back is seen as well.
    fn answers(&self, packet: &Packet) -> bool {
        let since = packet.source().and_then(|from| self.places.get(&from));
        since.is_some_and(|since| *since <= packet.nanoseconds)
    }

    /// A name that is looked up whatever the log says.
    pub fn and_name(&mut self, name: &str) {
        self.names.entry(name.to_owned()).or_insert(0);
    }

    fn covers(&self, packet: &Packet) -> bool {
        let Some(to) = packet.destination() else { return false };
        let is_dns = to == SocketAddr::new(IpAddr::V4(DNS), 53);
        let since = match packet.transport() {
            Some(Transport::Udp) if is_dns => self.names.get(&asked(packet)),
            Some(Transport::Tcp { .. }) => self.places.get(&to),
            _ => None,
        };
        since.is_some_and(|since| *since <= packet.nanoseconds)
    }
}

/// The name in a DNS question over UDP.
fn asked(packet: &Packet) -> String {
    let mut rest = packet.payload().get(12..).unwrap_or_default();
    let mut labels = Vec::new();
    while let Some((length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, next) = after.split_at(usize::from(*length).min(after.len()));
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        rest = next;
    }
    labels.join(".")
}

/// Asserts that no packet on any link of the host is without an explanation, and none came too early.
pub fn check(lab: &Lab, explained: &Explained, since: u64) {
    let packets = lab.all_packets().expect("a capture without losses");
    let stray = packets.iter().filter(|packet| packet.nanoseconds >= since && !packet.is_housekeeping());
    let stray: Vec<String> = stray
        .filter(|packet| match packet.link.as_str() {
            "host/eth0" => packet.outgoing && !explained.covers(packet),
            "internet/wan0" => false,
            "host/lo" => !explained.covers(packet) && !explained.answers(packet),
            _ => true,
        })
        .map(|packet| format!("{} → {:?} {:?}", packet.link, packet.destination(), packet.transport()))
        .collect();
    assert!(stray.is_empty(), "packets that no decision explains: {stray:#?}\nexplained: {explained:#?}");
}
