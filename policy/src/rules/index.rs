//! Which rules name this destination, found without looking at the others?

use std::{collections::HashMap, net::IpAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

use super::{DomainRule, Ports, Protocol, RangeRule};
use crate::{Name, Pattern};

/// A trie of labels for names, a trie of prefixes for addresses. Rules that add nothing to an earlier one are left out,
/// so a lookup visits at most a few rules for each label or prefix length, however many rules there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    names: Node,
    v4: PrefixMap<Ipv4Net, ByPort>,
    v6: PrefixMap<Ipv6Net, ByPort>,
}

/// What the rules that name one destination come to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    /// A rule names it, for whichever port.
    pub(crate) named: bool,
    /// For each protocol, without and with `allow_private`, the first rule that names it for the port.
    first: [[Option<u32>; 2]; 4],
}

impl Found {
    /// The first rule among those that ask for one of `protocols`, and whether any of them has `allow_private`.
    pub(crate) fn rule(&self, protocols: &[Protocol]) -> Option<(usize, bool)> {
        let asked = protocols.iter().map(|protocol| self.first[*protocol as usize]);
        let (first, private) = asked.fold((None, false), |(first, private), [plain, with_private]| {
            let earliest = [first, plain, with_private].into_iter().flatten().min();
            (earliest, private || with_private.is_some())
        });
        first.map(|rule: u32| (rule as usize, private))
    }

    fn add(&mut self, rule: Entry) {
        let first = &mut self.first[rule.protocol as usize][usize::from(rule.private)];
        *first = Some(first.map_or(rule.number, |known| known.min(rule.number)));
    }
}

impl Index {
    pub(crate) fn new(domains: &[DomainRule], ranges: &[RangeRule]) -> Self {
        let mut index = Self::default();
        for (rule, number) in domains.iter().zip(0..) {
            let entry = Entry { number, protocol: rule.protocol, private: rule.allow_private };
            index.names.insert(&rule.pattern, &rule.ports, entry);
        }
        for (rule, number) in ranges.iter().zip(0..) {
            let entry = Entry { number, protocol: Protocol::Tcp, private: false };
            let by_port = match rule.cidr {
                IpNet::V4(net) => index.v4.entry(net).or_default(),
                IpNet::V6(net) => index.v6.entry(net).or_default(),
            };
            by_port.insert(&rule.ports, entry);
        }
        index
    }

    /// Only names, for whichever port.
    pub(crate) fn of_patterns(patterns: impl Iterator<Item = Pattern>) -> Self {
        let mut index = Self::default();
        for (pattern, number) in patterns.zip(0..) {
            let entry = Entry { number, protocol: Protocol::Auto, private: false };
            index.names.insert(&pattern, &Ports::All, entry);
        }
        index
    }

    /// The rules about `name`. No wildcard means [the host's loopback](crate::this_host).
    pub(crate) fn name(&self, name: &Name, port: u16) -> Found {
        let mut found = Found::default();
        let mut node = &self.names;
        let mut labels = name.labels().rev().peekable();
        while let Some(label) = labels.next() {
            let Some(next) = node.children.get(label) else {
                return found;
            };
            node = next;
            match labels.peek() {
                Some(_) if name.is_this_host() => {}
                Some(_) => node.below.find(port, &mut found),
                None => node.exact.find(port, &mut found),
            }
        }
        found
    }

    /// The rules about `address` whose range `counts`. A v4-mapped address is looked up as the IPv4 address it maps.
    pub(crate) fn address(&self, address: IpAddr, port: u16, counts: impl Fn(IpNet) -> bool) -> Found {
        let mut found = Found::default();
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let covering = self.v4.cover(&Ipv4Net::from(v4)).filter(|(net, _)| counts(IpNet::V4(*net)));
                covering.for_each(|(_, rules)| rules.find(port, &mut found));
            }
            IpAddr::V6(v6) => {
                let covering = self.v6.cover(&Ipv6Net::from(v6)).filter(|(net, _)| counts(IpNet::V6(*net)));
                covering.for_each(|(_, rules)| rules.find(port, &mut found));
            }
        }
        found
    }
}

#[derive(Clone, Debug, Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    exact: ByPort,
    below: ByPort,
}

impl Node {
    fn insert(&mut self, pattern: &Pattern, ports: &Ports, entry: Entry) {
        let mut node = self;
        for label in pattern.name().labels().rev() {
            node = node.children.entry(label.into()).or_default();
        }
        if !matches!(pattern, Pattern::Below(_)) {
            node.exact.insert(ports, entry);
        }
        if !matches!(pattern, Pattern::Exact(_)) {
            node.below.insert(ports, entry);
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u32,
    protocol: Protocol,
    private: bool,
}

impl Entry {
    fn alike(self, other: &Entry) -> bool {
        (self.protocol, self.private) == (other.protocol, other.private)
    }
}

/// The rules of one pattern or range, each at most once for a port, a protocol and `allow_private`.
#[derive(Clone, Debug, Default)]
struct ByPort {
    every: Vec<Entry>,
    only: HashMap<u16, Vec<Entry>>,
}

impl ByPort {
    fn insert(&mut self, ports: &Ports, entry: Entry) {
        let add = |entries: &mut Vec<Entry>| {
            if !entries.iter().any(|known| entry.alike(known)) {
                entries.push(entry);
            }
        };
        match ports {
            Ports::All => add(&mut self.every),
            Ports::Only(ports) => ports.iter().for_each(|port| add(self.only.entry(*port).or_default())),
        }
    }

    fn find(&self, port: u16, found: &mut Found) {
        found.named |= !self.every.is_empty() || !self.only.is_empty();
        let only = self.only.get(&port).into_iter().flatten();
        self.every.iter().chain(only).for_each(|entry| found.add(*entry));
    }
}
