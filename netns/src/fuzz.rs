//! What do the readers of the kernel's dumps make of any bytes? Doors for the fuzz targets, and for nothing else.

use std::collections::BTreeMap;

use netlink_packet_core::{NetlinkDeserializable, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;

use crate::survey::message::Message;
use crate::survey::{Address, Link, Listener, Neighbour, Route, Rule, Ruleset, route, rules, sockets};
use crate::{counters, wire};

/// All that a dump of rtnetlink can hold.
pub type LinksAndRoutes = (Vec<Link>, Vec<Address>, Vec<Route>, Vec<Rule>, Vec<Neighbour>);

/// What a dump of rtnetlink says; nothing if it can't be read.
pub fn links_and_routes(dump: &[u8]) -> Option<LinksAndRoutes> {
    let all: Vec<RouteNetlinkMessage> = messages(dump)?;
    let links = route::links(all.clone());
    let addresses = route::addresses(all.clone(), &links);
    let routes = route::routes(all.clone(), &links);
    let rules = route::rules(all.clone());
    let neighbours = route::neighbours(all, &links);
    Some((links, addresses, routes, rules, neighbours))
}

/// How many messages of nftables a dump has, and what they say; nothing if it can't be read.
pub fn packet_rules(dump: &[u8]) -> Option<(usize, Ruleset)> {
    let all: Vec<Message> = messages(dump)?;
    Some((all.len(), rules::canonical(all).ok()?))
}

/// Sockets and cookies of a dump of sock_diag; nothing if it can't be read.
pub fn listeners(dump: &[u8]) -> Option<Vec<(Listener, u64)>> {
    let all: Vec<sockets::Diag> = messages(dump)?;
    Some(all.into_iter().filter_map(|message| message.listener(6)).collect())
}

/// The counters of a dump of nftables' objects; nothing if it can't be read.
pub fn counters(dump: &[u8]) -> Option<BTreeMap<String, u64>> {
    Some(counters::counted(messages(dump)?))
}

fn messages<T: NetlinkDeserializable>(dump: &[u8]) -> Option<Vec<T>> {
    let inner = |payload| if let NetlinkPayload::InnerMessage(message) = payload { Some(message) } else { None };
    Some(wire::parse(dump).ok()?.into_iter().filter_map(|message| inner(message.payload)).collect())
}
